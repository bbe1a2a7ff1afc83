"""What networks that give boxes have in common: the parts of their loss in training, boxes in evaluation."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from assay.data.boxes import BoxBatch
from assay.models.encoded import Encoded
from assay.models.segmenter import Images
from assay.recipe.predict import CANDIDATES


@dataclass(frozen=True)
class Selecting:
    """What happens to the candidates of an image."""

    score: float = 0.001
    """The least score."""
    nms: float | None = 0.6
    """Of two boxes of a class whose intersection over union is above it, the one of the lower score goes; None: none
    goes."""
    most: int = 300
    """Boxes an image, those of the highest scores."""


class Found(NamedTuple):
    """The boxes of one image, by falling score."""

    edges: Float32[Tensor, "boxes 4"]
    """x1, y1, x2, y2 of the pixels' edges on the canvas, none beyond it."""
    labels: Int64[Tensor, " boxes"]
    scores: Float32[Tensor, " boxes"]

    def cpu(self) -> "Found":
        """The same boxes on the processor."""
        return Found(self.edges.cpu(), self.labels.cpu(), self.scores.cpu())


class Detector(Encoded):
    """A network that owns its loss: ``losses`` in training, a call in evaluation."""

    selecting: Selecting = Selecting()

    def losses(self, images: Images, boxes: BoxBatch) -> dict[str, Float[Tensor, ""]]:
        """The parts of what is minimised, their sum; finite too where no image has a box."""
        raise NotImplementedError

    def forward(self, images: Images) -> list[Found]:
        """The boxes of each image, by ``selecting``."""
        raise NotImplementedError


def selected(
    edges: Float[Tensor, "b n 4"],
    scores: Float[Tensor, "b n classes"],
    selecting: Selecting,
    size: tuple[int, int],
) -> list[Found]:
    """The boxes that stay, of images of ``size`` (height, width) pixels.

    Every class of a box is a candidate of its own. Boxes are cut at the canvas, and those of which nothing is left go;
    of equal scores the earlier box comes first.
    """
    cut = inside(edges, size)
    exists = (cut[..., 2:] > cut[..., :2]).all(dim=-1, keepdim=True)
    likely = exists & (scores >= selecting.score)
    return [_selected(*each, selecting) for each in zip(cut, scores.float(), likely, strict=True)]


def inside(edges: Float[Tensor, "b n 4"], size: tuple[int, int]) -> Float32[Tensor, "b n 4"]:
    """Boxes cut at a canvas of ``size`` (height, width) pixels."""
    height, width = size
    limits = torch.tensor([width, height, width, height], dtype=torch.float32, device=edges.device)
    return edges.float().clamp(min=0).minimum(limits)


def _selected(
    edges: Float32[Tensor, "n 4"], scores: Float32[Tensor, "n classes"], likely: Tensor, selecting: Selecting
) -> Found:
    rows, labels = likely.nonzero(as_tuple=True)
    order = scores[rows, labels].argsort(descending=True, stable=True)[:CANDIDATES]
    rows, labels = rows[order], labels[order]
    found = Found(edges[rows], labels, scores[rows, labels])
    if selecting.nms is None:
        kept = torch.arange(min(len(rows), selecting.most), device=edges.device)
    else:
        from torchvision.ops import batched_nms  # a second of every start, of networks without boxes too

        kept = batched_nms(found.edges, found.scores, found.labels, selecting.nms)[: selecting.most]
    return Found(*(part[kept] for part in found))
