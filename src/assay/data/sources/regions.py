"""Regions as COCO writes them → the pixels that belong to them: polygons, and run lengths column by column."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from assay.data.sources.json_numbers import numbers
from assay.errors import shown

Region = Bool[np.ndarray, "h w"]


def region(segmentation: Any, height: int, width: int) -> Region:
    """A list of polygons (x, y, x, y, …), or run lengths, plain or compressed.

    Raises:
        ValueError: it is neither, or its run lengths are of another size.
    """
    if isinstance(segmentation, Mapping):
        if segmentation.get("size") != [height, width]:
            raise ValueError(f"run lengths of {shown(segmentation.get('size'))} in a picture of {[height, width]}")
        return from_runs(_runs(segmentation.get("counts")), height, width)
    inside = np.zeros((height, width), dtype=bool)
    for points in polygons(segmentation):
        inside |= from_polygon(points, height, width)
    return inside


def polygons(segmentation: Any) -> list[Float64[np.ndarray, "_ 2"]]:
    """The corners of each polygon in a list of them. ValueError where it is none."""
    if not isinstance(segmentation, list):
        raise ValueError(f"the segmentation {shown(segmentation)}, expected a list of polygons or run lengths")
    found = []
    for polygon in segmentation:
        if (flat := numbers(polygon)) is None:
            raise ValueError(f"a polygon {shown(polygon)}, expected a list of numbers x, y, x, y, …")
        if len(flat) < 6 or len(flat) % 2:
            raise ValueError(f"a polygon of {len(flat)} numbers, expected x and y of three points at least")
        found.append(np.array(flat).reshape(-1, 2))
    return found


def _runs(counts: Any) -> list[int]:
    if isinstance(counts, str) and counts.isascii():
        return run_lengths(counts)
    if isinstance(counts, list) and all(isinstance(count, int) for count in counts):
        return counts
    raise ValueError(f"the run lengths {shown(counts)}, expected whole numbers or the text they are packed into")


def from_polygon(points: Float64[np.ndarray, "k 2"], height: int, width: int) -> Region:
    """The pixels whose centre lies inside, by the even-odd rule; pixel (0, 0) goes from 0 to 1."""
    x0, y0 = points.T
    x1, y1 = np.roll(points, -1, axis=0).T
    rows = np.arange(height) + 0.5
    row, edge = np.nonzero((y0 <= rows[:, None]) != (y1 <= rows[:, None]))
    x = x0[edge] + (rows[row] - y0[edge]) * (x1 - x0)[edge] / (y1 - y0)[edge]
    crossings = np.zeros((height, width + 1), dtype=np.int32)
    np.add.at(crossings, (row, np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)), 1)
    return np.asarray(crossings[:, :width].cumsum(axis=1) % 2 == 1)


def from_runs(counts: Sequence[int], height: int, width: int) -> Region:
    """Lengths of runs of pixels outside and inside by turns, down the columns.

    Raises:
        ValueError: they are not as many pixels as the picture has.
    """
    if sum(counts) != height * width or min(counts, default=0) < 0:
        raise ValueError(f"run lengths of {sum(counts):,} pixels in a picture of {height * width:,}")
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(width, height).T


def run_lengths(text: str) -> list[int]:
    """The run lengths in a compressed text.

    A character carries five bits, the lowest first, its sixth says that the number goes on, and the last fifth bit is
    its sign; from the fourth number on, what is written is the difference to the last but one.
    """
    counts: list[int] = []
    number, shift = 0, 0
    for character in text.encode("ascii"):
        bits = character - 48
        number |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            number -= 1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number, shift = 0, 0
    return counts
