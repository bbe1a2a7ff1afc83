"""Indices that ask for the labels of the nearest neighbours (arXiv:1906.05156, and its authors' high and soft orders).

A sample is never its own neighbour, and of equally distant ones the first counts. A class with one member is allowed:
its only sample has neighbours of other classes alone, so its separation is 0, which ``per_class`` shows.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from assay.errors import AssayError, unknown
from assay.separation.index import Index, index
from assay.separation.neighbors import MEMORY, Progress, search
from assay.separation.samples import Labels, Matrix, Samples, enough, is_order, labels, samples, standardized


def separation_index(
    x: Matrix, y: Labels, *, standardize: bool = False, memory: int = MEMORY, progress: Progress | None = None
) -> Index:
    """SI: the share of samples whose nearest neighbour has their label.

    Args:
        x: (n, d), one sample a row.
        y: (n,) whole numbers.
        standardize: count differences in standard deviations of each column.
        memory: bytes to work in, besides ``x``.
        progress: called with (rows done, rows to do).

    Raises:
        AssayError: fewer than two samples, labels that do not fit the rows, values that are not finite.
    """
    return _among_themselves("separation", x, y, 1, standardize, memory, progress)


def high_order_index(
    x: Matrix, y: Labels, k: int, *, standardize: bool = False, memory: int = MEMORY, progress: Progress | None = None
) -> Index:
    """The share of samples whose ``k`` nearest neighbours all have their label; otherwise as ``separation_index``."""
    return _among_themselves("high_order", x, y, k, standardize, memory, progress)


def soft_order_index(
    x: Matrix, y: Labels, k: int, *, standardize: bool = False, memory: int = MEMORY, progress: Progress | None = None
) -> Index:
    """The mean share of the ``k`` nearest neighbours that have a sample's label; otherwise as ``separation_index``."""
    return _among_themselves("soft_order", x, y, k, standardize, memory, progress)


def anti_index(
    x: Matrix, y: Labels, k: int, *, standardize: bool = False, memory: int = MEMORY, progress: Progress | None = None
) -> Index:
    """The share of samples none of whose ``k`` nearest neighbours has their label; otherwise as
    ``separation_index``."""
    return _among_themselves("anti", x, y, k, standardize, memory, progress)


def cross_index(
    x_train: Matrix,
    y_train: Labels,
    x_test: Matrix,
    y_test: Labels,
    *,
    standardize: bool = False,
    memory: int = MEMORY,
    progress: Progress | None = None,
) -> Index:
    """The share of test samples whose nearest training sample has their label: the accuracy of a 1-nearest neighbour.

    ``standardize`` goes by the training samples' deviations. A test label that no training sample has is never met.
    """
    train, known, test, asked = prepared_pair(x_train, y_train, x_test, y_test, standardize)
    found = search(train, 1, test, memory, progress)
    return neighbor_index("cross_separation", found.rows, asked, known)


class Kind(NamedTuple):
    """An index of the neighbours' labels."""

    value: Callable[[Bool[np.ndarray, "n k"]], Float64[np.ndarray, " n"]]
    """Per sample, from where its neighbours have its label."""
    chance: Callable[[int, int, int], float]
    """Expected value for a sample with ``same`` candidates of its label among ``all``, ``k`` of them drawn."""


def _every(same: int, total: int, k: int) -> float:
    return float(np.prod((same - np.arange(k)).clip(min=0) / (total - np.arange(k))))


KINDS: Mapping[str, Kind] = {
    "separation": Kind(lambda agree: agree[:, 0].astype(float), lambda same, total, k: same / total),
    "cross_separation": Kind(lambda agree: agree[:, 0].astype(float), lambda same, total, k: same / total),
    "high_order": Kind(lambda agree: agree.all(axis=1).astype(float), _every),
    "soft_order": Kind(lambda agree: agree.mean(axis=1), lambda same, total, k: same / total),
    "anti": Kind(
        lambda agree: (~agree.any(axis=1)).astype(float), lambda same, total, k: _every(total - same, total, k)
    ),
}
"""Name → how the index follows from the neighbours' labels, and from the class counts if labels are permuted."""


def neighbor_index(
    name: str, neighbors: Int64[np.ndarray, "n k"], y: Labels, among: Labels | None = None, k: int | None = None
) -> Index:
    """One of ``KINDS`` from neighbours already found, so that one search serves several indices and orders.

    Args:
        name: "separation", "high_order", "soft_order", "anti" or "cross_separation".
        neighbors: row numbers, nearest first.
        y: labels of the samples whose neighbours these are.
        among: labels of the rows that ``neighbors`` counts; None is ``y``.
        k: use only so many of the neighbours.
    """
    if name not in KINDS:
        raise unknown("index", name, KINDS)
    own = labels(y, len(neighbors), rows="neighbors")
    theirs = own if among is None else labels(among, len(among), "among")
    if k is not None and not (is_order(k) and k <= neighbors.shape[1]):
        raise AssayError(f"k: expected 1 to {neighbors.shape[1]}, the neighbours found, got {k!r}")
    used = neighbors[:, :k]
    values = KINDS[name].value(theirs[used] == own[:, None])
    classes, counts = np.unique(own, return_counts=True)
    itself = among is None
    chances = [
        KINDS[name].chance(int((theirs == c).sum()) - itself, len(theirs) - itself, used.shape[1]) for c in classes
    ]
    return index(name, values, float(np.average(chances, weights=counts)), own)


def _among_themselves(
    name: str, x: Matrix, y: Labels, k: int, standardize: bool, memory: int, progress: Progress | None
) -> Index:
    data, own = prepared(x, y, standardize)
    return neighbor_index(name, search(data, k, None, memory, progress).rows, own)


def prepared(x: Matrix, y: Labels, standardize: bool) -> tuple[Samples, Int64[np.ndarray, " n"]]:
    """At least two samples and their labels, checked."""
    data: Any = samples(x)
    own = labels(y, len(data))
    enough(len(data))
    return (standardized(data) if standardize else data), own


def prepared_pair(
    x_train: Matrix, y_train: Labels, x_test: Matrix, y_test: Labels, standardize: bool
) -> tuple[Samples, Int64[np.ndarray, " n"], Samples, Int64[np.ndarray, " m"]]:
    """Training and test samples, at least one each, with their labels, checked."""
    train, test = samples(x_train, "x_train"), samples(x_test, "x_test")
    known = labels(y_train, len(train), "y_train", "x_train")
    asked = labels(y_test, len(test), "y_test", "x_test")
    enough(len(train), "x_train", 1)
    enough(len(test), "x_test", 1)
    return (standardized(train) if standardize else train), known, test, asked
