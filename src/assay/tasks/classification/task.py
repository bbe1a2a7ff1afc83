"""Classification as a task: the size of the head, a step of learning, what a network says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from assay.data.batches import ImageData
from assay.errors import AssayError
from assay.recipe import BinaryCrossEntropy, Loss, Measure
from assay.tasks.classification.chance import chance
from assay.tasks.classification.losses import correct, objective, per_sample_loss, probabilities
from assay.tasks.classification.metrics import CLASSIFICATION as METRICS
from assay.tasks.classification.predictions import Predictions
from assay.tasks.contract import Images, Step, Sums, Total
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

TRUTH = ("label",)
epoch, read, settled = means, Predictions.read, as_said


def outputs(loss: Loss, classes: Sequence[str]) -> int:
    """The number of logits: one for each class, or a single one under binary cross-entropy, which needs two classes.

    Raises AssayError where the loss does not fit the classes.
    """
    weights_fit(getattr(loss, "class_weights", None), classes, "class")
    if not isinstance(loss, BinaryCrossEntropy):
        return len(classes)
    if len(classes) != 2:
        raise AssayError(
            f"train.loss: binary_cross_entropy needs 2 classes, and the data has {len(classes)}; use cross_entropy"
        )
    return 1


def learning(loss: Loss, data: ImageData, device: torch.device, total: Total | None = None) -> Step:
    """The batch's loss, with the sums of its images' losses and of its right answers."""
    loss_of, minimised = per_sample_loss(loss), objective(loss, data.class_counts, device, total)

    def step(network: nn.Module, images: Images, labels: Tensor) -> tuple[Tensor, Sums]:
        logits = network(images)
        losses = loss_of(logits.float(), labels)
        sums = {"loss": losses.detach().sum(), "accuracy": correct(logits.detach(), labels).sum()}
        return minimised(losses, labels), sums

    return step


def gathered(
    answers: Iterable[Tensor], data: ImageData, split: str, loss: Loss, measures: Sequence[Measure] = ()
) -> Predictions:
    """From the logits of the split's batches."""
    indices = data.indices[split]
    labels, loss_of = torch.from_numpy(data.images.labels[indices]), per_sample_loss(loss)
    found: list[tuple[Tensor, Tensor]] = []
    done = 0
    for logits in answers:
        found.append((probabilities(logits), loss_of(logits, labels[done : done + len(logits)])))
        done += len(logits)
    chances, losses = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return Predictions(indices, labels.numpy(), chances, losses)


@dataclass(frozen=True)
class Prediction:
    """What the network says of one picture."""

    picture: Path
    label: str
    probabilities: dict[str, float]
    """Class → probability, in the order of the classes."""

    @property
    def probability(self) -> float:
        """Of its label."""
        return self.probabilities[self.label]

    @property
    def cells(self) -> dict[str, str]:
        """Heading → text."""
        return {"picture": str(self.picture), "class": self.label, "probability": f"{self.probability:.3f}"}

    @property
    def record(self) -> dict[str, Any]:
        """picture, class, probability, and the probabilities of all classes."""
        said = {"class": self.label, "probability": self.probability, "probabilities": self.probabilities}
        return {"picture": str(self.picture)} | said


def told(
    answers: Float32[Tensor, "batch outputs"], pictures: Sequence[Path], about: Mapping[str, Any]
) -> list[Prediction]:
    """The class of each picture and the probabilities of all."""
    classes = about["classes"]
    return [
        Prediction(picture, classes[row.index(max(row))], dict(zip(classes, row, strict=True)))
        for picture, row in zip(pictures, probabilities(answers).tolist(), strict=True)
    ]


def together(said: Sequence[Prediction]) -> Prediction:
    """The mean of the probabilities, and the class where it is greatest."""
    chances = means_of([one.probabilities for one in said])
    return Prediction(said[0].picture, max(chances, key=chances.__getitem__), chances)


if TYPE_CHECKING:
    from assay.tasks.classification import task

    _: Task = task
