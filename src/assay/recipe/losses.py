"""What training minimises."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, model_validator

from assay.recipe.section import Expected, NonNegative, Positive, Rate, Section, named

MEASURED_AS = {
    "classification": {"focal": "cross_entropy"},
    "multilabel": {"focal": "binary_cross_entropy"},
    "segmentation": dict.fromkeys(("focal", "dice", "lovasz", "sum"), "cross_entropy"),
}
"""A task's loss that is trained with a focus and measured without; every loss is measured without class weights."""


def _class_weights(value: Any) -> Any:
    numbers = value if isinstance(value, list | tuple) else ()
    positive = [isinstance(v, int | float) and not isinstance(v, bool) and v > 0 for v in numbers]
    if value not in (None, "inverse", "median_frequency") and not (positive and all(positive)):
        raise ValueError(
            "expected inverse, median_frequency (of pixels), or a list of numbers above 0, one for each class"
        )
    return value


ClassWeights = Annotated[
    Literal["inverse", "median_frequency"] | tuple[Positive, ...] | None, BeforeValidator(_class_weights)
]
"""``inverse`` is n / (classes · n_c), where n_c of the n training images, or of their pixels, are of the class. Where
an image has any number of labels, the weights are those of the labels' positives, and ``inverse`` is (n − n_c) / n_c.
``median_frequency`` is of pixels alone: the median of f / f_c, where f_c is the share of a class in the images that
have it."""


class CrossEntropy(Section):
    """Softmax cross-entropy."""

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Rate = 0.0
    """The share of the target that goes to all classes alike."""
    class_weights: ClassWeights = Field(default=None, exclude_if=lambda weights: weights is None)
    """What each class counts."""


class Focal(Section):
    """Cross-entropy times (1 − p of what is true) to the power gamma, arXiv:1708.02002."""

    name: Literal["focal"] = "focal"
    gamma: NonNegative = 2.0
    """The larger, the less an image counts that is answered well."""
    class_weights: ClassWeights = Field(default=None, exclude_if=lambda weights: weights is None)
    """The paper's alpha; of labels, which weigh their positives alone, its alpha / (1 − alpha)."""


class MeanSquaredError(Section):
    """Of classification: squared distance between the softmax and the one-hot target, averaged over classes (Brier
    score / classes). Of regression: squared error, of targets standardised on the training images."""

    name: Literal["mse"] = "mse"


class MeanAbsoluteError(Section):
    """Absolute error, of targets standardised on the training images."""

    name: Literal["mae"] = "mae"


class Huber(Section):
    """Half the squared error up to ``delta``, and beyond it delta · (absolute error − delta / 2).

    Of targets standardised on the training images: Huber, Ann. Math. Statist. 35, 1964.
    """

    name: Literal["huber"] = "huber"
    delta: Positive = 1.0
    """In standard deviations of the target."""


class BinaryCrossEntropy(Section):
    """Sigmoid cross-entropy: on one logit, for two classes, or on one for each label, averaged over the labels."""

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    class_weights: ClassWeights = Field(default=None, exclude_if=lambda weights: weights is None)
    """What the positives of each label count."""


class Dice(Section):
    """1 − mean over the classes of a batch of 2·Σ p·y / (Σ p + Σ y), of its pixels: arXiv:1606.04797, 1707.03237."""

    name: Literal["dice"] = "dice"


class Lovasz(Section):
    """The Lovász extension of 1 − IoU, as a mean over the classes of a batch: arXiv:1705.08790."""

    name: Literal["lovasz"] = "lovasz"


class SumOfLosses(Section):
    """Several losses of pixels, each times its weight; ``[cross_entropy, dice]`` is short for it."""

    name: Literal["sum"] = "sum"
    of: Annotated[
        tuple[Annotated[CrossEntropy | Focal | Dice | Lovasz, named("cross_entropy"), Discriminator("name")], ...],
        Field(min_length=2),
        Expected("a list of at least two losses of pixels"),
    ] = (CrossEntropy(), Dice())
    """The losses that are added up."""
    weights: tuple[Positive, ...] | None = Field(default=None, exclude_if=lambda weights: weights is None)
    """In the order of the losses; 1 each where left out."""

    @model_validator(mode="after")
    def _one_weight_each(self) -> "SumOfLosses":
        if self.weights is not None and len(self.weights) != len(self.of):
            raise ValueError(f"weights: found {len(self.weights)}, expected one for each of the {len(self.of)} losses")
        return self

    @property
    def factors(self) -> tuple[float, ...]:
        """The weights, written out."""
        return self.weights or (1.0,) * len(self.of)


class Own(Section):
    """The network's own, of several parts: see what builds it."""

    name: Literal["own"] = "own"


def _sum(value: Any) -> Any:
    is_several = isinstance(value, list | tuple) and len(value) > 1
    return {"name": "sum", "of": value} if is_several else value


Loss = Annotated[
    CrossEntropy
    | Focal
    | MeanSquaredError
    | MeanAbsoluteError
    | Huber
    | BinaryCrossEntropy
    | Dice
    | Lovasz
    | SumOfLosses
    | Own,
    named("cross_entropy"),
    BeforeValidator(_sum),
    Discriminator("name"),
]


def differ(losses: Iterable[Loss], task: str) -> bool:
    """Whether they are measured in different ways, so that their values cannot stand side by side."""
    same = MEASURED_AS.get(task, {})
    kinds = {
        (same.get(one.name, one.name), getattr(one, "label_smoothing", 0.0), getattr(one, "delta", 0.0))
        for one in losses
    }
    return len(kinds) > 1
