"""What bounds the boxes of a network that looks for them in regions alone: the share of the true ones that some region
overlaps."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from assay.data.batches import ImageData
from assay.data.boxes import Boxes
from assay.data.proposals import proposals
from assay.models.rcnn import RCNN
from assay.tasks.box_matching import overlaps
from assay.tasks.contract import Trained
from assay.tasks.detection.gathering import boxes_of

OVERLAP = 0.5
"""The least intersection over union of a region with a box that it finds."""
TOGETHER = 16
"""Pictures at a time."""


def proposal_recalls(trained: Trained) -> dict[str, float]:
    """``proposal_recall_{class}``, the share of the boxes of test images that a region finds, and ``proposal_recall``,
    the mean over the classes that have a box. Boxes with a flag count nowhere.

    Nothing of a network that has no regions.
    """
    if not isinstance(trained.model, RCNN):
        return {}
    boxes = boxes_of(trained.data).subset(trained.data.indices["test"])
    is_found = found(boxes, regions_of(trained.model, trained.data))
    counted = boxes.flags == 0
    by_class = {
        name: float(is_found[counted & (boxes.labels == label)].mean())
        for label, name in enumerate(trained.data.classes)
        if (counted & (boxes.labels == label)).any()
    }
    if not by_class:
        return {}
    recalls = {f"proposal_recall_{name}": recall for name, recall in by_class.items()}
    return {"proposal_recall": float(np.mean(list(by_class.values()))), **recalls}


def found(boxes: Boxes, regions: Sequence[Float32[Tensor, "_ 4"]]) -> Bool[np.ndarray, " m"]:
    """Whether a region of its image overlaps each box by half or more."""
    parts = [
        (overlaps(boxes.edges[first:end, None], own.numpy()) >= OVERLAP).any(axis=1)
        for first, end, own in zip(boxes.starts[:-1], boxes.starts[1:], regions, strict=True)
    ]
    return np.concatenate([np.zeros(0, dtype=bool), *parts])


def regions_of(network: RCNN, data: ImageData) -> list[Float32[Tensor, "most 4"]]:
    """The regions of every test image, in the order of these."""
    rows: Int64[np.ndarray, " n"] = data.indices["test"]
    parts = [rows[first : first + TOGETHER] for first in range(0, len(rows), TOGETHER)]
    shown = (torch.from_numpy(np.asarray(data.images.pixels[part])) for part in parts)
    return [own for pixels in shown for own in proposals(pixels, network.encoder.search.how)]
