"""What training minimises."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field

from assay.recipe.section import NonNegative, Positive, Rate, Section, named


def _class_weights(value: Any) -> Any:
    numbers = value if isinstance(value, list | tuple) else ()
    positive = [isinstance(v, int | float) and not isinstance(v, bool) and v > 0 for v in numbers]
    if value is not None and value != "inverse" and not (positive and all(positive)):
        raise ValueError("expected inverse, or a list of numbers above 0, one for each class")
    return value


ClassWeights = Annotated[Literal["inverse"] | tuple[Positive, ...] | None, BeforeValidator(_class_weights)]
"""``inverse`` is n / (classes · n_c), where n_c of the n training images are of the class. Where an image has any
number of labels, the weights are those of the labels' positives, and ``inverse`` is (n − n_c) / n_c."""


class CrossEntropy(Section):
    """Softmax cross-entropy."""

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Rate = 0.0
    class_weights: ClassWeights = Field(default=None, exclude_if=lambda weights: weights is None)


class Focal(Section):
    """Cross-entropy times (1 − p of what is true) to the power gamma, arXiv:1708.02002."""

    name: Literal["focal"] = "focal"
    gamma: NonNegative = 2.0
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


Loss = Annotated[
    CrossEntropy | Focal | MeanSquaredError | MeanAbsoluteError | Huber | BinaryCrossEntropy,
    named("cross_entropy"),
    Discriminator("name"),
]
