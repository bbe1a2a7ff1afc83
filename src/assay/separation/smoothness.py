"""The smoothness index, for continuous targets (arXiv:1906.05156)."""

import numpy as np
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor

from assay.errors import AssayError
from assay.separation.index import Index, index
from assay.separation.neighbors import MEMORY, Progress, search
from assay.separation.samples import Matrix, Samples, enough, samples, standardized

Targets = Shaped[Tensor, "n ..."] | Shaped[np.ndarray, "n ..."]
_BLOCK = 2**21


def smoothness_index(
    x: Matrix | Samples,
    targets: Targets,
    *,
    standardize: bool = False,
    memory: int = MEMORY,
    progress: Progress | None = None,
) -> Index:
    """SmI: the mean over samples of (d_max − d*) / (d_max − d_min).

    The d are the Euclidean distances of sample i's target from those of all other samples, d* that of the target of i's
    nearest neighbour in ``x``: 1 if neighbours in ``x`` are neighbours in the targets. Where all targets are equally
    far, d_max = d_min, no neighbour could do better, and the sample counts as 1.

    Args:
        x: (n, d), one sample a row, or such rows already checked.
        targets: (n,) or (n, t) real numbers.
        standardize: count differences of ``x`` in standard deviations of each column.
        memory: bytes to work in, besides ``x``.
        progress: called with (rows done, rows to do).

    Returns:
        An index without ``per_class``; its chance is exact: the neighbour drawn from all other samples alike.

    Raises:
        AssayError: fewer than two samples, targets that do not fit the rows, values that are not finite.
    """
    data = x if isinstance(x, Samples) else samples(x)
    enough(len(data))
    wanted = _targets(targets, len(data))
    found = search(standardized(data) if standardize else data, 1, None, memory, progress)
    values, chances = np.empty(len(data)), np.empty(len(data))
    step = max(1, _BLOCK // (len(data) * wanted.shape[1]))
    for start in range(0, len(data), step):
        part = slice(start, start + step)
        values[part], chances[part] = _smoothness(wanted, np.arange(len(data))[part], found.rows[part, 0])
    return index("smoothness", values, float(chances.mean()))


def _smoothness(
    targets: Float64[np.ndarray, "n t"], rows: Int64[np.ndarray, " b"], nearest: Int64[np.ndarray, " b"]
) -> tuple[Float64[np.ndarray, " b"], Float64[np.ndarray, " b"]]:
    """Value and expected value under a random neighbour, for some rows."""
    here = np.arange(len(rows))
    distances = np.sqrt(((targets[rows, None] - targets) ** 2).sum(axis=2))
    found = distances[here, nearest]
    mean = distances.sum(axis=1) / (len(targets) - 1)
    most = distances.max(axis=1)
    distances[here, rows] = np.inf
    least = distances.min(axis=1)
    span = np.where(most > least, most - least, 1.0)
    level = most > least
    return np.where(level, (most - found) / span, 1.0), np.where(level, (most - mean) / span, 1.0)


def _targets(targets: Targets, n: int) -> Float64[np.ndarray, "n t"]:
    array = targets.detach().cpu().numpy() if isinstance(targets, Tensor) else np.asarray(targets)
    if array.dtype.kind not in "fiub" or array.ndim not in (1, 2) or len(array) != n:
        raise AssayError(f"targets: expected one number or row of numbers for each of the {n} rows, got {array.shape}")
    if not np.isfinite(array).all():
        raise AssayError(f"targets: row {int((~np.isfinite(array.reshape(n, -1))).any(axis=1).argmax())} is not finite")
    return array.reshape(n, -1).astype(np.float64)
