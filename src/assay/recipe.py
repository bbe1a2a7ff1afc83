"""The recipe: everything that determines one training run. Every default of assay is stated here, once."""

import hashlib
import json
import math
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    PositiveInt,
    field_validator,
    model_validator,
)


class Section(BaseModel):
    """A part of the recipe: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _named(default: str | None = None) -> BeforeValidator:
    """Let ``adam`` stand for ``{name: adam}``, and ``{lr: 0.1}`` for the default with another rate."""

    def expand(value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        return {"name": default, **value} if default and isinstance(value, dict) else value

    return BeforeValidator(expand)


def _amount(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected a share between 0 and 1 or a whole number of images")
    if not 0 <= value < math.inf or (value > 1 and value != int(value)):
        raise ValueError("expected a share between 0 and 1 or a whole number of images")
    return int(value) if value > 1 else float(value)


Amount = Annotated[int | float, BeforeValidator(_amount)]
"""A share (0 to 1; 1 is everything) or, above 1, a number of images."""


def _some(value: int | float) -> int | float:
    if value == 0:
        raise ValueError("expected more than 0")
    return value


Some = Annotated[Amount, AfterValidator(_some)]
"""An amount that is not nothing."""


def _pattern(value: Any) -> Any:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"expected a regular expression ({error})") from None
    except TypeError:
        raise ValueError("expected a regular expression, as text") from None
    return value


Pattern = Annotated[str, BeforeValidator(_pattern)]
"""A regular expression, kept as text."""


def _shares(value: Any) -> Any:
    if value is None or isinstance(value, tuple):
        return value
    if not isinstance(value, dict) or not all(
        isinstance(share, int | float) and not isinstance(share, bool) and 0 < share <= 1 for share in value.values()
    ):
        raise ValueError("expected names of classes with a share above 0 and at most 1 each, as {cat: 0.1}")
    if any(isinstance(name, bool) for name in value):
        raise ValueError("expected names of classes; a class called no or yes stands in quotes, as {'no': 0.1}")
    return tuple(sorted((str(name), float(share)) for name, share in value.items())) or None


Shares = Annotated[tuple[tuple[str, float], ...], PlainSerializer(dict)]
"""(class, share), sorted; in a file a mapping."""

NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]


# ------------------------------------------------------------------------------------------------ data

AUGMENTATIONS: dict[str, tuple[float, str]] = {
    "horizontal_flip": (0.5, "probability of mirroring left and right"),
    "vertical_flip": (0.5, "probability of mirroring top and bottom"),
    "rotation": (15.0, "largest angle in degrees, either way"),
    "translation": (0.1, "largest shift as a share of the side"),
    "zoom": (0.1, "largest change of scale, 0.1 is 0.9 to 1.1"),
    "crop": (4.0, "pixels of zero padding before a random crop of the old size"),
    "brightness": (0.2, "largest change as a share"),
    "contrast": (0.2, "largest change as a share"),
    "erase": (0.5, "probability of erasing a random rectangle"),
}
"""Name → (default amount, what the amount means)."""


def _pair(value: Any, expected: str) -> dict[str, Any]:
    """``{rotation: 15}`` or ``rotation`` as a name and an amount."""
    if isinstance(value, str):
        value = {value: None}
    if isinstance(value, dict) and len(value) == 1 and "name" not in value:
        name, amount = next(iter(value.items()))
        value = {"name": name, "amount": amount}
    if not isinstance(value, dict) or "name" not in value:
        raise ValueError(f"expected {expected}")
    return value


class Augmentation(Section):
    """One random change of the training images: ``horizontal_flip`` or ``{rotation: 15}``."""

    name: str
    amount: NonNegative

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        value = _pair(value, "a name such as horizontal_flip, or a pair such as {rotation: 15}")
        if value["name"] not in AUGMENTATIONS:
            from assay.errors import unknown

            raise ValueError(str(unknown("augmentation", value["name"], AUGMENTATIONS)))
        if value.get("amount") is None:
            value = {**value, "amount": AUGMENTATIONS[value["name"]][0]}
        return value

    @model_validator(mode="after")
    def _in_range(self) -> "Augmentation":
        meaning = AUGMENTATIONS[self.name][1]
        if self.amount > 1 and ("probability" in meaning or "share" in meaning):
            raise ValueError(f"{self.name} takes at most 1 ({meaning})")
        return self


class Normalization(Section):
    """A mean and a deviation for every channel, of pixels in 0…1."""

    mean: tuple[float, ...]
    std: tuple[Positive, ...]


Balance = Literal["none", "oversample", "undersample"]


class Data(Section):
    """Where the images come from, how they are split, and what happens to them on the way to the network."""

    source: str
    size: PositiveInt | tuple[PositiveInt, PositiveInt] | None = None
    """Height and width in pixels (one number: square); None keeps the source's own."""
    color: Literal["gray", "rgb"] | None = None
    """None keeps the source's own."""
    train: Amount = 1.0
    """How much of the training split is used, the same share of every class; validation is cut from it."""
    validation: Amount = 0.1
    validation_from: Literal["train", "test"] = "train"
    test: Amount | None = None
    """How much of the test split is used; of a source without one, how much is held out (0.2)."""
    split_seed: int = 0
    """Governs what is cut from or into the test split: the same for every seed of a study."""
    group: Pattern | None = Field(default=None, exclude_if=lambda group: group is None)
    """Searched in the file name; its first group, else all it matches, names the original. All copies of an original
    stay on one side of every cut. None, every picture for itself, is not written out: the key came later, and the
    recipes without it are still the same."""
    imbalance: Annotated[Shares | None, BeforeValidator(_shares)] = Field(
        default=None, exclude_if=lambda shares: shares is None
    )
    """Class → the share of its training images that is kept; the validation images are cut from what is kept."""
    balance: Balance = Field(default="none", exclude_if=lambda balance: balance == "none")
    """Every epoch has as many training images of each class: of the largest, or of the smallest."""
    augment: tuple[Augmentation, ...] = ()
    augment_views: PositiveInt | None = Field(default=None, exclude_if=lambda views: views is None)
    """Under a frozen backbone, how many augmented views of a training image there are: their features are kept."""
    normalize: Literal["unit", "symmetric", "standard", "model"] | Normalization = "standard"
    """Pixels to 0…1, to −1…1, to mean 0 and deviation 1 per channel over the training images, as the network off the
    shelf expects them (its default), or by numbers."""
    on_bad_image: Literal["fail", "skip"] = "fail"


