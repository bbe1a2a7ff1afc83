"""The head of YOLOv5: what it says of a cell is said of three shapes, its anchors.

Redmon and Farhadi, arXiv:1612.08242, for anchors; the numbers are those of YOLOv5 6, as they stand in mindyolo's
configurations (Apache-2.0).
"""

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from assay.data.boxes import NO_BOX, BoxBatch
from assay.models.box_losses import complete_iou
from assay.models.csp import Maps

ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
"""Width and height of the three of each map, in pixels of an image whose longer side is ``MADE_FOR``."""
MADE_FOR = 640
RATIO = 4.0
"""A side of a box is less than so many times the anchor's, and the anchor's than the box's, where they match."""
NEIGHBORS = ((0, 0), (-1, 0), (0, -1), (1, 0), (0, 1))
"""The cell of a box, and those left of it, above, right and below."""
GAINS = {"box": 0.05, "objectness": 1.0, "class": 0.5}
BALANCE = (4.0, 1.0, 0.4)
"""How much the objectness of each map counts."""
PRESENT = 8
"""Boxes an image that the first scores expect."""


class Matches(NamedTuple):
    """The boxes that a map learns, each with room for all its anchors and five cells."""

    place: Int64[Tensor, "b matches"]
    """In the row of all that the map says: (anchor · height + row) · width + column."""
    edges: Float[Tensor, "b matches 4"]
    labels: Int64[Tensor, "b matches"]
    exists: Bool[Tensor, "b matches"]


