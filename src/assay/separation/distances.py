"""The distance that counts: float64, of single pairs of rows, the same bits however the pairs are grouped.

The value is NumPy's ``((x_i - x_j) ** 2).sum()`` on float64 rows. Every pair is subtracted before it is squared, so
that the relative error is below 1e-12 for any width and any offset, and equal rows are at distance exactly 0.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float64, Int64

from assay.separation import on_card
from assay.separation.rows import gamma
from assay.separation.samples import Samples

RELATIVE_ERROR = 1e-12
_CHUNK = 65_536
"""Numbers that a thread works on at a time: a few such arrays fit a second-level cache."""
_WIDE = 4096


def squared_distances(
    a: Samples, i: Int64[np.ndarray, " pairs"], b: Samples, j: Int64[np.ndarray, " pairs"]
) -> Float64[np.ndarray, " pairs"]:
    """‖a_i − b_j‖² for each pair of row numbers."""
    if a.tensor.device.type != "cpu":
        return on_card.squared_distances(a, i, b, j)
    result = np.empty(len(i))
    step = max(1, _CHUNK // a.width)
    factors = None if a.factors is None else a.factors.cpu().numpy()

    def work(part: slice) -> None:
        difference = _rows(a, i[part]) - _rows(b, j[part])
        if factors is not None:
            difference *= factors
        np.square(difference, out=difference)
        result[part] = difference.sum(axis=1)

    _in_parts(work, len(i), step, a, b)
    return result


def rough_distances(
    a: Samples, i: Int64[np.ndarray, " pairs"], b: Samples, j: Int64[np.ndarray, " pairs"]
) -> Float64[np.ndarray, " pairs"] | None:
    """Lower bounds of ``squared_distances`` from float32 arithmetic, wide rows only: they take a fraction of the time.

    Differences are off by 2⁻²⁴ of themselves, their sum of squares by γ of the width at most, in whatever order it is
    added; overflow is told by infinity, which bounds nothing and is given as 0.
    """
    if a.width < _WIDE or a.factors is not None or a.tensor.device.type != "cpu" or a.tensor.dtype != torch.float32:
        return None
    first, second = a.tensor.numpy(), b.tensor.numpy()
    result = np.empty(len(i))

    def work(part: slice) -> None:
        difference = np.empty(a.width, np.float32)
        for pair in range(part.start, part.stop):
            np.subtract(first[i[pair]], second[j[pair]], out=difference)
            result[pair] = np.dot(difference, difference)

    with np.errstate(over="ignore", under="ignore"):
        _in_parts(work, len(i), 64, a, b)
    result[~np.isfinite(result)] = 0.0
    return result * (1 - 1.1 * gamma(a.width + 4))


def _in_parts(work: Callable[[slice], None], pairs: int, step: int, a: Samples, b: Samples) -> None:
    """Do the ``work`` on ``step`` pairs at a time, giving back the pages of mapped files on the way."""
    together, count = max(1, min(a.together, b.together) // 2), torch.get_num_threads()

    def share(parts: Sequence[slice]) -> None:
        for part in parts:
            work(part)

    with ThreadPoolExecutor(count) as threads:
        for start in range(0, pairs, together):
            end = min(start + together, pairs)
            parts = [slice(part, min(part + step, end)) for part in range(start, end, step)]
            if count == 1 or len(parts) == 1:
                share(parts)
            else:
                list(threads.map(share, [parts[first::count] for first in range(count)]))
            a.release()
            b.release()


def _rows(x: Samples, rows: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "n d"]:
    if x.tensor.device.type != "cpu" or x.tensor.dtype == torch.bfloat16:
        return x.tensor[torch.from_numpy(rows).to(x.tensor.device)].double().cpu().numpy()
    return np.take(x.tensor.numpy(), rows, axis=0).astype(np.float64, order="C", copy=False)