# ----------------------------------------------------------------------------------------------- model


HEAD_LAYERS = {
    "average_pool": "the mean over height and width, where the backbone has not pooled already; only as the first",
    "dense": "this many neurons with ReLU: {dense: 256}",
    "batch_norm": "batch normalisation",
    "dropout": "this share is dropped: {dropout: 0.5}",
}
"""Name → what it is."""


class HeadLayer(Section):
    """One layer of a head: ``batch_norm`` or ``{dense: 256}``."""

    name: str
    amount: int | float | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        value = _pair(value, "a name such as batch_norm, or a pair such as {dense: 256}")
        if value["name"] not in HEAD_LAYERS:
            from assay.errors import unknown

            raise ValueError(str(unknown("layer of a head", value["name"], HEAD_LAYERS)))
        return value

    @model_validator(mode="after")
    def _amount_fits(self) -> "HeadLayer":
        amount = self.amount
        if self.name == "dense" and not (isinstance(amount, int) and amount >= 1):
            raise ValueError(f"dense: found {amount!r}, expected a whole number of neurons: {{dense: 256}}")
        if self.name == "dropout" and not (amount is not None and 0 <= amount < 1):
            raise ValueError(f"dropout: found {amount!r}, expected at least 0 and less than 1: {{dropout: 0.5}}")
        if self.name in ("average_pool", "batch_norm") and amount is not None:
            raise ValueError(f"{self.name} takes no amount, found {amount!r}")
        return self


