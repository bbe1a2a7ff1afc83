"""How the weights are found."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_serializer, model_validator

from assay.recipe.losses import CrossEntropy, Loss, SumOfLosses
from assay.recipe.model import Freeze
from assay.recipe.optimizers import Adam, AnySchedule, Constant, Optimizer
from assay.recipe.section import Expected, NonNegative, Positive, Rate, Section

INDIVISIBLE = {
    "dice": "of the pixels of a whole batch",
    "lovasz": "of the pixels of a whole batch",
    "own": "divided by what the network finds in a whole batch",
}
"""Losses that are no mean over images, and why."""


class EarlyStopping(Section):
    """Stop when the watched validation value has not improved by ``min_delta`` for ``patience`` epochs."""

    patience: PositiveInt = 5
    """Epochs without an improvement."""
    min_delta: NonNegative = 0.0
    """What is less is no improvement."""


class MovingAverage(Section):
    """An exponential moving average of the weights, updated after every step."""

    decay: Rate = 0.9999
    """How much of it stays at a step, once the ramp is over."""
    ramp: NonNegative = 2000.0
    """Steps over which the decay grows, as decay · (1 − exp(−step / ramp))."""


class WarmUp(Section):
    """The rate rises linearly from 0 over the first steps of the optimizer, in every phase anew."""

    steps: PositiveInt
    """Steps until the rate is its own."""
    momentum: Rate | None = None
    """Where the optimizer has a momentum, from this; None: it has its own throughout."""
    bias: NonNegative | None = None
    """From this rate that of the biases falls to the others'; None: they rise from 0 too."""


class Phase(Section):
    """A part of the training: what it leaves out it takes from ``train``, and ``freeze`` from the model.

    What ``given`` has not has no meaning here: no early stopping is ``early_stopping: null``, written out.
    """

    epochs: PositiveInt = 10
    """Passes over the training images."""
    optimizer: Optimizer = Adam()
    """How a gradient becomes a step."""
    schedule: AnySchedule = Constant()
    """How the learning rate changes over the phase."""
    warmup: WarmUp | None = None
    """The first steps of the phase."""
    freeze: Freeze = "none"
    """What is not trained in this phase, as ``model.freeze`` has it."""
    early_stopping: EarlyStopping | None = None
    """When to stop before the last epoch."""

    @property
    def given(self) -> dict[str, Any]:
        """What it does not leave out."""
        return {name: value for name, value in self if name in self.model_fields_set}

    @model_serializer(mode="wrap")
    def _as_given(self, dump: Callable[["Phase"], dict[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if name in self.model_fields_set}


class Train(Section):
    """How the weights are found."""

    epochs: PositiveInt = 10
    """Passes over the training images."""
    batch_size: PositiveInt = 128
    """Images whose mean gradient is a step of the optimizer, or with ``accumulate`` a part of one."""
    accumulate: PositiveInt = Field(default=1, exclude_if=lambda batches: batches == 1)
    """Batches whose mean gradient, over their images, is a step of the optimizer; an epoch's last step may have fewer.
    Warm-up, schedule and average go by steps."""
    optimizer: Optimizer = Adam()
    """How a gradient becomes a step."""
    schedule: AnySchedule = Constant()
    """How the learning rate changes over the training."""
    warmup: WarmUp | None = Field(default=None, exclude_if=lambda warmup: warmup is None)
    """The first steps, in every phase."""
    loss: Loss = CrossEntropy()
    """What is minimised; else the first that the task knows."""
    l1: NonNegative = 0.0
    """Weight of the sum of absolute weights (biases and norms left out) added to the loss."""
    clip: Positive | None = None
    """Largest norm of the whole gradient."""
    ema: MovingAverage | None = Field(default=None, exclude_if=lambda ema: ema is None)
    """Of the weights and the floating buffers; what validates, is kept and is measured has the average. In a later
    phase it begins anew, with the weights that the phase begins with."""
    early_stopping: EarlyStopping | None = None
    """When to stop before the last epoch."""
    keep: Literal["best", "last"] = "best"
    """The weights of the best epoch by ``watch``, or of the last."""
    watch: str = "accuracy"
    """The validation value that ``keep`` and ``early_stopping`` go by: the loss, or the metric of the task."""
    precision: Literal["float32", "tf32", "bfloat16", "float16"] = "float32"
    """On a CUDA card ``float32`` is torch's: convolutions in TF32, products of matrices in full; ``tf32`` has both in
    TF32."""
    channels_last: bool = False
    """Colour innermost in memory, which is quicker for many convolutions."""
    compile: bool = Field(default=False, exclude_if=lambda compiled: not compiled)
    """By torch.compile: quicker after a minute of compiling, with other last bits."""
    capture: bool = Field(default=True, exclude_if=lambda capture: capture)
    """On a CUDA card a step is captured once and replayed; false, to look for an error, runs each from Python. The
    numbers are the same, so it is written out only where it is false."""
    device: Annotated[
        str,
        Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$"),
        Expected("auto, cpu, mps, cuda or a number such as cuda:1"),
    ] = "auto"
    """Where it is trained; ``auto`` takes a card where there is one."""
    devices: PositiveInt = Field(default=1, exclude_if=lambda devices: devices == 1)
    """Cards, or processes on the processor, that share every batch: the numbers are those of one but for rounding."""
    phases: tuple[Phase, ...] = Field(default=(), exclude_if=lambda phases: not phases)
    """One after the other, in place of one training; each begins with the weights that the one before kept."""

    @model_validator(mode="after")
    def _divides_what_it_learns(self) -> "Train":
        if self.devices == 1:
            return self
        if self.device == "mps" or ":" in self.device:
            raise ValueError(f"devices: {self.devices}, and device: {self.device} is one; expected auto, cuda or cpu")
        if self.compile:
            raise ValueError(f"compile is of one device, and devices is {self.devices}; leave one out")
        parts = self.loss.of if isinstance(self.loss, SumOfLosses) else (self.loss,)
        for name in (part.name for part in parts):
            if why := INDIVISIBLE.get(name):
                raise ValueError(
                    f"loss: {name} is {why}, which devices: {self.devices} would change; expected devices: 1"
                )
        return self

    @property
    def total_epochs(self) -> int:
        """Epochs of all phases together."""
        return sum(phase.given.get("epochs", self.epochs) for phase in self.phases) or self.epochs
