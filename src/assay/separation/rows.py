"""Rows as the fast arithmetic sees them: moved near the origin and scaled, in float32, a block at a time."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from assay.separation.samples import Samples

UNIT = 2.0**-24
"""Largest relative error of one float32 operation."""

ENTRY = 3.1 * UNIT
"""Largest relative error of a number after ``Rows`` has moved and scaled it: three operations."""


def gamma(operations: int) -> float:
    """Higham's γₙ = nu/(1 − nu): the relative error of a float32 sum of products n operations deep, in any order."""
    return operations * UNIT / (1 - operations * UNIT)


def depth(width: int, chunk: int) -> int:
    """Operations between a product and a sum over ``width`` columns that adds up sums over ``chunk`` columns."""
    return min(width, chunk) + -(-width // chunk) + 1


def columns(width: int, chunk: int) -> list[slice]:
    """The chunks of ``width`` columns."""
    return [slice(start, min(start + chunk, width)) for start in range(0, width, chunk)]


@dataclass(frozen=True)
class Rows:
    """Some rows of a matrix as (x − centre) · factors · scale in float32.

    Subtracting any one vector leaves distances as they are, so the centre need not be the exact mean: it is held in the
    rows' own precision, and an element's relative error is at most ``ENTRY``, whatever the offset of the data.
    ``scale`` is a power of two, which rounds nothing.
    """

    samples: Samples
    index: Int64[np.ndarray, " n"] | None = None
    """Which rows; None is all."""
    centre: Float[Tensor, " d"] | None = None
    scale: float = 1.0

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.samples) if self.index is None else len(self.index)

    @property
    def width(self) -> int:
        """Numbers per row."""
        return self.samples.width

    @property
    def device(self) -> torch.device:
        """Where the rows are."""
        return self.samples.tensor.device

    @cached_property
    def _index(self) -> Tensor | None:
        return None if self.index is None else torch.from_numpy(self.index).to(self.device)

    def block(self, rows: slice | Int64[np.ndarray, " m"], columns: slice = slice(None)) -> Float32[Tensor, "m c"]:
        """These rows (by their place among the rows chosen) and columns, as float32."""
        chosen: slice | Tensor = rows if isinstance(rows, slice) else torch.from_numpy(rows).to(self.device)
        if self._index is not None:
            chosen = self._index[chosen]
        found = self.samples.take(chosen, columns)
        if self.centre is not None:
            found = found.to(self.centre.dtype) - self.centre[columns]
        if self.samples.factors is not None:
            found = found * self.samples.factors[columns].to(found.dtype)
        if self.scale != 1.0:
            found = found * self.scale
        return found.float()

    def original(self, places: Int64[np.ndarray, " m"]) -> Int64[np.ndarray, " m"]:
        """Row numbers of the matrix for places among the rows chosen."""
        return places if self.index is None else self.index[places]


def centred(
    x: Samples, index: Int64[np.ndarray, " n"] | None, sample: Int64[np.ndarray, " s"], low: float, high: float
) -> Rows:
    """The rows moved by the mean of a ``sample`` of them and scaled so that squares of numbers in [low, high] fit
    float32."""
    mean = _middle(x, sample)
    reach = max(high - float(mean.min()), float(mean.max()) - low) * math.sqrt(x.width)
    if x.factors is not None:
        reach *= float(x.factors.max())
    exponent = min(1000, -math.frexp(reach)[1]) if reach > 0 else 0
    narrow = x.tensor.dtype in (torch.float32, torch.float16, torch.bfloat16, torch.uint8) and abs(exponent) < 100
    centre = mean.to(torch.float32 if narrow else torch.float64)
    return Rows(x, index, centre, 1.0 if abs(exponent) <= 20 else 2.0**exponent)


def _middle(x: Samples, sample: Int64[np.ndarray, " s"]) -> Float64[Tensor, " d"]:
    """The mean of a sample of rows without those far from the rest, which would spoil the precision of all others."""
    rows = x.take(torch.from_numpy(sample).to(x.tensor.device)).double()
    few = rows[:: 1 + len(rows) // 32].sort(dim=0).values
    distances = torch.linalg.vector_norm(rows - few[len(few) // 2], dim=1)
    mean: Tensor = rows[distances <= 4 * distances.median()].mean(dim=0)
    return mean
