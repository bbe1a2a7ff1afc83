"""What the user hands in, checked: rows of numbers (in memory, mapped from disk, on a device) and their labels."""

import math
import mmap
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
import torch
from jaxtyping import Float64, Int64, Real, Shaped
from torch import Tensor

from assay.errors import AssayError
from assay.system.machine import where_float64_is

Matrix = Shaped[Tensor, "..."] | Shaped[np.ndarray, "..."]
"""(n, d), one sample a row: a tensor or an array (``np.memmap`` too) of any real type."""
Labels = Shaped[Tensor, "..."] | Shaped[np.ndarray, "..."] | Sequence[int]
"""(n,) whole numbers, the class of each sample."""

LARGEST = 1e150
"""Beyond this, squared distances leave float64."""
_BLOCK_BYTES = 2**26
_LARGE_PAGE = 2**21
"""What the system may map of a cached file where a single number of it is read."""
_WIDENED = {
    torch.bool: torch.uint8,
    torch.uint16: torch.int32,
    torch.uint32: torch.int64,
    torch.uint64: torch.float64,
}
"""What torch cannot compare → the next type that holds it (the largest of 64 bits rounded)."""


@dataclass(frozen=True)
class Samples:
    """Rows as a tensor that shares the memory, or the file, of what the user handed in."""

    tensor: Real[Tensor, "n d"]
    low: float
    high: float
    """The smallest and the largest value."""
    factors: Float64[Tensor, " d"] | None = None
    """What differences in each column are multiplied by before they count; None is 1."""
    mapping: mmap.mmap | None = None
    """The file behind the rows, whose pages can be given back."""
    resident: int = 2**29
    """Bytes of that file to look at, about, before they are given back."""
    name: str = "x"
    """What the user calls them."""

    def __len__(self) -> int:
        """Number of rows."""
        return self.tensor.shape[0]

    @property
    def width(self) -> int:
        """Numbers per row."""
        return self.tensor.shape[1]

    @property
    def row_bytes(self) -> int:
        """Size of a row."""
        return self.width * self.tensor.element_size()

    def blocks(self) -> Iterator[tuple[int, Real[Tensor, "b d"]]]:
        """The rows a few at a time, each with the number of its first, given back when the next is taken."""
        step = max(1, _BLOCK_BYTES // (8 * self.width))
        for start in range(0, len(self), step):
            yield start, self.tensor[start : start + step]
            self.release()

    def within(self, memory: int) -> "Samples":
        """The same for a search in so many bytes: what of a mapped file may be resident meanwhile."""
        small = 2 * len(self) * self.row_bytes <= memory
        return replace(self, resident=memory // 4, mapping=None if small else self.mapping)

    @property
    def together(self) -> int:
        """How many rows, wherever they lie, to look at before their pages are given back."""
        return sys.maxsize if self.mapping is None else max(1, self.resident // (self.row_bytes + _LARGE_PAGE))

    def take(self, rows: slice | Int64[Tensor, " m"], columns: slice = slice(None)) -> Real[Tensor, "m c"]:
        """These rows and columns; of a mapped file about ``resident`` bytes are looked at together."""
        if isinstance(rows, slice):
            first, end, _ = rows.indices(len(self))
            if self.mapping is None or (end - first) * self.row_bytes <= self.resident:
                return self.tensor[rows, columns]
            rows = torch.arange(first, end)
        if len(rows) <= self.together:
            return self.tensor[:, columns].index_select(0, rows)
        found = []
        for part in rows.split(self.together):
            found.append(self.tensor[:, columns].index_select(0, part))
            self.release()
        return torch.cat(found)

    def release(self) -> None:
        """Give the pages of a mapped file back to the system, which keeps them cached as long as it likes."""
        if self.mapping is not None and hasattr(self.mapping, "madvise"):
            self.mapping.madvise(mmap.MADV_DONTNEED)


def samples(x: Matrix, name: str = "x") -> Samples:
    """``x`` as ``Samples``: a matrix of real, finite numbers.

    Raises:
        AssayError: ``x`` is not two-dimensional, has no columns, is not numeric, is sparse or without memory, or has a
            row that is not finite.
    """
    tensor = _tensor(x, name)
    if tensor.ndim != 2 or tensor.shape[1] == 0:
        shape = tuple(tensor.shape)
        raise AssayError(f"{name}: expected a matrix with one sample a row, found shape {shape}; flatten the rest")
    mapping = getattr(x, "_mmap", None)
    private = getattr(x, "mode", None) == "c"  # copy-on-write pages exist nowhere else
    mapped = isinstance(mapping, mmap.mmap) and not private
    found = Samples(tensor, 0.0, 0.0, mapping=mapping if mapped else None, name=name)
    low, high = _extremes(found)
    return replace(found, low=low, high=high)


def _tensor(x: Matrix, name: str) -> Tensor:
    if isinstance(x, Tensor):
        tensor = where_float64_is(x.detach())
    else:
        array = np.asarray(x)
        if array.dtype.kind not in "fiub" or array.dtype == np.longdouble:
            raise AssayError(f"{name}: expected numbers, found an array of {array.dtype}")
        if not array.dtype.isnative or any(stride < 0 for stride in array.strides):
            array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # nobody writes to a read-only map here
            tensor = torch.from_numpy(array)
    if tensor.layout != torch.strided:
        raise AssayError(f"{name}: expected a dense tensor, found the layout {tensor.layout}; to_dense() makes it one")
    if tensor.is_meta:
        raise AssayError(f"{name}: expected numbers, found a tensor on the device 'meta', which holds none")
    if tensor.is_complex() or tensor.is_quantized:
        raise AssayError(f"{name}: expected real numbers, found {tensor.dtype}")
    return tensor.to(_WIDENED.get(tensor.dtype, tensor.dtype))  # up to 53 bits are exact in float64


def _extremes(x: Samples) -> tuple[float, float]:
    """The smallest and the largest value; refuses what is not finite."""
    lowest, highest = math.inf, -math.inf
    for start, block in x.blocks():
        low, high = (float(value) for value in block.aminmax())
        if not -LARGEST < low <= high < LARGEST:
            raise _unfit(block, x.name, start, len(x))
        lowest, highest = min(lowest, low), max(highest, high)
    return lowest, highest


def _unfit(block: Tensor, name: str, start: int, n: int) -> AssayError:
    finite = torch.isfinite(block).all(dim=1)
    if finite.all():
        return AssayError(f"{name}: a value beyond ±{LARGEST:g}, whose squared distances do not fit float64")
    row = start + int((~finite).int().argmax())
    return AssayError(f"{name}: row {row} of {n} is not finite; not-a-number and infinity have no neighbours")


def labels(y: Labels, n: int, name: str = "y", rows: str = "x") -> Int64[np.ndarray, " n"]:
    """``y`` as int64 of length ``n``.

    Raises:
        AssayError: ``y`` is not a list of ``n`` whole numbers.
    """
    array = y.detach().cpu().numpy() if isinstance(y, Tensor) else np.asarray(y)
    if array.dtype.kind not in "iub":
        raise AssayError(
            f"{name}: expected whole numbers as labels, found {array.dtype}; use smoothness_index for targets"
        )
    if array.ndim != 1 or len(array) != n:
        raise AssayError(f"{name}: expected one label for each of the {n} rows of {rows}, found shape {array.shape}")
    return array.astype(np.int64)


def enough(n: int, name: str = "x", least: int = 2) -> None:
    """Raise AssayError where there are fewer than ``least`` samples."""
    if n < least:
        raise AssayError(f"{name}: expected at least {least} samples, found {n}")


def is_order(k: object) -> bool:
    """Whether ``k`` is a whole number from 1; True and 1.0 are not."""
    return isinstance(k, Integral) and not isinstance(k, bool) and int(k) >= 1


def standardized(x: Samples) -> Samples:
    """Differences in each column counted in standard deviations of that column over ``x``; constant columns as they
    are."""
    shift = x.tensor[0].double()
    total, squares = torch.zeros_like(shift), torch.zeros_like(shift)
    for _, block in x.blocks():
        moved = block.double() - shift
        total += moved.sum(dim=0)
        squares += moved.square().sum(dim=0)
    deviation = (squares / len(x) - (total / len(x)).square()).clamp(min=0).sqrt()
    constant = deviation <= 1e-12 * (squares / len(x)).sqrt()
    return replace(x, factors=torch.where(constant, 1.0, 1 / deviation))
