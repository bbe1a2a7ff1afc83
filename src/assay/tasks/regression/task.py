"""Regression as a task: an output a target, which learns standardised values and is told in the target's own unit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.data.batches import ImageData
from assay.data.standard import Standard, standard_of, values_of
from assay.recipe import Loss, Measure
from assay.tasks.contract import Images, Step, Sums, Total
from assay.tasks.metric import LOSS
from assay.tasks.outputs import as_said, means_of, said
from assay.tasks.regression.chance import chance
from assay.tasks.regression.losses import per_sample_loss
from assay.tasks.regression.metrics import REGRESSION
from assay.tasks.regression.predictions import Predictions

if TYPE_CHECKING:
    from assay.tasks.contract import Task

__all__ = [
    "METRICS",
    "TRUTH",
    "Prediction",
    "chance",
    "epoch",
    "gathered",
    "learning",
    "outputs",
    "read",
    "said",
    "settled",
    "together",
    "told",
]

METRICS = (*REGRESSION, LOSS)
TRUTH = ("truth",)
read = Predictions.read
settled = as_said


def outputs(loss: Loss, classes: Sequence[str]) -> int:
    """One for each target, whose names are the ``classes``. AssayError for a loss of another task."""
    per_sample_loss(loss)
    return len(classes)


def learning(loss: Loss, data: ImageData, device: torch.device, total: Total | None = None) -> Step:
    """The batch's mean loss on standardised values, with the sums of its images' losses and squared errors.

    Raises AssayError for images whose target is not numbers, and for a target that does not vary.
    """
    loss_of, standardised = per_sample_loss(loss), standard_of(data).on(device)

    def step(network: nn.Module, images: Images, values: Tensor) -> tuple[Tensor, Sums]:
        outputs, wanted = network(images).float(), standardised(values)
        losses = loss_of(outputs, wanted)
        squares = (outputs.detach() - wanted).square().mean(dim=1)
        return losses.mean(), {"loss": losses.detach().sum(), "squares": squares.sum()}

    return step


def epoch(sums: Sums, images: int) -> dict[str, float]:
    """Mean loss, and R²: 1 less the mean squared error, since the values' variance over the training images is 1."""
    return {"loss": sums["loss"].item() / images, "r2": 1 - sums["squares"].item() / images}


def gathered(
    answers: Iterable[Tensor], data: ImageData, split: str, loss: Loss, measures: Sequence[Measure] = ()
) -> Predictions:
    """From the network's outputs for the split's batches."""
    indices = data.indices[split]
    targets, standard = values_of(data), standard_of(data)
    outputs = torch.cat(list(answers))
    wanted = standard.on(torch.device("cpu"))(targets.take(torch.from_numpy(indices)))
    losses = per_sample_loss(loss)(outputs, wanted).numpy()
    return Predictions(indices, targets.names, targets.values[indices], standard.in_own_units(outputs.numpy()), losses)


@dataclass(frozen=True)
class Prediction:
    """What the network says of one picture, in the targets' own units."""

    picture: Path
    values: dict[str, float]
    """By target."""
    intervals: dict[str, tuple[float, float]]
    """By target; it holds the truth of nine of ten images like the validation images. Empty where a run had too few of
    those, or did not measure ``regression``, and of several networks together, whose errors nobody measured."""
    spread: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By target, of several networks: the least and the greatest of their values."""

    @property
    def cells(self) -> dict[str, str]:
        """Heading → text."""
        cells = {"picture": str(self.picture)}
        for target, value in self.values.items():
            cells[target] = f"{value:.4g}"
            if target in self.intervals:
                low, high = self.intervals[target]
                cells[f"90 % interval{self._of(target)}"] = f"{low:.4g} to {high:.4g}"
            if target in self.spread:
                low, high = self.spread[target]
                cells[f"least to greatest{self._of(target)}"] = f"{low:.4g} to {high:.4g}"
        return cells

    def _of(self, target: str) -> str:
        return f" of {target}" if len(self.values) > 1 else ""

    @property
    def record(self) -> dict[str, Any]:
        """picture and values; intervals and spread where there are some, with ends called low and high."""
        ends = {"intervals": self.intervals, "spread": self.spread}
        named = {
            kind: {target: {"low": low, "high": high} for target, (low, high) in by_target.items()}
            for kind, by_target in ends.items()
            if by_target
        }
        return {"picture": str(self.picture), "values": self.values} | named


def standard_from(about: Mapping[str, Any]) -> Standard:
    """How a run's targets were standardised, by its data.json."""
    return Standard(np.array(about["target_mean"]), np.array(about["target_deviation"]))


def told(
    answers: Float[Tensor, "batch targets"], pictures: Sequence[Path], about: Mapping[str, Any]
) -> list[Prediction]:
    """The values of each picture, with intervals as wide as the errors on the validation images were."""
    targets, half_widths = about["classes"], about.get("measured", {}).get("interval_90", [])
    found = []
    for picture, row in zip(pictures, standard_from(about).in_own_units(answers.numpy()).tolist(), strict=True):
        values = dict(zip(targets, row, strict=True))
        around = dict(zip(targets, half_widths, strict=False))
        intervals = {target: (values[target] - half, values[target] + half) for target, half in around.items()}
        found.append(Prediction(picture, values, intervals))
    return found


def together(said: Sequence[Prediction]) -> Prediction:
    """The mean of the values, with the least and the greatest."""
    values = means_of([one.values for one in said])
    spread = {t: (min(one.values[t] for one in said), max(one.values[t] for one in said)) for t in values}
    return Prediction(said[0].picture, values, {}, spread)


if TYPE_CHECKING:
    from assay.tasks.regression import task

    _: Task = task
