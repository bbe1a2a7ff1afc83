"""Indices that ask for the nearest class mean (centre separation of arXiv:1906.05156).

Of equally near means the one of the lowest label counts. A class with one member is its own mean, so its sample is
always right; the same pull, weaker, lifts every class of few samples above one in so many, which is why the chance
level is found by permuting the labels and taking the means again.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from assay.seeds import numpy_generator
from assay.separation.index import Index, index
from assay.separation.indices import prepared, prepared_pair
from assay.separation.neighbors import MEMORY, Progress, alike, counter
from assay.separation.samples import Labels, Matrix, Samples
from assay.separation.sketch import Advance

PERMUTATIONS, DEALS = 10, 10_000
"""Labels are permuted until so many rows have been dealt a label, at most so many times."""
_ROUNDING = 1e-10
_BLOCK_BYTES = 2**26


def center_index(
    x: Matrix, y: Labels, *, standardize: bool = False, memory: int = MEMORY, progress: Progress | None = None
) -> Index:
    """CSI: the share of samples whose nearest class mean is that of their own class (their own row included in it);
    otherwise as ``separation_index``."""
    data, own = prepared(x, y, standardize)
    return mean_index("center", data, own, data, own, memory, progress)


def cross_center_index(
    x_train: Matrix,
    y_train: Labels,
    x_test: Matrix,
    y_test: Labels,
    *,
    standardize: bool = False,
    memory: int = MEMORY,
    progress: Progress | None = None,
) -> Index:
    """The share of test samples whose nearest training class mean is that of their label: the accuracy of nearest
    means.

    ``standardize`` goes by the training samples' deviations. A test label that no training sample has is never met.
    """
    train, known, test, asked = prepared_pair(x_train, y_train, x_test, y_test, standardize)
    return mean_index("cross_center", train, known, test, asked, memory, progress)


def mean_index(
    name: str,
    train: Samples,
    known: Int64[np.ndarray, " n"],
    test: Samples,
    asked: Int64[np.ndarray, " m"],
    memory: int = MEMORY,
    progress: Progress | None = None,
) -> Index:
    """``center_index`` (``test`` is ``train``) or ``cross_center_index`` of samples that are already checked."""
    test = test if test is train else alike(test, train)
    classes, place = np.unique(known, return_inverse=True)
    truth = np.where(np.isin(asked, classes), np.searchsorted(classes, asked), -1)
    room = memory // (32 * len(classes) * train.width)
    rounds = int(np.clip(min(room, -(-DEALS // len(known))), 1, PERMUTATIONS))
    generator = numpy_generator(0, "center chance", len(known))
    dealt = np.stack([place, *(generator.permutation(place) for _ in range(rounds))])
    targets = dealt if train is test else np.broadcast_to(truth, (len(dealt), len(truth)))
    origin = train.tensor[0].double()
    advance = counter(len(train) + len(test), progress)
    means = _means(train, origin, dealt, len(classes), memory, advance)
    hits = np.empty((len(dealt), len(test)))
    for part, rows in _blocks(test, origin, memory):
        hits[:, part] = _nearest(rows, means).cpu().numpy() == targets[:, part]
        advance(len(rows))
    return index(name, hits[0], float(hits[1:].mean()), asked)


def _means(
    x: Samples, origin: Tensor, places: Int64[np.ndarray, "p n"], classes: int, memory: int, advance: Advance
) -> Float64[Tensor, "p c d"]:
    """The class means under each of several labellings, from ``origin``."""
    sums = torch.zeros(len(places) * classes, x.width, dtype=torch.float64, device=origin.device)
    slots = torch.from_numpy(places + classes * np.arange(len(places))[:, None]).to(origin.device)
    for part, rows in _blocks(x, origin, memory):
        member = torch.zeros(len(sums), len(rows), dtype=torch.float64, device=origin.device)
        sums += member.scatter_(0, slots[:, part], 1.0) @ rows
        advance(len(rows))
    counts = torch.from_numpy(np.bincount(places[0], minlength=classes)).to(origin.device)
    means: Tensor = sums.view(len(places), classes, -1) / counts[:, None]
    return means


def _nearest(rows: Float64[Tensor, "b d"], means: Float64[Tensor, "p c d"]) -> Int64[Tensor, "p b"]:
    """The nearest mean under each labelling; under the first, near-ties are settled by the distances themselves."""
    squares = means.square().sum(dim=2)
    scores = squares[:, None] - 2 * (rows @ means.flatten(0, 1).T).unflatten(1, means.shape[:2]).movedim(1, 0)
    found: Tensor = scores.argmin(dim=2)
    if means.shape[1] > 1:
        best = scores[0].topk(2, dim=1, largest=False).values
        doubt = _ROUNDING * (rows.square().sum(dim=1) + squares[0].max())
        for row in (best[:, 1] - best[:, 0] <= doubt).nonzero().flatten().tolist():
            found[0, row] = (rows[row] - means[0]).square().sum(dim=1).argmin()
    return found


def _blocks(x: Samples, origin: Tensor, memory: int) -> Iterator[tuple[slice, Float64[Tensor, "b d"]]]:
    """The rows from ``origin``, in float64, a block at a time."""
    step = max(1, min(memory // 8, _BLOCK_BYTES) // (8 * x.width))
    for start in range(0, len(x), step):
        rows = x.tensor[start : start + step].double() - origin
        yield slice(start, start + len(rows)), rows if x.factors is None else rows * x.factors
        x.release()
