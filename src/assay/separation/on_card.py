"""``distances.squared_distances`` on a card: the same bits, which means NumPy's order of summation.

NumPy adds a row of at most 128 numbers into eight sums in turn and those in pairs; a longer row is the sum of its two
halves, the first a multiple of eight long (pairwise summation, Higham 1993, SIAM J. Sci. Comput. 14).
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from assay.separation.samples import Samples

_LEAF, _SUMS = 128, 8
_BYTES = 2**28
"""Of differences at a time."""


def squared_distances(
    a: Samples, i: Int64[np.ndarray, " pairs"], b: Samples, j: Int64[np.ndarray, " pairs"]
) -> Float64[np.ndarray, " pairs"]:
    """‖a_i − b_j‖² for each pair of row numbers."""
    device = a.tensor.device
    first, second = (torch.from_numpy(rows).to(device) for rows in (i, j))
    found = torch.empty(len(i), dtype=torch.float64, device=device)
    step = max(1, _BYTES // (8 * a.width))
    for out, one, other in zip(found.split(step), first.split(step), second.split(step), strict=True):
        difference = a.tensor.index_select(0, one).double() - b.tensor.index_select(0, other).double()
        if a.factors is not None:
            difference *= a.factors
        out.copy_(summed(difference.square_()))
    squared: Float64[np.ndarray, " pairs"] = found.cpu().numpy()
    return squared


def summed(rows: Float64[Tensor, "n d"]) -> Float64[Tensor, " n"]:
    """``rows.numpy().sum(axis=1)``, to the bit."""
    pieces = leaves(rows.shape[1])
    sums = torch.empty(len(rows), len(pieces), dtype=rows.dtype, device=rows.device)
    for length in {length for _, length in pieces}:
        chosen = [n for n, (_, found) in enumerate(pieces) if found == length]
        starts = torch.tensor([pieces[n][0] for n in chosen], device=rows.device)
        columns = starts[:, None] + torch.arange(length, device=rows.device)
        sums[:, chosen] = _leaf(rows[:, columns])
    return _combined(rows.shape[1], iter(sums.unbind(1)))


@cache
def leaves(width: int) -> tuple[tuple[int, int], ...]:
    """(start, length) of the pieces that are added number by number."""

    def split(start: int, length: int) -> Iterator[tuple[int, int]]:
        if length <= _LEAF:
            yield start, length
        else:
            half = length // 2 - length // 2 % _SUMS
            yield from split(start, half)
            yield from split(start + half, length - half)

    return tuple(split(0, width))


def _leaf(x: Float64[Tensor, "n pieces length"]) -> Float64[Tensor, "n pieces"]:
    length = x.shape[2]
    if length < _SUMS:
        total, done = x[:, :, 0].clone(), 1
    else:
        done = length - length % _SUMS
        r = x[:, :, :_SUMS].clone()
        for start in range(_SUMS, done, _SUMS):
            r += x[:, :, start : start + _SUMS]
        pairs = r[:, :, 0::2] + r[:, :, 1::2]
        fours = pairs[:, :, 0::2] + pairs[:, :, 1::2]
        total = fours[:, :, 0] + fours[:, :, 1]
    for place in range(done, length):
        total = total + x[:, :, place]
    return total


def _combined(width: int, sums: Iterator[Float64[Tensor, " n"]]) -> Float64[Tensor, " n"]:
    """The sums of the pieces of a row, added up half by half."""
    if width <= _LEAF:
        return next(sums)
    half = width // 2 - width // 2 % _SUMS
    first = _combined(half, sums)
    return first + _combined(width - half, sums)
