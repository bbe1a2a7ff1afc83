"""Exact nearest neighbours of wide rows, without comparing everything with everything.

Rows are projected on the principal directions of a sample of them. What the projection keeps bounds every distance from
below, one narrow matrix product rules out nearly every pair, and the true distance, in float64, is computed for the
pairs left. Narrow or few rows, and rows without a low-dimensional part, are compared whole. Either way the result is
that of computing every distance in float64, equal distances in the order of the rows.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, overload

import numpy as np
import torch
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor

from assay.errors import AssayError
from assay.seeds import numpy_generator
from assay.separation.basis import choose
from assay.separation.distances import rough_distances, squared_distances
from assay.separation.duplicates import distinct, queried, with_duplicates
from assay.separation.rows import Rows, centred
from assay.separation.samples import Matrix, Samples, enough, is_order, samples
from assay.separation.scan import Distances, Nearest, Pairs, scan
from assay.separation.sketch import Advance, Sketch, projected, whole

Progress = Callable[[int, int], None]
MEMORY = 2 * 2**30
"""Bytes to work in, besides the rows themselves."""
_SMALLEST_MEMORY = 2**24
_CENTRE_SAMPLE = 256


@overload
def nearest_neighbors(
    x: Shaped[np.ndarray, "..."],
    k: int = 1,
    queries: Matrix | None = None,
    *,
    memory: int = MEMORY,
    progress: Progress | None = None,
) -> tuple[Float64[np.ndarray, "q k"], Int64[np.ndarray, "q k"]]: ...
@overload
def nearest_neighbors(
    x: Shaped[Tensor, "..."],
    k: int = 1,
    queries: Matrix | None = None,
    *,
    memory: int = MEMORY,
    progress: Progress | None = None,
) -> tuple[Float64[Tensor, "q k"], Int64[Tensor, "q k"]]: ...
def nearest_neighbors(
    x: Matrix,
    k: int = 1,
    queries: Matrix | None = None,
    *,
    memory: int = MEMORY,
    progress: Progress | None = None,
) -> tuple[Shaped[Tensor, "q k"], Shaped[Tensor, "q k"]] | tuple[Shaped[np.ndarray, "q k"], Shaped[np.ndarray, "q k"]]:
    """The ``k`` nearest rows of ``x`` for every query, by Euclidean distance.

    Args:
        x: (n, d), one sample a row: any real type, in memory, mapped from disk (``np.memmap``) or on a GPU.
        k: how many neighbours.
        queries: (q, d) rows to find neighbours of; None is the rows of ``x``, none of which is its own neighbour.
        memory: bytes to work in, besides ``x`` and ``queries``; of a mapped file no more than this stays resident.
        progress: called with (rows done, rows to do).

    Returns:
        Distances (float64, ascending) and row numbers (int64), each (queries, k), in the kind of ``x``; equal distances
        in the order of the rows. The distance is NumPy's ``np.sqrt(((x_i - x_j) ** 2).sum())`` on float64 rows, to the
        bit.

    Raises:
        AssayError: fewer rows than asked for, a row that is not finite, or queries of another width.
    """
    data = samples(x)
    found = search(data, k, None if queries is None else samples(queries, "queries"), memory, progress)
    distances = np.sqrt(found.squared)
    if isinstance(x, Tensor):
        return torch.from_numpy(distances).to(x.device), torch.from_numpy(found.rows).to(x.device)
    return distances, found.rows


def search(
    data: Samples, k: int, queries: Samples | None = None, memory: int = MEMORY, progress: Progress | None = None
) -> Nearest:
    """``nearest_neighbors`` of samples that are already checked: squared distances and row numbers."""
    data = data.within(memory)
    if queries is not None:
        queries = alike(queries, data).within(memory)
    _check(data, k, queries, memory)
    if queries is not None and not len(queries):
        return Nearest(np.empty((0, k)), np.empty((0, k), dtype=np.int64))
    copies = distinct(data)
    rows = len(data) if copies is None else len(copies.first)
    few = min(k, rows - (queries is None))
    found = None
    if few:
        with _full_precision(data.tensor.device):
            found = _search_distinct(data, None if copies is None else copies.first, few, queries, memory, progress)
    if copies is None:
        assert found is not None
        return found
    if queries is None:
        return with_duplicates(found, copies, k)
    assert found is not None
    return queried(found, copies, k)


def _search_distinct(
    data: Samples,
    index: Int64[np.ndarray, " u"] | None,
    k: int,
    queries: Samples | None,
    memory: int,
    progress: Progress | None,
) -> Nearest:
    n = len(data) if index is None else len(index)
    some = np.sort(numpy_generator(0, "neighbors", n).permutation(n)[:_CENTRE_SAMPLE])
    extremes = (data.low, data.high, *(() if queries is None else (queries.low, queries.high)))
    rows = centred(data, index, some if index is None else index[some], min(extremes), max(extremes))
    asked = None if queries is None else Rows(queries, None, rows.centre, rows.scale)
    advance = counter(n + (len(rows) if asked is None else 2 * len(asked)), progress)
    basis = choose(rows, n if asked is None else len(asked), k, memory)

    def sketch(of: Rows) -> Sketch:
        return whole(of, memory, advance) if basis is None else projected(of, basis, memory, advance)

    def measured(by: Callable[..., Any]) -> Callable[[Pairs, Pairs], Any]:
        return lambda i, j: by(
            data if asked is None else asked.samples, (asked or rows).original(i), data, rows.original(j)
        )

    distances = Distances(measured(squared_distances), measured(rough_distances))
    known = sketch(rows)
    return scan(known if asked is None else sketch(asked), known, k, distances, asked is None, memory, advance)


def alike(queries: Samples, data: Samples) -> Samples:
    """The queries with the device and the factors of the data; AssayError if their width differs."""
    if queries.width != data.width:
        raise AssayError(
            f"{queries.name}: expected rows of {data.width} numbers like {data.name}, found {queries.width}"
        )
    return replace(queries, tensor=queries.tensor.to(data.tensor.device), factors=data.factors)


def check_order(k: int, data: Samples, among_themselves: bool = True) -> None:
    """Raise AssayError where a row of ``data``, or another row, has no ``k`` neighbours in ``data``."""
    enough(len(data), data.name, 1 + among_themselves)
    most = len(data) - among_themselves
    if not (is_order(k) and k <= most):
        raise AssayError(f"k: expected 1 to {most} neighbours among the {len(data)} rows of {data.name}, found {k!r}")


def _check(data: Samples, k: int, queries: Samples | None, memory: int) -> None:
    check_order(k, data, among_themselves=queries is None)
    if memory < _SMALLEST_MEMORY:
        raise AssayError(f"memory: expected at least {_SMALLEST_MEMORY} bytes (16 MiB), found {memory}")


def counter(total: int, progress: Progress | None) -> Advance:
    """Turns rows done one after the other into calls of ``progress``."""
    done = 0

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
        if progress is not None:
            progress(done, total)

    return advance


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Float32 products as float32: the bounds are proven for nothing less."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