class Model(BaseModel):
    """A name from the catalogue, what is done to the network, and the builder's own arguments.

    These are checked against its signature. What is not asked for is not written out: the keys came later, and the
    recipes without them are still the same.
    """

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    name: str
    pretrained: bool | str = Field(
        default=False,
        exclude_if=lambda pretrained: pretrained is False,
        description="true, false, the path of a file of weights, or run: and the folder of a finished run",
    )
    """True: the weights of the network's library; else the path of a file, or ``run:`` and a finished run."""
    strict: bool = Field(default=True, exclude_if=lambda strict: strict)
    """Whether pretrained weights must fit, all but the head."""
    freeze: str | tuple[str, ...] = Field(
        default="none",
        exclude_if=lambda freeze: freeze == "none",
        description="none, backbone, a pattern on names of modules, or a list of patterns",
    )
    """``backbone`` (all but the head), or patterns such as ``layer1*`` on names of modules and parameters."""
    head: tuple[HeadLayer, ...] | None = Field(default=None, exclude_if=lambda head: head is None)
    """In place of the classifier of a network off the shelf; a dense layer with the outputs follows."""

    @field_validator("head")
    @classmethod
    def _pooled_first(cls, head: tuple[HeadLayer, ...] | None) -> tuple[HeadLayer, ...] | None:
        if any(layer.name == "average_pool" for layer in (head or ())[1:]):
            raise ValueError("average_pool can only come first")
        return head

    @property
    def is_off_the_shelf(self) -> bool:
        """Whether a library makes the network: ``timm/resnet18``."""
        return "/" in self.name

    @property
    def arguments(self) -> dict[str, Any]:
        """What the builder gets besides the input shape and the number of outputs."""
        return dict(self.model_extra or {})


# ------------------------------------------------------------------------------------------- optimizer


class Descent(Section):
    """Every optimizer may learn more slowly the farther a layer is from the output."""

    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(default=1.0, exclude_if=lambda decay: decay == 1)
    """The rate of each block is that of the block after it times this."""


class SGD(Descent):
    """Stochastic gradient descent."""

    name: Literal["sgd"] = "sgd"
    lr: Positive = 0.01
    momentum: Rate = 0.0
    nesterov: bool = False
    weight_decay: NonNegative = 0.0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "SGD":
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class Adam(Descent):
    """Kingma & Ba, arXiv:1412.6980."""

    name: Literal["adam"] = "adam"
    lr: Positive = 0.001
    betas: tuple[Rate, Rate] = (0.9, 0.999)
    weight_decay: NonNegative = 0.0


class AdamW(Descent):
    """Adam with decoupled weight decay, arXiv:1711.05101."""

    name: Literal["adamw"] = "adamw"
    lr: Positive = 0.001
    betas: tuple[Rate, Rate] = (0.9, 0.999)
    weight_decay: NonNegative = 0.01


class RMSprop(Descent):
    """Gradients divided by a running root mean square."""

    name: Literal["rmsprop"] = "rmsprop"
    lr: Positive = 0.001
    alpha: Rate = 0.99
    momentum: Rate = 0.0
    weight_decay: NonNegative = 0.0


Optimizer = Annotated[SGD | Adam | AdamW | RMSprop, _named("adam"), Discriminator("name")]


# -------------------------------------------------------------------------------------------- schedule


class Schedule(Section):
    """Every schedule may begin with a linear warm-up, counted in epochs."""

    warmup: NonNegative = 0.0


class Constant(Schedule):
    """The optimizer's rate throughout."""

    name: Literal["constant"] = "constant"


class Step(Schedule):
    """Times ``factor`` after every ``every`` epochs."""

    name: Literal["step"] = "step"
    every: PositiveInt = 10
    factor: Positive = 0.1


class MultiStep(Schedule):
    """Times ``factor`` at each of the epochs ``at``."""

    name: Literal["multi_step"] = "multi_step"
    at: tuple[PositiveInt, ...]
    factor: Positive = 0.1


class Cosine(Schedule):
    """Half a cosine from the rate to ``final`` times the rate, arXiv:1608.03983 without restarts."""

    name: Literal["cosine"] = "cosine"
    final: Annotated[float, Field(ge=0, le=1)] = 0.0


class OneCycle(Schedule):
    """Up to the rate and down again, by cosines, arXiv:1708.07120; ``warmup`` adds to it."""

    name: Literal["one_cycle"] = "one_cycle"
    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3
    start: Positive = 0.04
    final: NonNegative = 0.0001


class Plateau(Schedule):
    """Times ``factor`` when the validation loss has not improved for ``patience`` epochs."""

    name: Literal["plateau"] = "plateau"
    patience: PositiveInt = 5
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1


AnySchedule = Annotated[
    Constant | Step | MultiStep | Cosine | OneCycle | Plateau, _named("constant"), Discriminator("name")
]


# ------------------------------------------------------------------------------------------------ loss


def _class_weights(value: Any) -> Any:
    numbers = value if isinstance(value, list | tuple) else ()
    positive = [isinstance(v, int | float) and not isinstance(v, bool) and v > 0 for v in numbers]
    if value is not None and value != "inverse" and not (positive and all(positive)):
        raise ValueError("expected inverse, or a list of numbers above 0, one for each class")
    return value


