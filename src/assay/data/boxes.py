"""Boxes: any number an image, kept one after another, and side by side in a batch."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64, UInt8
from torch import Tensor

from assay.data.geometry import onto_canvas
from assay.data.mapped import as_tensor
from assay.data.stratify import rarest

NO_BOX = -1
"""The label of what only fills a batch of boxes up."""
DIFFICULT, CROWD = 1, 2
"""Flags of a box that no network is asked to find."""
AROUND = 114
"""The gray of 0…255 around a picture with boxes: on its canvas, and what an augmentation moves in from outside."""


@dataclass(frozen=True, eq=False)
class BoxBatch:
    """The boxes of a batch of images, side by side."""

    edges: Float32[Tensor, "b most 4"]
    """x1, y1, x2, y2 of the pixels' edges; of no meaning where there is no box."""
    labels: Int64[Tensor, "b most"]
    """``NO_BOX`` where there is none."""

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def packed(self) -> "BoxBatch":
        """The same boxes in their order, those of each image first, in as many places as the richest one needs."""
        there = self.labels != NO_BOX
        most = int(there.sum(1).max()) if len(self) else 0
        order = there.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :most]
        return BoxBatch(self.edges.take_along_dim(order[..., None], 1), self.labels.take_along_dim(order, 1))

    def of(self, rows: Int64[Tensor, " n"]) -> "BoxBatch":
        """The boxes of some images, packed."""
        return BoxBatch(self.edges[rows], self.labels[rows]).packed()

    def split(self, sizes: list[int]) -> list["BoxBatch"]:
        """The batch in parts of so many images each, every part packed."""
        parts = zip(self.edges.split(sizes), self.labels.split(sizes), strict=True)
        return [BoxBatch(edges, labels).packed() for edges, labels in parts]

    def pin_memory(self) -> "BoxBatch":
        """A copy that an accelerator reads without waiting."""
        return BoxBatch(self.edges.pin_memory(), self.labels.pin_memory())

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "BoxBatch":
        """The same boxes on a device."""
        edges, labels = (part.to(device, non_blocking=non_blocking) for part in (self.edges, self.labels))
        return BoxBatch(edges, labels)


@dataclass(frozen=True, eq=False)
class Boxes:
    """Any number of upright boxes an image: those of image i stand in the rows ``starts[i]`` to ``starts[i + 1]``."""

    edges: Float32[np.ndarray, "m 4"]
    """x1, y1, x2, y2 of the pixels' edges: a box of all the w × h pixels of a picture is 0, 0, w, h."""
    labels: Int64[np.ndarray, " m"]
    flags: UInt8[np.ndarray, " m"]
    """``DIFFICULT``, ``CROWD`` or 0."""
    starts: Int64[np.ndarray, " _"]
    in_pictures: Float32[np.ndarray, "m 4"] | None = None
    """The edges in the pictures' own pixels, where these were ``placed`` on a canvas."""
    kind: ClassVar[str] = "boxes"
    stored: ClassVar[dict[str, str]] = {
        "edges": "edges", "labels": "box_labels", "flags": "flags", "starts": "starts",
    }  # fmt: skip

    def __len__(self) -> int:
        """Number of images."""
        return len(self.starts) - 1

    def take(self, rows: Int64[Tensor, " b"]) -> BoxBatch:
        """The boxes of a batch without a flag, as many places for each image as the richest one needs."""
        edges, labels, starts = self._tensors
        first, count = starts[rows], starts[rows + 1] - starts[rows]
        places = torch.arange(int(count.max()) if len(rows) else 0)
        there = places < count[:, None]
        which = torch.where(there, first[:, None] + places, 0)
        return BoxBatch(edges[which] * there[..., None], labels[which].masked_fill(~there, NO_BOX))

    def subset(self, rows: Int64[np.ndarray, " _"]) -> "Boxes":
        """The boxes of some images."""
        count = self.counts[rows]
        starts = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        which = np.repeat(self.starts[:-1][rows] - starts[:-1], count) + np.arange(starts[-1])
        own = None if self.in_pictures is None else self.in_pictures[which]
        return Boxes(self.edges[which], self.labels[which], self.flags[which], starts, own)

    def placed(self, scale: Float64[np.ndarray, "n 2"], offset: Float64[np.ndarray, "n 2"]) -> "Boxes":
        """The boxes of pictures that were scaled and shifted: see ``geometry.placed``."""
        of_each = (np.repeat(each, self.counts, axis=0) for each in (scale, offset))
        return replace(self, edges=onto_canvas(self.edges, *of_each), in_pictures=self.edges)

    @property
    def own_edges(self) -> Float32[np.ndarray, "m 4"]:
        """The edges in the pixels of the pictures."""
        return self.edges if self.in_pictures is None else self.in_pictures

    @property
    def counts(self) -> Int64[np.ndarray, " n"]:
        """Number of boxes of each image."""
        return np.diff(self.starts)

    def strata(self) -> Int64[np.ndarray, " n"]:
        """The rarest class that the image has a box of; one more for none."""
        present = np.zeros((len(self), int(self.labels.max(initial=-1)) + 1), dtype=bool)
        present[np.repeat(np.arange(len(self)), self.counts), self.labels] = True
        return rarest(present)

    def line(self, i: int) -> str:
        """Label, flag and own edges of every box."""
        own = slice(self.starts[i], self.starts[i + 1])
        rows = zip(self.labels[own], self.flags[own], self.own_edges[own].tolist(), strict=True)
        return "; ".join(f"{label} {flag} {' '.join(map(repr, edges))}" for label, flag, edges in rows)

    @cached_property
    def _tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """(edges, labels, starts) of the boxes without a flag."""
        plain = self.flags == 0
        starts = np.concatenate([[0], np.cumsum(plain)])[self.starts]
        return as_tensor(self.edges[plain]), as_tensor(self.labels[plain]), as_tensor(starts)
