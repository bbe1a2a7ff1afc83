"""Masks that lie in files and are read when they are asked for: what a source of segmentation gives."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from assay.data.geometry import Size
from assay.data.own_masks import Mask, counted, digest, rarest_class


@dataclass(frozen=True, eq=False)
class MaskFiles:
    """One class a pixel of ``number`` pictures, each in the pixels of its own picture; ``VOID`` where none is known."""

    read: Callable[[int], Mask]
    """The mask of picture ``i``; what it raises is about that picture, an AssayError about all."""
    number: int
    largest: Size | None = None
    """Height and width of the largest one, where they are known."""
    kind: ClassVar[str] = "masks"
    stored: ClassVar[dict[str, str]] = {}

    def __len__(self) -> int:
        """Number of images."""
        return self.number

    def own(self, i: int) -> Mask:
        """The mask of picture ``i``, read anew."""
        return self.read(i)

    def take(self, rows: Int64[Tensor, " b"]) -> UInt8[Tensor, "b h w"]:
        """The masks of a batch. ValueError where they differ in size: they lie on no canvas yet."""
        return torch.from_numpy(np.stack([self.read(i) for i in rows.tolist()]))

    def subset(self, rows: Int64[np.ndarray, " _"]) -> "MaskFiles":
        """The masks of some images."""
        return MaskFiles(lambda i: self.read(int(rows[i])), len(rows), self.largest)

    def strata(self) -> Int64[np.ndarray, " n"]:
        """The rarest class, by images, that the mask has a pixel of; one more for none. Reads every mask, once."""
        return self._strata

    def line(self, i: int) -> str:
        """SHA-256 of the mask."""
        return bytes(digest(self.read(i))).hex()

    @cached_property
    def _strata(self) -> Int64[np.ndarray, " n"]:
        return rarest_class(counted(self.read, self.number)[0])