ClassWeights = Annotated[Literal["inverse"] | tuple[Positive, ...] | None, BeforeValidator(_class_weights)]
"""``inverse`` is n / (classes · n_c), where n_c of the n training images are of the class."""


class CrossEntropy(Section):
    """Softmax cross-entropy."""

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Rate = 0.0
    class_weights: ClassWeights = Field(default=None, exclude_if=lambda weights: weights is None)


class Focal(Section):
    """Cross-entropy times (1 − p of the label) to the power gamma, arXiv:1708.02002."""

    name: Literal["focal"] = "focal"
    gamma: NonNegative = 2.0
    class_weights: ClassWeights = Field(default=None, exclude_if=lambda weights: weights is None)
    """The paper's alpha."""


class MeanSquaredError(Section):
    """Squared distance between the softmax and the one-hot target, averaged over classes (Brier score / classes)."""

    name: Literal["mse"] = "mse"


class BinaryCrossEntropy(Section):
    """Sigmoid cross-entropy on one logit, for two classes."""

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    class_weights: ClassWeights = Field(default=None, exclude_if=lambda weights: weights is None)


Loss = Annotated[
    CrossEntropy | Focal | MeanSquaredError | BinaryCrossEntropy, _named("cross_entropy"), Discriminator("name")
]


# --------------------------------------------------------------------------------------------- measures


class ClassificationMeasure(Section):
    """Accuracy, precision, recall, F1, top-k, confusion matrix and losses."""

    name: Literal["classification"] = "classification"
    top_k: tuple[PositiveInt, ...] = (5,)


class CurvesMeasure(Section):
    """ROC and precision-recall curves of each class against the rest, and the areas under them."""

    name: Literal["curves"] = "curves"


class CostMeasure(Section):
    """Parameters, multiply-accumulates, bytes, and the time of training and inference."""

    name: Literal["cost"] = "cost"


class Tracking(Section):
    """Separation while the network learns."""

    every: PositiveInt = 1
    """Epochs; the untrained network is measured too."""
    images: Some = 2000
    """How much of each split, the same share of every class."""


class SeparationMeasure(Section):
    """How well each layer's activations keep the classes apart (arXiv:1906.05156)."""

    name: Literal["separation"] = "separation"
    layers: Literal["blocks", "leaves"] | tuple[str, ...] = "blocks"
    """The network's direct children, its innermost modules, or patterns such as ``conv*`` on dotted names."""
    splits: tuple[Literal["train", "validation", "test"], ...] = ("train", "test")
    images: Some = 1.0
    """How much of each split is measured, the same share of every class."""
    indices: tuple[
        Literal["separation", "high_order", "soft_order", "anti", "center", "cross_separation", "cross_center"], ...
    ] = ("separation", "center")
    orders: tuple[PositiveInt, ...] = (5,)
    """k of the high-order, soft-order and anti index."""
    track: Tracking | None = Field(default=None, exclude_if=lambda track: track is None)
    """Measure the same layers, splits and indices during training as well."""


class UncertaintyMeasure(Section):
    """How far the probabilities may be believed: as they are, by temperature, and with dropout injected."""

    name: Literal["uncertainty"] = "uncertainty"
    passes: Annotated[int, Field(ge=2)] = 50
    """With dropout; fewer than two have no variance."""
    layers: Literal["head"] | tuple[str, ...] = "head"
    """Before the last dense layer, or after the layers that patterns such as ``dense*`` on dotted names ask for."""
    bins: PositiveInt = 15
    """Of the calibration errors and the reliability diagram."""


Measure = Annotated[
    ClassificationMeasure | CurvesMeasure | CostMeasure | SeparationMeasure | UncertaintyMeasure,
    _named(),
    Discriminator("name"),
]


# ---------------------------------------------------------------------------------------------- training


class EarlyStopping(Section):
    """Stop when the watched validation value has not improved by ``min_delta`` for ``patience`` epochs."""

    patience: PositiveInt = 5
    min_delta: NonNegative = 0.0


def _left_out(value: Any) -> bool:
    return value is None


