"""The pictures that a run keeps for its report."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt8
from PIL import Image

from assay import seeds
from assay.data.images import ImageSet

Rows = Int64[np.ndarray, " _"]

COUNT = 25
"""Of each kind, a square of 5 × 5."""
SIDE = 96
"""Pixels of the longer side, at most."""


def sample(n: int, seed: int) -> Int64[np.ndarray, " k"]:
    """Up to 25 of ``n`` rows, in order: the same for every variant that is tested on the same images."""
    chosen = seeds.numpy_generator(seed, "pictures").choice(n, min(COUNT, n), replace=False)
    return np.sort(chosen).astype(np.int64)


def gallery(kinds: Mapping[str, Rows], indices: Rows, images: ImageSet, said: Mapping[str, Any]) -> pl.DataFrame:
    """Kind, name, what is true and ``said`` of each picture, png: of the ``kinds``, one after the other.

    A kind has rows of predictions, whose images are the ``indices`` of the source.
    """
    here = indices[np.concatenate(list(kinds.values()))]
    return pl.DataFrame(
        {
            "kind": [kind for kind, rows in kinds.items() for _ in rows],
            "name": [images.names[i] for i in here],
            **said,
            "png": [thumbnail(images.pixels[i]) for i in here],
        }
    )


def inside(images: ImageSet, i: int) -> UInt8[np.ndarray, "channels height width"]:
    """The part of the canvas on which picture ``i`` lies."""
    taken, first = images.inside
    (height, width), (top, left) = taken[i].tolist(), first[i].tolist()
    picture: UInt8[np.ndarray, "channels height width"] = images.pixels[i]
    return picture[:, top : top + height, left : left + width]


def thumbnail(pixels: UInt8[np.ndarray, "channels height width"], side: int = SIDE) -> bytes:
    """PNG of a gray or RGB image, no side longer than ``side`` pixels; a smaller image keeps its size."""
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    image.thumbnail((side, side))
    buffer = BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
