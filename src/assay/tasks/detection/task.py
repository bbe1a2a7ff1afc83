"""Detection as a task: any number of boxes an image, of a network that owns its loss."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from assay.data.batches import ImageData
from assay.data.boxes import BoxBatch
from assay.models.detector import Found
from assay.recipe import Loss
from assay.tasks.contract import Images, Step, Sums, Total
from assay.tasks.detection.chance import chance
from assay.tasks.detection.gathering import boxes_of, gathered
from assay.tasks.detection.metrics import DETECTION as METRICS
from assay.tasks.detection.prediction import Prediction, together, told
from assay.tasks.detection.predictions import Predictions, settled
from assay.tasks.outputs import means

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

TRUTH = ("true_boxes", "true_classes", "flags")
"""Without the edges, which come back from canvases of two sizes with another rounding each."""
epoch = means
read = Predictions.read


def outputs(loss: Loss, classes: Sequence[str]) -> int:
    """One for each class."""
    return len(classes)


def learning(loss: Loss, data: ImageData, device: torch.device, total: Total | None = None) -> Step:
    """The sum of the parts of the network's own loss, with the sums of it and of each part over the images.

    Raises AssayError for images whose target is not boxes.
    """
    boxes_of(data)

    def step(network: nn.Module, images: Images, boxes: BoxBatch) -> tuple[Tensor, Sums]:
        parts: dict[str, Tensor] = network.losses(images, boxes)  # type: ignore[operator]
        loss = torch.stack([part.float() for part in parts.values()]).sum()
        sums = {name: value.detach().float() * len(boxes) for name, value in {"loss": loss, **parts}.items()}
        return loss, sums

    return step


def said(network: nn.Module, images: Images) -> list[Found]:
    """The boxes of each image, on the processor."""
    found: list[Found] = network(images)
    return [one.cpu() for one in found]


if TYPE_CHECKING:
    from assay.tasks.detection import task

    _: Task = task
