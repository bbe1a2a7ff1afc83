"""Rows as the fast arithmetic sees them: moved near the origin and scaled, in float32, a block at a time."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from assay.separation.samples import Samples

UNIT = 2.0**-24
"""Largest relative error of one float32 operation."""
CHUNK = 512
"""Products are summed over so many columns in one go, then the partial sums are added."""


def gamma(operations: int) -> float:
    """Higham's γₙ = nu/(1 − nu): the relative error of a float32 sum of products n operations deep, in any order."""
    return operations * UNIT / (1 - operations * UNIT)


def depth(width: int) -> int:
    """Operations between a product and the sum over ``width`` columns in chunks of ``CHUNK``."""
    return min(width, CHUNK) + -(-width // CHUNK) + 1


def columns(width: int) -> list[slice]:
    """The chunks of ``width`` columns."""
    return [slice(start, min(start + CHUNK, width)) for start in range(0, width, CHUNK)]


@dataclass(frozen=True)
class Rows:
    """Some rows of a matrix as (x − centre) · scale in float32.

    Subtracting any one vector leaves distances as they are, so the centre need not be the exact mean: it is held in the
    rows' own precision, and an element's relative error is at most 1.01 · 2⁻²⁴, whatever the offset of the data.
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
        found = self.samples.tensor[chosen, columns] if isinstance(chosen, slice) else self._gather(chosen, columns)
        if self.centre is not None:
            found = found.to(self.centre.dtype) - self.centre[columns]
        if self.scale != 1.0:
            found = found * self.scale
        return found.float()

    def _gather(self, rows: Tensor, columns: slice) -> Tensor:
        return self.samples.tensor[:, columns].index_select(0, rows)

    def original(self, places: Int64[np.ndarray, " m"]) -> Int64[np.ndarray, " m"]:
        """Row numbers of the matrix for places among the rows chosen."""
        return places if self.index is None else self.index[places]


def centred(x: Samples, index: Int64[np.ndarray, " n"] | None, sample: Int64[np.ndarray, " s"]) -> Rows:
    """The rows moved by the mean of a ``sample`` of them and scaled so that float32 squares neither over- nor underflow."""
    mean = torch.zeros(x.width, dtype=torch.float64, device=x.tensor.device)
    for start in range(0, len(sample), 256):
        rows = torch.from_numpy(sample[start : start + 256]).to(x.tensor.device)
        mean += x.tensor.index_select(0, rows).double().sum(dim=0) / len(sample)
    reach = max(x.high - float(mean.min()), float(mean.max()) - x.low) * math.sqrt(x.width)
    exponent = -math.frexp(reach)[1] if reach > 0 else 0
    narrow = x.tensor.dtype in (torch.float32, torch.float16, torch.bfloat16, torch.uint8) and abs(exponent) < 100
    centre = mean.to(torch.float32 if narrow else torch.float64)
    return Rows(x, index, centre, 1.0 if abs(exponent) <= 20 else 2.0**exponent)
