"""What is true of the images of a source: a label, numbers, tags, boxes or a mask each, kept as arrays.

A batch of them is gathered by one or two indexing operations, whatever the kind.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64, UInt8, UInt32
from torch import Tensor

from assay.data.boxes import BoxBatch, Boxes
from assay.data.mapped import as_tensor
from assay.data.own_masks import VOID as VOID
from assay.data.own_masks import Mask, OwnMasks, as_canvas, rarest_class
from assay.data.stratify import quantile_bins, rarest

Rows = Int64[np.ndarray, " _"]


Target = Tensor | BoxBatch
"""Of a batch: labels int64 (b,), values or tags float32 (b, k), masks uint8 (b, h, w), or boxes."""


@runtime_checkable
class Targets(Protocol):
    """What is true of n images."""

    kind: ClassVar[str]
    """In the plural, as in "these images have boxes"."""
    stored: ClassVar[dict[str, str]]
    """Field → name of its file in the cache; the first one tells the kind."""

    def __len__(self) -> int:
        """Number of images."""
        ...

    def take(self, rows: Int64[Tensor, " b"]) -> Target:
        """A batch: a copy of what is true of the images ``rows``."""
        ...

    def subset(self, rows: Rows) -> "Targets":
        """The targets of some images, in the order of ``rows``."""
        ...

    def strata(self) -> Int64[np.ndarray, " n"]:
        """What the splits keep in proportion: a number from 0 for each image."""
        ...

    def line(self, i: int) -> str:
        """What is true of image ``i``, as a text that changes whenever it would."""
        ...


@dataclass(frozen=True, eq=False)
class Labels:
    """One class an image, as its place in the list of classes."""

    values: Int64[np.ndarray, " n"]
    kind: ClassVar[str] = "labels"
    stored: ClassVar[dict[str, str]] = {"values": "labels"}

    def __len__(self) -> int:
        """Number of images."""
        return len(self.values)

    def take(self, rows: Int64[Tensor, " b"]) -> Int64[Tensor, " b"]:
        """The labels of a batch."""
        return self._tensor.index_select(0, rows)

    def subset(self, rows: Rows) -> "Labels":
        """The labels of some images."""
        return Labels(self.values[rows])

    def strata(self) -> Int64[np.ndarray, " n"]:
        """The label."""
        return self.values

    def line(self, i: int) -> str:
        """The label."""
        return str(self.values[i])

    @cached_property
    def _tensor(self) -> Tensor:
        return as_tensor(self.values)


@dataclass(frozen=True, eq=False)
class Values:
    """One or several numbers an image, in units of their own."""

    values: Float64[np.ndarray, "n k"]
    names: tuple[str, ...]
    """Of the k numbers."""
    kind: ClassVar[str] = "values"
    stored: ClassVar[dict[str, str]] = {"values": "values", "names": "value_names"}

    def __len__(self) -> int:
        """Number of images."""
        return len(self.values)

    def take(self, rows: Int64[Tensor, " b"]) -> Float32[Tensor, "b k"]:
        """The numbers of a batch, in their own units."""
        return self._tensor.index_select(0, rows)

    def subset(self, rows: Rows) -> "Values":
        """The numbers of some images."""
        return Values(self.values[rows], self.names)

    def strata(self) -> Int64[np.ndarray, " n"]:
        """The bin of the first number."""
        return quantile_bins(self.values[:, 0])

    def line(self, i: int) -> str:
        """The numbers, to their last digit."""
        return " ".join(map(repr, self.values[i].tolist()))

    @cached_property
    def _tensor(self) -> Tensor:
        return torch.from_numpy(self.values.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Tags:
    """Any number of classes an image: 1 where it has the class, else 0."""

    values: UInt8[np.ndarray, "n k"]
    kind: ClassVar[str] = "tags"
    stored: ClassVar[dict[str, str]] = {"values": "tags"}

    def __len__(self) -> int:
        """Number of images."""
        return len(self.values)

    def take(self, rows: Int64[Tensor, " b"]) -> Float32[Tensor, "b k"]:
        """0.0 or 1.0 for each class."""
        return self._tensor.index_select(0, rows)

    def subset(self, rows: Rows) -> "Tags":
        """The tags of some images."""
        return Tags(self.values[rows])

    def strata(self) -> Int64[np.ndarray, " n"]:
        """The rarest class that the image has; one more for none."""
        return rarest(self.values.astype(bool))

    def line(self, i: int) -> str:
        """A digit for each class."""
        return "".join(map(str, self.values[i].tolist()))

    @cached_property
    def _tensor(self) -> Tensor:
        return torch.from_numpy(self.values.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Masks:
    """One class a pixel, as its place in the list of classes; ``VOID`` where nothing is known."""

    values: UInt8[np.ndarray, "n h w"]
    """On the canvas."""
    own_masks: OwnMasks | None = None
    """In the pixels of the upright pictures; None where the canvas has their size."""
    kind: ClassVar[str] = "masks"
    stored: ClassVar[dict[str, str]] = {
        "values": "masks", "pixels": "own_masks", "places": "own_places", "counts": "mask_counts", "digests": "digests",
    }  # fmt: skip

    def __len__(self) -> int:
        """Number of images."""
        return len(self.values)

    def own(self, i: int) -> Mask:
        """The mask of image ``i`` in the pixels of its own upright picture: (height, width) are that picture's."""
        mask = self._own.mask(i)
        return self.values[i] if mask is None else mask

    def take(self, rows: Int64[Tensor, " b"]) -> UInt8[Tensor, "b h w"]:
        """The masks of a batch, on the canvas."""
        return self.tensor.index_select(0, rows)

    def subset(self, rows: Rows) -> "Masks":
        """The masks of some images."""
        return Masks(self.values[rows], self._own.subset(rows))

    def strata(self) -> Int64[np.ndarray, " n"]:
        """The rarest class, by images, that the picture's own mask has a pixel of; one more for none."""
        return self._strata

    def line(self, i: int) -> str:
        """SHA-256 of the picture's own mask."""
        return bytes(self.digests[i]).hex()

    @property
    def counts(self) -> UInt32[np.ndarray, "n 256"]:
        """Pixels of each value, ``VOID`` last, in each picture's own mask."""
        return self._own.counts

    @property
    def digests(self) -> UInt8[np.ndarray, "n 32"]:
        """SHA-256 of each picture's own mask."""
        return self._own.digests

    @property
    def pixels(self) -> UInt8[np.ndarray, " m"]:
        """See ``OwnMasks``."""
        return self._own.pixels

    @property
    def places(self) -> Int64[np.ndarray, "n 3"]:
        """See ``OwnMasks``."""
        return self._own.places

    @property
    def is_known(self) -> Bool[np.ndarray, " n"]:
        """Of which pictures a pixel has a class; the others are all void."""
        return np.asarray(self.counts[:, :VOID].any(axis=1))

    @cached_property
    def _own(self) -> OwnMasks:
        return as_canvas(self.values) if self.own_masks is None else self.own_masks

    @cached_property
    def _strata(self) -> Int64[np.ndarray, " n"]:
        return rarest_class(self.counts)

    @cached_property
    def tensor(self) -> UInt8[Tensor, "n h w"]:
        """``values``, the same memory."""
        return as_tensor(self.values)


def write_targets(targets: Targets, folder: Path) -> None:
    """Each array as a file of the folder."""
    for field, name in targets.stored.items():
        np.save(folder / f"{name}.npy", np.asarray(getattr(targets, field)), allow_pickle=False)


def read_targets(folder: Path) -> Targets:
    """What ``write_targets`` has put there; masks stay on the disk, as a memory map.

    Raises:
        OSError: a file is missing or cannot be read.
        ValueError: a file is damaged; EOFError: it is empty.
    """
    kinds: tuple[type[Any], ...] = (Labels, Values, Tags, Boxes, Masks)
    there = {path.stem for path in folder.glob("*.npy")}
    kind = next((kind for kind in kinds if next(iter(kind.stored.values())) in there), Labels)
    arrays: dict[str, Any] = {
        field: np.load(folder / f"{name}.npy", mmap_mode="r" if kind is Masks else None, allow_pickle=False)
        for field, name in kind.stored.items()
    }
    if kind is Values:
        arrays["names"] = tuple(arrays["names"].tolist())
    if kind is Masks:
        arrays = {"values": arrays.pop("values"), "own_masks": OwnMasks(**arrays)}
    found: Targets = kind(**arrays)
    return found
