"""Multi-label classification as a task: the size of the head, a step of learning, what a network says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from assay.data.batches import ImageData
from assay.recipe import Loss, Measure
from assay.tasks.contract import Images, Step, Sums, Total
from assay.tasks.multilabel.chance import chance
from assay.tasks.multilabel.losses import binary_cross_entropy, objective, stated_weights
from assay.tasks.multilabel.metrics import MULTILABEL as METRICS
from assay.tasks.multilabel.predictions import THRESHOLD, Predictions
from assay.tasks.outputs import as_said, means, means_of, said, weights_fit

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

TRUTH = ("tags",)
epoch, read, settled = means, Predictions.read, as_said


def outputs(loss: Loss, classes: Sequence[str]) -> int:
    """The number of logits, one for each label. AssayError where the loss does not fit the labels."""
    weights_fit(stated_weights(loss), classes, "label")
    return len(classes)


def learning(loss: Loss, data: ImageData, device: torch.device, total: Total | None = None) -> Step:
    """The batch's loss, with the sum of its images' losses."""
    minimised = objective(loss, data.class_counts, len(data.indices["train"]), device)

    def step(network: nn.Module, images: Images, tags: Tensor) -> tuple[Tensor, Sums]:
        losses = binary_cross_entropy(network(images), tags)
        return minimised(losses, tags), {"loss": losses.detach().mean(dim=1).sum()}

    return step


def gathered(
    answers: Iterable[Tensor], data: ImageData, split: str, loss: Loss, measures: Sequence[Measure] = ()
) -> Predictions:
    """From the logits of the split's batches."""
    indices = data.indices[split]
    logits, tags = torch.cat(list(answers)), data.images.targets.take(torch.from_numpy(indices))
    losses = binary_cross_entropy(logits, tags).mean(dim=1)  # type: ignore[arg-type]
    chances = logits.float().sigmoid().numpy()
    return Predictions(indices, tuple(data.classes), np.asarray(tags) > 0, chances, losses.numpy())


@dataclass(frozen=True)
class Prediction:
    """What the network says of one picture."""

    picture: Path
    labels: tuple[str, ...]
    """Those with a probability above one half, the most probable first."""
    probabilities: dict[str, float]
    """Label → probability, in the order of the labels."""

    @classmethod
    def of(cls, picture: Path, probabilities: dict[str, float]) -> "Prediction":
        """With the labels that these probabilities give."""
        by_chance = sorted(probabilities, key=lambda label: -probabilities[label])
        labels = tuple(label for label in by_chance if probabilities[label] > THRESHOLD)
        return cls(picture, labels, probabilities)

    @property
    def cells(self) -> dict[str, str]:
        """Heading → text."""
        found = ", ".join(f"{label} {self.probabilities[label]:.3f}" for label in self.labels)
        return {"picture": str(self.picture), "labels": found or "none"}

    @property
    def record(self) -> dict[str, Any]:
        """picture, labels, and the probabilities of all labels."""
        return {"picture": str(self.picture), "labels": list(self.labels), "probabilities": self.probabilities}


def told(
    answers: Float32[Tensor, "batch labels"], pictures: Sequence[Path], about: Mapping[str, Any]
) -> list[Prediction]:
    """The labels of each picture and the probabilities of all."""
    return [
        Prediction.of(picture, dict(zip(about["classes"], row, strict=True)))
        for picture, row in zip(pictures, answers.float().sigmoid().tolist(), strict=True)
    ]


def together(said: Sequence[Prediction]) -> Prediction:
    """The mean of the probabilities, and the labels where it is above one half."""
    return Prediction.of(said[0].picture, means_of([one.probabilities for one in said]))


if TYPE_CHECKING:
    from assay.tasks.multilabel import task

    _: Task = task
