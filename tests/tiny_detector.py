"""A network of a few numbers that gives boxes, for tests of all that stands around one."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.data.boxes import NO_BOX, BoxBatch
from assay.models.catalogue import MODELS
from assay.models.detector import Detector, Found, selected


class TinyDetector(Detector):
    """A cell of 2 × 2 pixels says of the box around its middle how far its edges are, and the odds of each class."""

    encoder_name = "body"

    def __init__(self, shape: tuple[int, int, int], outputs: int, width: int) -> None:
        super().__init__()
        self.size = shape[1:]
        self.body = nn.Sequential(nn.Conv2d(shape[0], width, 3, stride=2, padding=1), nn.ReLU())
        self.output = nn.Conv2d(width, outputs + 4, 1)
        with torch.no_grad():
            self.output.bias[:outputs] = -3.0  # hardly any cell has a box

    def encode(self, images: Tensor) -> list[Tensor]:
        return [self.body(images)]

    def losses_of(self, maps: list[Tensor], boxes: BoxBatch) -> dict[str, Tensor]:
        logits, edges = self._cells(maps)
        truth, there = torch.zeros_like(logits), boxes.labels != NO_BOX
        image, place = there.nonzero(as_tuple=True)
        own = boxes.edges[image, place]
        columns = -(-self.size[1] // 2)
        middle = ((own[:, :2] + own[:, 2:]) / 4).long().clamp(min=0)
        cell = (middle[:, 1] * columns + middle[:, 0]).clamp(max=logits.shape[1] - 1)
        truth[image, cell, boxes.labels[image, place]] = 1.0
        away = (edges[image, cell] - own).abs().sum() / max(len(own), 1)
        odds = functional.binary_cross_entropy_with_logits(logits, truth, reduction="sum") / max(len(own), 1)
        return {"class": odds, "box": 0.1 * away}

    def found_of(self, maps: list[Tensor]) -> list[Found]:
        logits, edges = self._cells(maps)
        return selected(edges, logits.sigmoid(), self.selecting, self.size)

    def losses(self, images: Tensor, boxes: BoxBatch) -> dict[str, Tensor]:
        return self.losses_of(self.encode(images), boxes)

    def forward(self, images: Tensor) -> list[Found]:
        return self.found_of(self.encode(images))

    def _cells(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        rows = self.output(maps[0]).float()
        height, width = rows.shape[2:]
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        middle = (2 * torch.stack([x, y], dim=-1) + 1.0).flatten(0, 1).to(rows.device)
        rows = rows.flatten(2).mT
        before, after = functional.softplus(rows[..., -4:]).split(2, dim=-1)
        return rows[..., :-4], torch.cat([middle - before, middle + after], dim=-1)


def tiny_detector(shape: tuple[int, int, int], outputs: int, *, width: int = 4) -> TinyDetector:
    """What MODELS names while ``known`` is open."""
    return TinyDetector(shape, outputs, width)


@contextmanager
def known() -> Iterator[None]:
    """A block in which recipes may name ``tiny_detector``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "tiny_detector", ("tiny_detector:tiny_detector", "boxes, for tests"))
        yield
