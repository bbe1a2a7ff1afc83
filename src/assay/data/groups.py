"""Copies of one original: told apart by the file name, and cut as one piece.

A *block* is all copies of an original, a *stratum* all blocks with as many images of each class. How many blocks of
each stratum make an amount is a small closest vector problem, settled by a random rounding of the strata's shares and
descent from there; which blocks they are is drawn by chance.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from assay.errors import AssayError

Indices = Int64[np.ndarray, " _"]
_SWAPS = 400
"""Among so many strata at most, drawn by chance, exchanges of one block for another are looked for."""


def group_numbers(pattern: str, names: Sequence[str]) -> Indices:
    """A number for each picture, the same for all copies of an original.

    ``pattern`` is searched in the name; its first group, else all it matches, names the original. A picture whose name
    does not match is an original of its own.

    Raises:
        AssayError: no name matches.
    """
    expression = re.compile(pattern)
    numbers: dict[tuple[str, bool], int] = {}
    found = []
    matched = False
    for name in names:
        match = expression.search(name)
        matched = matched or match is not None
        key = name if match is None else (expression.groups and match[1]) or match[0]
        found.append(numbers.setdefault((key, match is None), len(numbers)))
    if not matched:
        raise AssayError(f"data.group: {pattern!r} is found in none of the {len(names):,} file names, as {names[0]!r}")
    return np.array(found, dtype=np.int64)


@dataclass(frozen=True)
class Stratum:
    """Blocks that are alike."""

    counts: Int64[np.ndarray, " classes"]
    """Images of each class in every block."""
    blocks: Int64[np.ndarray, "blocks size"]
    """The indices of each block's images."""


def strata(pool: Indices, labels: Indices, classes: int, groups: Indices | None) -> list[Stratum]:
    """The pool's blocks, sorted; without ``groups`` every image is a block, and every class a stratum."""
    one_hot = np.eye(classes, dtype=np.int64)
    if groups is None:
        return [Stratum(one_hot[k], pool[labels[pool] == k, None]) for k in range(classes)]
    ordered = pool[np.lexsort((pool, labels[pool], groups[pool]))]
    alike: dict[tuple[int, ...], list[Indices]] = {}
    for block in np.split(ordered, np.flatnonzero(np.diff(groups[ordered])) + 1):
        alike.setdefault(tuple(labels[block].tolist()), []).append(block)
    return [Stratum(one_hot[list(key)].sum(axis=0), np.stack(blocks)) for key, blocks in sorted(alike.items())]


def allot_blocks(
    there: list[Stratum], wanted: Int64[np.ndarray, " classes"], generator: np.random.Generator
) -> Indices:
    """How many blocks of each stratum come closest to the ``wanted`` images of each class.

    Their images are as many as wanted, but for at most the size of the largest block. Exact, and without chance, where
    every block is one image.
    """
    counts = np.array([stratum.counts for stratum in there])
    most = np.array([len(stratum.blocks) for stratum in there])
    sizes = counts.sum(axis=1)
    if (sizes == 1).all():
        return np.asarray(counts @ wanted)
    share = wanted / np.maximum(most @ counts, 1)
    order = generator.permutation(len(there))
    ends = np.floor(np.cumsum((most * (counts @ share) / sizes)[order]) + generator.random())
    taken = np.clip(np.diff(ends, prepend=0).astype(np.int64), 0, most[order])
    vectors, most = np.column_stack([counts, sizes])[order], most[order]
    target = np.append(wanted, wanted.sum())
    for weight in (1, 2 * sizes @ most + 1):
        taken = _descend(taken, most, vectors, target, weight)
        if abs(target[-1] - taken @ vectors[:, -1]) <= sizes.max():
            break
    result = np.empty_like(taken)
    result[order] = taken
    return result


def _descend(
    taken: Indices,
    most: Indices,
    vectors: Int64[np.ndarray, "strata coordinates"],
    target: Int64[np.ndarray, " coordinates"],
    weight: int,
) -> Indices:
    """Add, remove or exchange the block that brings the sum of vectors closest to ``target``, until none does.

    Closest by squared distance, in which the last coordinate, the number of images, has a ``weight``. With more than
    twice the number of images there are, no sum of images is left further off than a block that would mend it.
    """
    weights = np.ones(len(target))
    weights[-1] = weight
    own = np.square(vectors) @ weights
    few = slice(0, _SWAPS)
    shared = 2 * (vectors[few] * weights) @ vectors[few].T
    taken = taken.copy()
    while True:
        pull = 2 * vectors @ (weights * (target - taken @ vectors))
        add = np.where(taken < most, pull - own, -np.inf)
        remove = np.where(taken > 0, -pull - own, -np.inf)
        swap = add[few, None] + remove[None, few] + shared
        best = max(add.max(), remove.max(), swap.max())
        if best <= 0:
            return taken
        if best == swap.max():
            more, fewer = np.unravel_index(swap.argmax(), swap.shape)
            taken[more] += 1
            taken[fewer] -= 1
        elif best == add.max():
            taken[add.argmax()] += 1
        else:
            taken[remove.argmax()] -= 1
