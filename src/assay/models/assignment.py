"""Which cell of a network's maps learns which box."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from assay.data.boxes import NO_BOX, BoxBatch
from assay.models.box_losses import complete_iou

CELLS = 10
"""That learn a box, at most."""
OF_SCORE, OF_OVERLAP = 0.5, 6.0
"""Exponents in what a cell is worth to a box."""


class Assigned(NamedTuple):
    """What each cell learns."""

    edges: Float[Tensor, "b cells 4"]
    """Of no meaning where ``share`` is 0."""
    labels: Int64[Tensor, "b cells"]
    share: Float[Tensor, "b cells"]
    """How much of the box it learns, and the score that it shall give: 0 where it learns none."""


@torch.no_grad()
def task_aligned(
    edges: Float[Tensor, "b cells 4"],
    scores: Float[Tensor, "b cells classes"],
    centers: Float[Tensor, "cells 2"],
    boxes: BoxBatch,
    least: int,
) -> Assigned:
    """The cells that are best at a box learn it (Feng et al., arXiv:2108.07755).

    ``edges`` and ``scores`` are what each cell says now. A cell is worth √score · CIoU⁶ to a box around its centre; the
    ``CELLS`` that are worth most learn it, and a cell that several boxes want learns the one that it overlaps most.
    Its share is its worth over the largest of the box, times the largest CIoU of the box. For its candidates a side
    counts as ``least`` pixels, those of a cell of the finest map, at the least: or a tiny box between centres would
    have none.
    """
    boxes = _not_none(boxes)
    candidate = _contains(boxes.edges, centers, least) & (boxes.labels != NO_BOX)[..., None]
    image, box, cell = candidate.nonzero(as_tuple=True)
    of_pairs = complete_iou(boxes.edges[image, box], edges[image, cell]).clamp(min=0)
    said = scores[image, cell, boxes.labels[image, box]]
    overlap, worth = (torch.full_like(candidate, -1.0, dtype=edges.dtype) for _ in range(2))
    overlap[candidate], worth[candidate] = of_pairs, said.pow(OF_SCORE) * of_pairs.pow(OF_OVERLAP)

    best = worth.topk(min(CELLS, worth.shape[2]), dim=2).indices
    wanted = torch.zeros_like(candidate).scatter_(2, best, True) & candidate
    owner = torch.where(wanted, overlap, -1.0).argmax(dim=1)
    learned = wanted & (torch.arange(wanted.shape[1], device=owner.device)[:, None] == owner[:, None])
    worth, overlap = worth.where(learned, 0.0), overlap.where(learned, 0.0)
    least_worth = torch.finfo(worth.dtype).tiny
    share = worth / worth.amax(dim=2, keepdim=True).clamp(min=least_worth) * overlap.amax(dim=2, keepdim=True)
    return Assigned(
        boxes.edges.gather(1, owner[..., None].expand(-1, -1, 4)),
        boxes.labels.clamp(min=0).gather(1, owner),
        share.sum(dim=1),
    )


def _contains(
    edges: Float[Tensor, "b most 4"], centers: Float[Tensor, "cells 2"], least: int
) -> Bool[Tensor, "b most cells"]:
    """Which boxes, of sides of at least so many pixels, have which centres."""
    middle, half = (edges[..., :2] + edges[..., 2:]) / 2, (edges[..., 2:] - edges[..., :2]).clamp(min=least) / 2
    across, down = ((centers[:, axis] - middle[..., axis, None]).abs() <= half[..., axis, None] for axis in (0, 1))
    return across & down


def _not_none(boxes: BoxBatch) -> BoxBatch:
    """The same boxes, with a place for one where there is none in the whole batch."""
    if boxes.labels.shape[1]:
        return boxes
    return BoxBatch(functional.pad(boxes.edges, (0, 0, 0, 1)), functional.pad(boxes.labels, (0, 1), value=NO_BOX))
