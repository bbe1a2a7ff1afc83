"""What a run recorded of its training: all that the rules read."""

from dataclasses import dataclass, fields

import numpy as np
import polars as pl
from jaxtyping import Float64

from assay.diagnosis import words

Values = Float64[np.ndarray, " epochs"]
"""One an epoch; NaN where there is none."""
STEPS = ("loss_noise", "step_size", "first_gradient", "last_gradient")


@dataclass(frozen=True)
class Units:
    """The units of one layer behind its activation, over the validation images."""

    layer: str
    activation: str
    units: int
    constant: int
    """Those that give the same for every image."""


@dataclass(frozen=True)
class Facts:
    """What is known of a run beside its history."""

    planned: int
    """Epochs."""
    images: int
    """In an epoch of training."""
    batch_size: int
    """Images a step of the optimizer."""
    checked: int = 0
    """Validation images."""
    metric: str = "accuracy"
    chance_loss: float | None = None
    """The mean loss of the best answer that is the same for every image; None where nobody knows it."""
    chance_metric: float | None = None
    is_share: bool = True
    """Whether the metric is the share of images with a right answer."""
    kept: int = 0
    """The epoch whose weights the run keeps; 0: the last."""
    broke: int | None = None
    """The epoch in which a number was not finite."""
    inputs: float | None = None
    """Root mean square of the images as the network sees them."""
    units: tuple[Units, ...] = ()


@dataclass(frozen=True)
class Course:
    """The epochs of a training, and the facts."""

    facts: Facts
    train_loss: Values
    validation_loss: Values
    train_metric: Values
    validation_metric: Values
    loss_noise: Values
    """How far the losses of an epoch's batches scatter."""
    step_size: Values
    """Mean norm of a step, as a share of that of the weights."""
    first_gradient: Values
    """Mean root mean square of the gradient of the first weights."""
    last_gradient: Values
    begins: tuple[int, ...] = ()
    """Places of the epochs, from 0, with which later phases begin."""

    @classmethod
    def read(cls, history: pl.DataFrame, facts: Facts) -> "Course":
        """From a run's history, a row an epoch."""

        def column(name: str) -> Values:
            found = history[name] if name in history.columns else pl.repeat(None, len(history), eager=True)
            return found.cast(pl.Float64).fill_null(float("nan")).to_numpy()

        own = {field.name: field.name for field in fields(cls) if field.type is Values}
        own |= {f"{split}_metric": f"{split}_{facts.metric}" for split in ("train", "validation")}
        phases = history["phase"].to_numpy() if "phase" in history.columns else np.zeros(0)
        begins = tuple((np.flatnonzero(np.diff(phases)) + 1).tolist())
        return cls(facts, **{name: column(key) for name, key in own.items()}, begins=begins)

    def __len__(self) -> int:
        """Epochs."""
        return len(self.train_loss)

    @property
    def scale(self) -> float:
        """What losses are measured by: that of knowing nothing, else the first epoch's."""
        return self.facts.chance_loss or (float(self.train_loss[0]) if len(self) else 1.0)

    @property
    def measure(self) -> str:
        """That in words."""
        return words.NOTHING if self.facts.chance_loss else words.FIRST

    @property
    def watched_loss(self) -> Values:
        """The validation loss, else that of the training."""
        return self.train_loss if np.isnan(self.validation_loss).all() else self.validation_loss

    @property
    def has_steps(self) -> bool:
        """Whether the steps were recorded."""
        return not np.isnan(self.step_size).all()