class Phase(Section):
    """A part of the training: what it leaves out it takes from ``train``, and ``freeze`` from the model."""

    epochs: PositiveInt | None = Field(default=None, exclude_if=_left_out)
    optimizer: Optimizer | None = Field(default=None, exclude_if=_left_out)
    schedule: AnySchedule | None = Field(default=None, exclude_if=_left_out)
    freeze: str | tuple[str, ...] | None = Field(default=None, exclude_if=_left_out)
    early_stopping: EarlyStopping | None = Field(default=None, exclude_if=_left_out)


class Train(Section):
    """How the weights are found."""

    epochs: PositiveInt = 10
    batch_size: PositiveInt = 128
    optimizer: Optimizer = Adam()
    schedule: AnySchedule = Constant()
    loss: Loss = CrossEntropy()
    l1: NonNegative = 0.0
    """Weight of the sum of absolute weights (biases and norms left out) added to the loss."""
    clip: Positive | None = None
    """Largest norm of the whole gradient."""
    early_stopping: EarlyStopping | None = None
    keep: Literal["best", "last"] = "best"
    watch: Literal["accuracy", "loss"] = "accuracy"
    """The validation value that ``keep`` and ``early_stopping`` go by."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = False
    device: Annotated[
        str,
        Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, mps, cuda or a number such as cuda:1"),
    ] = "auto"
    phases: tuple[Phase, ...] = Field(default=(), exclude_if=lambda phases: not phases)
    """One after the other, in place of one training; each begins with the weights that the one before kept."""

    @property
    def total_epochs(self) -> int:
        """Epochs of all phases together."""
        return sum(phase.epochs or self.epochs for phase in self.phases) or self.epochs


class Recipe(Section):
    """One training run, wholly determined (up to machine and number of threads)."""

    task: Literal["classification"] = "classification"
    data: Data
    model: Annotated[Model, _named()]
    train: Train = Train()
    evaluate: tuple[Measure, ...] = (ClassificationMeasure(), CostMeasure())
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("evaluate")
    @classmethod
    def _measures_differ(cls, evaluate: tuple[Measure, ...]) -> tuple[Measure, ...]:
        if not evaluate:
            raise ValueError("expected at least one measure, such as classification")
        names = [measure.name for measure in evaluate]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"'{name}' is listed twice")
        return evaluate

    @model_validator(mode="after")
    def _normalized_as_the_network_expects(self) -> "Recipe":
        if self.model.is_off_the_shelf and "normalize" not in self.data.model_fields_set:
            object.__setattr__(self, "data", self.data.model_copy(update={"normalize": "model"}))
        return self

    @model_validator(mode="after")
    def _views_are_of_something_frozen(self) -> "Recipe":
        if self.data.augment_views and not self.data.augment:
            raise ValueError("data.augment_views needs data.augment: without it every view is the same")
        if self.data.augment_views and all(stage.model.freeze != "backbone" for stage in self.stages):
            raise ValueError("data.augment_views needs model.freeze: backbone; otherwise no features are kept")
        return self

    @model_validator(mode="after")
    def _validation_is_there_where_needed(self) -> "Recipe":
        watchers = {
            "train.keep: best": self.train.keep == "best",
            "train.early_stopping": any(stage.train.early_stopping is not None for stage in self.stages),
            "train.schedule: plateau": any(stage.train.schedule.name == "plateau" for stage in self.stages),
            "evaluate: uncertainty": any(measure.name == "uncertainty" for measure in self.evaluate),
        }
        for key, needs_validation in watchers.items():
            if needs_validation and self.data.validation == 0:
                raise ValueError(f"{key} needs validation images, and data.validation is 0")
        return self

    @property
    def stages(self) -> "tuple[Recipe, ...]":
        """A recipe for each phase of the training, without phases of its own; else the recipe itself."""
        return tuple(self._stage(phase) for phase in self.train.phases) or (self,)

    def _stage(self, phase: Phase) -> "Recipe":
        given = {name: value for name, value in phase if value is not None and name != "freeze"}
        train = self.train.model_copy(update={"phases": (), **given})
        model = self.model.model_copy(update={} if phase.freeze is None else {"freeze": phase.freeze})
        return self.model_copy(update={"train": train, "model": model})

    def dump(self) -> dict[str, Any]:
        """The recipe as plain values, every default written out."""
        return self.model_dump(mode="json")

    @property
    def hash(self) -> str:
        """Equal for equal recipes, whatever the order or shorthand of their file. Arguments that only the network's
        builder knows count as they are written: a default that is spelled out changes the hash, not the run."""
        canonical = json.dumps(self.dump(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]
