"""Masks in the pixels of their own pictures, which differ in size, and what is counted over them once."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8, UInt32

from assay.data.stratify import rarest

VOID = 255
"""The value of a mask where nothing is known: outside the picture, or between two objects."""
VALUES = 256
"""A pixel of a mask has one of so many."""
Mask = UInt8[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class OwnMasks:
    """The masks of n pictures; those of the canvas' size are not kept twice."""

    pixels: UInt8[np.ndarray, " m"]
    """Of the masks of another size than the canvas, one after another."""
    places: Int64[np.ndarray, "n 3"]
    """Where in ``pixels`` a mask begins (−1: it is the canvas), its height and width."""
    counts: UInt32[np.ndarray, "n 256"]
    """Pixels of each value."""
    digests: UInt8[np.ndarray, "n 32"]
    """SHA-256 of each mask, see ``digest``."""

    def mask(self, i: int) -> Mask | None:
        """The mask of picture ``i`` in its own pixels; None where it is the canvas."""
        start, height, width = self.places[i].tolist()
        return None if start < 0 else self.pixels[start : start + height * width].reshape(height, width)

    def subset(self, rows: Int64[np.ndarray, " _"]) -> "OwnMasks":
        """Those of some pictures."""
        return OwnMasks(self.pixels, self.places[rows], self.counts[rows], self.digests[rows])


def as_canvas(values: UInt8[np.ndarray, "n h w"]) -> OwnMasks:
    """Of pictures that are all of the canvas' size."""
    n, h, w = values.shape
    places = np.tile(np.array([-1, h, w], dtype=np.int64), (n, 1))
    return OwnMasks(np.empty(0, np.uint8), places, *counted(values.__getitem__, n))


def counted(read: Callable[[int], Mask], n: int) -> tuple[UInt32[np.ndarray, "n 256"], UInt8[np.ndarray, "n 32"]]:
    """(pixels of each value, SHA-256) of n masks, one of which is in memory at a time."""
    counts, digests = np.zeros((n, VALUES), np.uint32), np.zeros((n, hashlib.sha256().digest_size), np.uint8)
    for i in range(n):
        mask = read(i)
        counts[i], digests[i] = count(mask), digest(mask)
    return counts, digests


def count(mask: Mask) -> UInt32[np.ndarray, " 256"]:
    """Pixels of each value."""
    return np.bincount(mask.ravel(), minlength=VALUES).astype(np.uint32)


def digest(mask: Mask) -> UInt8[np.ndarray, " 32"]:
    """SHA-256 of its height, its width and its pixels."""
    hashed = hashlib.sha256(np.array(mask.shape, "<i8").tobytes())
    hashed.update(mask.tobytes())
    return np.frombuffer(hashed.digest(), np.uint8)


def rarest_class(counts: UInt32[np.ndarray, "n 256"]) -> Int64[np.ndarray, " n"]:
    """The rarest class, by images, that a mask has a pixel of; one more than the last class for none."""
    present = counts[:, :VOID] > 0
    return rarest(present[:, : np.flatnonzero(present.any(axis=0)).max(initial=-1) + 1])
