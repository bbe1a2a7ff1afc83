"""Segmentation as a task: a logit a class and pixel, scored in the pictures' own pixels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from assay.data.batches import ImageData
from assay.data.targets import VOID
from assay.errors import AssayError
from assay.recipe import Loss, SumOfLosses
from assay.tasks.contract import Images, Step, Sums, Total
from assay.tasks.outputs import as_said, said, weights_fit
from assay.tasks.segmentation.chance import chance
from assay.tasks.segmentation.gathering import gathered
from assay.tasks.segmentation.losses import objective, of_pictures, pixel_losses, smoothing_of
from assay.tasks.segmentation.metrics import SEGMENTATION as METRICS
from assay.tasks.segmentation.prediction import Prediction, together, told
from assay.tasks.segmentation.predictions import Predictions
from assay.tasks.segmentation.weights import class_weights, masks_of

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

TRUTH = ("truth",)
read = Predictions.read
settled = as_said


def outputs(loss: Loss, classes: Sequence[str]) -> int:
    """One for each class. AssayError for class weights of another number, or fewer than two classes."""
    for part in loss.of if isinstance(loss, SumOfLosses) else (loss,):
        weights_fit(getattr(part, "class_weights", None), classes, "class")
    if len(classes) < 2:
        raise AssayError(
            f"segmentation needs at least 2 classes, and the data has {len(classes)}: {', '.join(classes)}"
        )
    return len(classes)


def learning(loss: Loss, data: ImageData, device: torch.device, total: Total | None = None) -> Step:
    """The batch's loss, with the sums of its images' cross-entropies, of the images that have one, and of the pixels of
    each class in the intersection and the union of truth and answer.

    Raises AssayError for images whose target is not masks.
    """
    masks_of(data)

    def weights_of(part: Any) -> Tensor | None:
        weights = class_weights(part, data)
        return None if weights is None else weights.to(device)

    minimised, smoothing = objective(loss, weights_of, total), smoothing_of(loss)

    def step(network: nn.Module, images: Images, masks: Tensor) -> tuple[Tensor, Sums]:
        logits = network(images)
        with torch.no_grad():
            losses = of_pictures(pixel_losses(logits, masks, smoothing), masks)
            hits, union = overlaps(logits, masks)
        exists = ~losses.isnan()
        sums = {"loss": losses.where(exists, 0.0).sum(), "images": exists.sum(), "hits": hits, "union": union}
        return minimised(logits, masks), sums

    return step


def overlaps(
    logits: Float[Tensor, "batch classes height width"], masks: UInt8[Tensor, "batch height width"]
) -> tuple[Int64[Tensor, " classes"], Int64[Tensor, " classes"]]:
    """Known pixels of each class in the intersection, and in the union, of truth and answer."""
    classes = logits.shape[1]
    truth = masks.long().where(masks != VOID, classes)
    pairs = (truth * classes + logits.max(dim=1).indices).flatten()
    counts = torch.zeros((classes + 1) * classes, dtype=torch.int64, device=logits.device)
    counts.scatter_add_(0, pairs, torch.ones_like(pairs))  # not bincount, whose size a card must wait for
    table = counts.view(classes + 1, classes)[:classes]
    hits = table.diagonal()
    return hits, table.sum(dim=1) + table.sum(dim=0) - hits


def epoch(sums: Sums, images: int) -> dict[str, float]:
    """Mean loss of the images that have a known pixel, and mIoU of all the pixels that were learned from."""
    hits, union = sums["hits"].cpu().double(), sums["union"].cpu()
    return {
        "loss": sums["loss"].item() / max(1, int(sums["images"].item())),
        "miou": (hits / union)[union > 0].mean().item(),
    }


if TYPE_CHECKING:
    from assay.tasks.segmentation import task

    _: Task = task
