"""Which regions R-CNN learns from, what is true of them, and how much each counts."""

from typing import Literal

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from torchvision.ops import box_iou

from assay.data.boxes import NO_BOX, BoxBatch
from assay.recipe import Samples

Regions = Float32[Tensor, "b n 4"]
Where = tuple[Int64[Tensor, " m"], Int64[Tensor, " m"]]
"""Which images of a batch, and which of the regions of each."""
Rois = Float32[Tensor, "m 5"]
"""Which image of a batch, and x1, y1, x2, y2 in it."""
POSITIVE = 0.5
"""The least intersection over union with a box at which a region is of its class (section 2.3 of the paper)."""
CLOSE = 0.6
"""At which it tells how far the box is (appendix C)."""


def exist(regions: Regions) -> Bool[Tensor, "b n"]:
    """Which of the regions are not only there to fill up."""
    return (regions[..., 2:] > regions[..., :2]).all(dim=-1)


def all_of(regions: Regions) -> Where:
    """Where regions exist."""
    images, places = exist(regions).nonzero(as_tuple=True)
    return images, places


def rois(regions: Regions, where: Where) -> Rois:
    """Some regions of a batch, as torchvision asks for them."""
    return torch.cat([where[0].to(regions.dtype)[:, None], regions[where]], dim=1)


def assigned(
    regions: Regions, boxes: BoxBatch, background: int
) -> tuple[Int64[Tensor, "b n"], Regions, Float32[Tensor, "b n"]]:
    """(class of every region, the box that it overlaps most, their intersection over union).

    The class is that of the box where they overlap by half or more, else ``background``; ``NO_BOX`` of what only fills
    up. Where an image has no box, 0, 0, 0, 0 stands in its place.
    """
    labels, nearest = torch.full_like(regions[..., 0], background, dtype=torch.int64), torch.zeros_like(regions)
    overlap = torch.zeros_like(regions[..., 0])
    for i, own in enumerate(boxes.labels != NO_BOX):
        if own.any():
            overlap[i], which = box_iou(regions[i], boxes.edges[i, own]).max(dim=1)
            nearest[i] = boxes.edges[i, own][which]
            labels[i] = boxes.labels[i, own][which].where(overlap[i] >= POSITIVE, background)
    return labels.masked_fill(~exist(regions), NO_BOX), nearest, overlap


def drawn(labels: Int64[Tensor, "b n"], background: int, samples: Samples | Literal["all"]) -> Where:
    """The regions of a batch that a step learns from: all, or so many of each kind, from torch's global generator."""
    positive = ((labels != NO_BOX) & (labels != background)).nonzero()
    rest = (labels == background).nonzero()
    if samples != "all":
        positive, rest = _some(positive, samples.positive), _some(rest, samples.background)
    images, places = torch.cat([positive, rest]).unbind(dim=1)
    return images, places


def balanced(labels: Int64[Tensor, " m"], background: int) -> Float32[Tensor, " m"]:
    """The weight of every region: n / (2 n_c), with n_c of the n regions positive or background as it is, so that both
    kinds count alike."""
    is_background = labels == background
    rest = is_background.sum()
    counts = torch.where(is_background, rest, len(labels) - rest)
    return len(labels) / (2 * counts.float())


def _some(rows: Int64[Tensor, "all 2"], most: int) -> Int64[Tensor, "_ 2"]:
    return rows[torch.randperm(len(rows))[:most].to(rows.device)]
