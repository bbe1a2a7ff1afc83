"""How the weights are found."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from assay.recipe.losses import CrossEntropy, Loss
from assay.recipe.optimizers import Adam, AnySchedule, Constant, Optimizer
from assay.recipe.section import NonNegative, Positive, Section


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
