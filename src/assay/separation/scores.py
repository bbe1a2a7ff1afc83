"""How doubtful each label is, by the labels around it."""

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from assay.separation.distances import squared_distances
from assay.separation.indices import prepared
from assay.separation.neighbors import MEMORY, Progress, counter, search
from assay.separation.samples import Labels, Matrix, Samples

_FIRST = 16
_ROUNDING = 1e-10
"""Above the relative rounding error of a float64 product of rows of any width that fits a disk."""


def sample_scores(
    x: Matrix,
    y: Labels,
    *,
    standardize: bool = False,
    memory: int = MEMORY,
    progress: Progress | None = None,
) -> Int64[np.ndarray, " n"]:
    """For each sample the largest k for which its first k neighbours all share its label, or minus the largest for
    which none does.

    The lowest scores belong to the most doubtful labels. A score is at most n_c − 1 for a class of n_c samples, and at
    least −(N − n_c) for N samples; it is never 0.

    The first 16 neighbours, found by bounds, decide most samples. A longer run ends at the first neighbour of the other
    kind, and its length is how many are nearer: for those samples all distances are computed, in blocks, in float64.

    Args:
        x: (n, d), one sample a row.
        y: (n,) whole numbers.
        standardize: count differences in standard deviations of each column.
        memory: bytes to work in, besides ``x``; of a mapped file no more than this stays resident.
        progress: called with (rows done, rows to do).

    Raises:
        AssayError: fewer than two samples, labels that do not fit the rows, values that are not finite.
    """
    data, own = prepared(x, y, standardize)
    data = data.within(memory)
    few = min(_FIRST, len(data) - 1)
    agree = own[search(data, few, None, memory, progress).rows] == own[:, None]
    positive = agree[:, 0]
    length = np.where((agree == positive[:, None]).all(axis=1), few, (agree != positive[:, None]).argmax(axis=1))
    longer = np.flatnonzero(length == few)
    if few < len(data) - 1 and len(longer):
        length[longer] = _run_lengths(data, own, longer, positive[longer], memory, progress)
    return np.where(positive, length, -length)


def _run_lengths(
    x: Samples,
    y: Int64[np.ndarray, " n"],
    rows: Int64[np.ndarray, " r"],
    positive: Bool[np.ndarray, " r"],
    memory: int,
    progress: Progress | None,
) -> Int64[np.ndarray, " r"]:
    """For each of ``rows``, how many others are nearer than the nearest one whose label ends its run."""
    step = int(np.clip(memory // (64 * len(x)), 1, 1024))
    advance = counter(len(rows), progress)
    lengths = np.empty(len(rows), dtype=np.int64)
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        squared, doubt = _all_distances(x, some, memory)
        for place, (row, own) in enumerate(zip(some, positive[start : start + step], strict=True)):
            ends = (y != y[row]) if own else (y == y[row])
            ends[row] = False
            lengths[start + place] = _nearer(x, int(row), squared[place], float(doubt[place]), ends)
        advance(len(some))
    return lengths


def _nearer(
    x: Samples, row: int, squared: Float64[np.ndarray, " n"], doubt: float, ends: Bool[np.ndarray, " n"]
) -> int:
    """How many rows come before the first of ``ends`` in the order of distance and row number.

    Distances within ``doubt`` of the deciding one are computed again, exactly.
    """
    others = np.arange(len(squared)) != row
    if not ends.any():
        return int(others.sum())
    edge = squared[ends].min()
    unsure = np.flatnonzero((np.abs(squared - edge) <= 2 * doubt) & others)
    exact = squared_distances(x, np.full(len(unsure), row), x, unsure)
    ending = ends[unsure]
    last = min(zip(exact[ending].tolist(), unsure[ending].tolist(), strict=True))
    before = sum(pair < last for pair in zip(exact.tolist(), unsure.tolist(), strict=True))
    return int(((squared < edge - 2 * doubt) & others).sum()) + before


def _all_distances(
    x: Samples, rows: Int64[np.ndarray, " b"], memory: int
) -> tuple[Float64[np.ndarray, "b n"], Float64[np.ndarray, " b"]]:
    """Squared distances of some rows from all, and how far they may be off."""
    chosen = torch.from_numpy(rows).to(x.tensor.device)
    products = torch.zeros(len(rows), len(x), dtype=torch.float64, device=x.tensor.device)
    squares = torch.zeros(len(x), dtype=torch.float64, device=x.tensor.device)
    step = max(1, memory // (32 * len(x)))
    for start in range(0, x.width, step):
        part = x.take(slice(None), slice(start, start + step)).double()
        part = part - part[0] if x.factors is None else (part - part[0]) * x.factors[start : start + step]
        products += part[chosen] @ part.T
        squares += part.square().sum(dim=1)
        x.release()
    own = squares[chosen]
    return (own[:, None] + squares - 2 * products).cpu().numpy(), (_ROUNDING * (own + squares.max())).cpu().numpy()
