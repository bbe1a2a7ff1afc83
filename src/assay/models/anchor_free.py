"""The head that says of every cell how far the edges of its box are, and of which class it is: no anchors.

Two branches a map, one for boxes and one for classes (YOLOX, Ge et al., arXiv:2107.08430); a distance is the mean of a
distribution over whole strides (Li et al., arXiv:2006.04388); what a cell learns is decided by what it says (TOOD,
Feng et al., arXiv:2108.07755).
"""

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from assay.data.boxes import BoxBatch
from assay.models.assignment import task_aligned
from assay.models.box_losses import complete_iou, distribution_focal_loss
from assay.models.csp import Maps, convolution

BINS = 16
"""Whole strides from 0 that a distance is made of."""
GAINS = {"class": 0.5, "box": 7.5, "distribution": 1.5}
"""What the parts of the loss are weighted by (WongKinYiu/YOLO's configuration)."""
PRESENT = 5
"""Boxes an image that the first scores expect."""


class Raw(NamedTuple):
    """What the branches give, the cells of all maps in a row."""

    distances: Float[Tensor, "*cells 4 bins"]
    """Logits of the distances to the left, top, right and bottom."""
    classes: Float[Tensor, "*cells classes"]
    centers: Float[Tensor, "cells 2"]
    """x, y in pixels."""
    strides: Float[Tensor, "cells 1"]

    @property
    def edges(self) -> Float[Tensor, "*cells 4"]:
        """The boxes x1, y1, x2, y2 in pixels."""
        bins = torch.arange(BINS, dtype=torch.float32, device=self.distances.device)
        found = self.distances.softmax(dim=-1) @ bins * self.strides
        return torch.cat([self.centers - found[..., :2], self.centers + found[..., 2:]], dim=-1)


class AnchorFree(nn.Module):
    """Two branches for each of several maps."""

    output_name: ClassVar[str] = "classes"
    """What another number of classes would change."""

    def __init__(self, widths: Sequence[int], strides: Sequence[int], classes: int) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.boxes = nn.ModuleList(_branch(each, max(16, widths[0] // 4, 4 * BINS), 4 * BINS) for each in widths)
        self.classes = nn.ModuleList(_branch(each, max(widths[0], min(classes, 100)), classes) for each in widths)

    def expect(self, size: tuple[int, int]) -> None:
        """Begin with distances that are alike, and with scores of so few objects as images of ``size`` (height, width)
        have (Lin et al., arXiv:1708.02002, section 4.1)."""
        for level, stride in enumerate(self.strides):
            distances, scores = (self.get_parameter(f"{name}.{level}.2.bias") for name in ("boxes", "classes"))
            nn.init.constant_(distances, 1.0)
            nn.init.constant_(scores, math.log(PRESENT / len(scores) * stride**2 / math.prod(size)))

    def losses(self, maps: Sequence[Maps], boxes: BoxBatch) -> dict[str, Tensor]:
        """The parts of the loss, weighted; each is over the sum of what all cells learn, 1 at the least."""
        raw = self._raw(maps)
        with torch.no_grad():
            learned = task_aligned(raw.edges, raw.classes.sigmoid(), raw.centers, boxes, self.strides[0])
        truth = torch.zeros_like(raw.classes).scatter(2, learned.labels[..., None], learned.share[..., None])

        image, cell = learned.share.nonzero(as_tuple=True)
        edges, share = learned.edges[image, cell], learned.share[image, cell]
        learning = Raw(raw.distances[image, cell], raw.classes[image, cell], raw.centers[cell], raw.strides[cell])
        offsets = torch.cat([learning.centers - edges[:, :2], edges[:, 2:] - learning.centers], dim=-1)
        spread = distribution_focal_loss(learning.distances, offsets / learning.strides).mean(dim=-1)
        parts = {
            "class": functional.binary_cross_entropy_with_logits(raw.classes, truth, reduction="sum"),
            "box": ((1 - complete_iou(learning.edges, edges)) * share).sum(),
            "distribution": (spread * share).sum(),
        }
        total = learned.share.sum().clamp(min=1)
        return {name: GAINS[name] * part / total for name, part in parts.items()}

    def forward(self, maps: Sequence[Maps]) -> tuple[Float[Tensor, "b cells 4"], Float[Tensor, "b cells classes"]]:
        """Boxes and scores of every cell."""
        raw = self._raw(maps)
        return raw.edges, raw.classes.sigmoid()

    def _raw(self, maps: Sequence[Maps]) -> Raw:
        def rows(branches: nn.ModuleList) -> Tensor:
            each = [branch(part).flatten(2) for branch, part in zip(branches, maps, strict=True)]
            return torch.cat(each, dim=2).transpose(1, 2).float()

        centers, strides = cells([part.shape[2:] for part in maps], self.strides, maps[0].device)
        return Raw(rows(self.boxes).unflatten(-1, (4, BINS)), rows(self.classes), centers, strides)


def cells(
    sizes: Sequence[torch.Size], strides: Sequence[int], device: torch.device
) -> tuple[Float[Tensor, "cells 2"], Float[Tensor, "cells 1"]]:
    """The centres (x, y) and the strides in pixels of the cells of maps of ``sizes`` (height, width), row by row."""
    centers, each = [], []
    for (height, width), stride in zip(sizes, strides, strict=True):
        x, y = (torch.arange(side, dtype=torch.float32, device=device) + 0.5 for side in (width, height))
        centers.append(torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).flatten(0, 1) * stride)
        each.append(centers[-1].new_full((height * width, 1), stride))
    return torch.cat(centers), torch.cat(each)


def _branch(before: int, width: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        convolution(before, width, 3), convolution(width, width, 3), nn.Conv2d(width, after, kernel_size=1)
    )