class Anchors(nn.Module):
    """A 1×1 convolution for each of three maps."""

    shapes: Float[Tensor, "maps 3 2"]
    """Width and height of the anchors of each map in pixels."""
    output_name: ClassVar[str] = "outputs"
    """What another number of classes would change."""

    def __init__(self, widths: Sequence[int], strides: Sequence[int], classes: int) -> None:
        super().__init__()
        self.strides, self.count, self.side = tuple(strides), classes, MADE_FOR
        self.register_buffer("shapes", torch.tensor(ANCHORS, dtype=torch.float32), persistent=False)
        self.outputs = nn.ModuleList(nn.Conv2d(each, 3 * (5 + classes), kernel_size=1) for each in widths)

    @torch.no_grad()
    def expect(self, size: tuple[int, int]) -> None:
        """Scale the anchors to images of ``size`` (height, width), and begin with scores of so few objects as these
        have."""
        self.shapes *= max(size) / self.side
        self.side = max(size)
        for output, stride in zip(self.outputs, self.strides, strict=True):
            bias: Tensor = output.get_parameter("bias").view(3, -1)
            bias[:, 4] += math.log(PRESENT * stride**2 / math.prod(size))
            bias[:, 5:] += math.log(0.6 / (self.count - 0.99999))

    def losses(self, maps: Sequence[Maps], boxes: BoxBatch) -> dict[str, Tensor]:
        """The parts of the loss, weighted; a network of one class has no part for it."""
        found: dict[str, list[Tensor]] = {"box": [], "objectness": [], "class": []}
        for level, part in enumerate(maps):
            said, size = self._rows(level, part), (part.shape[2], part.shape[3])
            learned = matches(boxes, self.shapes[level], self.strides[level], size)
            at = said.gather(1, learned.place[..., None].expand(-1, -1, said.shape[2]))
            overlap = complete_iou(self._edges(level, size, at, learned.place), learned.edges)
            count = learned.exists.sum().clamp(min=1)
            found["box"].append(((1 - overlap) * learned.exists).sum() / count)
            hits = overlap.detach().clamp(min=0) * learned.exists
            truth = torch.zeros_like(said[..., 4]).scatter_reduce(1, learned.place, hits, "amax")
            objectness = functional.binary_cross_entropy_with_logits(said[..., 4], truth)
            found["objectness"].append(BALANCE[level] * objectness)
            classes = functional.one_hot(learned.labels, self.count).float()
            wrong = functional.binary_cross_entropy_with_logits(at[..., 5:], classes, reduction="none").mean(dim=-1)
            found["class"].append((wrong * learned.exists).sum() / count)
        gains = GAINS | {
            "objectness": GAINS["objectness"] * (self.side / MADE_FOR) ** 2,
            "class": GAINS["class"] * self.count / 80,
        }
        return {
            name: gains[name] * torch.stack(parts).sum()
            for name, parts in found.items()
            if name != "class" or self.count > 1
        }

    def forward(self, maps: Sequence[Maps]) -> tuple[Float[Tensor, "b n 4"], Float[Tensor, "b n classes"]]:
        """Boxes and scores of every cell and anchor."""
        edges, scores = [], []
        for level, part in enumerate(maps):
            said = self._rows(level, part)
            place = torch.arange(said.shape[1], device=said.device).expand(len(said), -1)
            edges.append(self._edges(level, (part.shape[2], part.shape[3]), said, place))
            scores.append(said[..., 4:5].sigmoid() * said[..., 5:].sigmoid())
        return torch.cat(edges, dim=1), torch.cat(scores, dim=1)

    def _rows(self, level: int, part: Maps) -> Float[Tensor, "b n said"]:
        """What a map says, of each anchor and cell: x, y, width, height, objectness, classes, as logits."""
        said = self.outputs[level](part).unflatten(1, (3, -1))
        rows: Tensor = said.permute(0, 1, 3, 4, 2).flatten(1, 3).float()
        return rows

    def _edges(
        self, level: int, size: tuple[int, int], said: Float[Tensor, "b n said"], place: Int64[Tensor, "b n"]
    ) -> Float[Tensor, "b n 4"]:
        """The boxes x1, y1, x2, y2 in pixels of what a map of ``size`` (height, width) says at places."""
        cells = size[0] * size[1]
        cell = torch.stack([place % size[1], place % cells // size[1]], dim=-1)
        center = (2 * said[..., :2].sigmoid() - 0.5 + cell) * self.strides[level]
        half = self.shapes[level][place // cells] * (2 * said[..., 2:4].sigmoid()).square() / 2
        return torch.cat([center - half, center + half], dim=-1)


@torch.no_grad()
def matches(boxes: BoxBatch, anchors: Float[Tensor, "3 2"], stride: int, size: tuple[int, int]) -> Matches:
    """Which anchors and cells of a map of ``size`` (height, width) learn which boxes.

    An anchor learns a box whose sides differ from its own by less than ``RATIO``, in the cell of the box's centre and
    in the neighbours that are nearer to it than half a cell's width, one in x and one in y, inside the map.
    """
    height, width = size
    start, end = boxes.edges[..., :2], boxes.edges[..., 2:]
    ratio = (end - start)[:, :, None] / anchors
    fits = (torch.maximum(ratio, 1 / ratio) < RATIO).all(dim=-1) & (boxes.labels != NO_BOX)[..., None]
    (x, left, right), (y, above, below) = (
        _cell(along / stride, count)
        for along, count in zip(((start + end) / 2).unbind(-1), (width, height), strict=True)
    )
    near = torch.stack([torch.ones_like(left), left, above, right, below], dim=-1)
    place = torch.stack([(y + down) * width + x + across for across, down in NEIGHBORS], dim=-1)
    first = torch.arange(len(anchors), device=anchors.device)[:, None] * height * width
    exists = fits[..., None] & near[:, :, None]
    place = torch.where(exists, first + place[:, :, None], 0)
    each = len(anchors) * len(NEIGHBORS)
    return Matches(
        place.flatten(1),
        boxes.edges.repeat_interleave(each, dim=1),
        boxes.labels.clamp(min=0).repeat_interleave(each, dim=1),
        exists.flatten(1),
    )


def _cell(
    center: Float[Tensor, "b most"], count: int
) -> tuple[Int64[Tensor, "b most"], Bool[Tensor, "b most"], Bool[Tensor, "b most"]]:
    """In which of ``count`` cells it lies, and whether the one before and the one behind are near it."""
    cell = center.long().clamp(0, count - 1)
    return cell, (center - cell < 0.5) & (cell > 0), (center - cell > 0.5) & (cell < count - 1)
