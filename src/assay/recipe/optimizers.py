"""Optimizers and the schedules of their learning rate."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, PositiveInt, model_validator

from assay.recipe.section import NonNegative, Positive, Rate, Section, named


class Descent(Section):
    """Every optimizer may learn more slowly the farther a layer is from the output."""

    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(default=1.0, exclude_if=lambda decay: decay == 1)
    """The rate of each block is that of the block after it times this."""
    decayed: Literal["all", "weights"] = Field(default="all", exclude_if=lambda decayed: decayed == "all")
    """What ``weight_decay`` is of: every parameter, or the weights of convolutions and linear layers alone, neither
    biases nor norms."""


class SGD(Descent):
    """Stochastic gradient descent."""

    name: Literal["sgd"] = "sgd"
    lr: Positive = 0.01
    """The learning rate."""
    momentum: Rate = 0.0
    """How much of a step is kept in the next."""
    nesterov: bool = False
    """The gradient is taken after the momentum's step."""
    weight_decay: NonNegative = 0.0
    """How much of each weight is added to its gradient."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "SGD":
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class Adam(Descent):
    """Kingma & Ba, arXiv:1412.6980."""

    name: Literal["adam"] = "adam"
    lr: Positive = 0.001
    """The learning rate."""
    betas: tuple[Rate, Rate] = (0.9, 0.999)
    """How much of the running mean, and of the running mean square, stays at a step."""
    weight_decay: NonNegative = 0.0
    """How much of each weight is added to its gradient."""


class AdamW(Descent):
    """Adam with decoupled weight decay, arXiv:1711.05101."""

    name: Literal["adamw"] = "adamw"
    lr: Positive = 0.001
    """The learning rate."""
    betas: tuple[Rate, Rate] = (0.9, 0.999)
    """How much of the running mean, and of the running mean square, stays at a step."""
    weight_decay: NonNegative = 0.01
    """How much of each weight a step takes away, times the rate."""


class RMSprop(Descent):
    """Gradients divided by a running root mean square."""

    name: Literal["rmsprop"] = "rmsprop"
    lr: Positive = 0.001
    """The learning rate."""
    alpha: Rate = 0.99
    """How much of the running mean square stays at a step."""
    momentum: Rate = 0.0
    """How much of a step is kept in the next."""
    weight_decay: NonNegative = 0.0
    """How much of each weight is added to its gradient."""


Optimizer = Annotated[SGD | Adam | AdamW | RMSprop, named("adam"), Discriminator("name")]


class Schedule(Section):
    """Every schedule may begin with a linear warm-up, counted in epochs."""

    warmup: NonNegative = 0.0
    """Epochs over which the rate rises to its own."""


class Constant(Schedule):
    """The optimizer's rate throughout."""

    name: Literal["constant"] = "constant"


class Step(Schedule):
    """Times ``factor`` after every ``every`` epochs."""

    name: Literal["step"] = "step"
    every: PositiveInt = 10
    """Epochs between two changes."""
    factor: Positive = 0.1
    """What the rate is multiplied by."""


class MultiStep(Schedule):
    """Times ``factor`` at each of the epochs ``at``."""

    name: Literal["multi_step"] = "multi_step"
    at: tuple[PositiveInt, ...]
    """Epochs, from 1, after which the rate changes."""
    factor: Positive = 0.1
    """What the rate is multiplied by."""


class Cosine(Schedule):
    """Half a cosine from the rate to ``final`` times the rate, arXiv:1608.03983 without restarts."""

    name: Literal["cosine"] = "cosine"
    final: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The last rate, as a share of the optimizer's."""


class OneCycle(Schedule):
    """Up to the rate and down again, by cosines, arXiv:1708.07120; ``warmup`` adds to it."""

    name: Literal["one_cycle"] = "one_cycle"
    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """The share of the training in which the rate rises."""
    start: Positive = 0.04
    """The first rate, as a share of the optimizer's."""
    final: NonNegative = 0.0001
    """The last rate, as a share of the optimizer's."""


class Plateau(Schedule):
    """Times ``factor`` when the validation loss has not improved for ``patience`` epochs."""

    name: Literal["plateau"] = "plateau"
    patience: PositiveInt = 5
    """Epochs without an improvement."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """What the rate is multiplied by."""


AnySchedule = Annotated[
    Constant | Step | MultiStep | Cosine | OneCycle | Plateau, named("constant"), Discriminator("name")
]
