"""What one run of each of two networks says of their difference: the bootstrap over images and the swap test.

Both take metrics as functions of image weights (``assay.tasks.scores``) and speak of these two networks on other images
like these; neither says anything about training again with another seed. Images made from one original (crops, frames,
copies) carry its number in ``groups`` and are drawn and swapped together.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from assay.seeds import numpy_generator
from assay.tasks.scores import Score

DRAWS = 2_000
"""Both ends of a 95 % interval then vary from seed to seed by 6 % of a standard error, p = 0.05 by 0.005, and p cannot
go below 0.0005. Costs 15 ns a draw and image, and the scores: for a mean over 10,000 images 0.3 s, for COCO's mAP of
500 images 3 s."""

BLOCK = 2**20
"""Weights are made so many at a time, 8 MB."""

Groups = Int64[np.ndarray, " images"]


class Difference(NamedTuple):
    """A metric of a minus that of b with the ends of its interval; None where the data do not give one."""

    difference: float | None
    low: float | None
    high: float | None


def bootstrap(
    a: Score,
    b: Score,
    images: int,
    groups: Groups | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """The metric of a minus that of b, with the paired percentile bootstrap interval over originals (Efron, 1979).

    As many originals as there are, drawn with replacement (the cluster bootstrap: Davison & Hinkley, Bootstrap Methods,
    1997, §3.8); both metrics are taken on the same draw. Draws in which a metric does not exist are left out. A single
    original gives no interval. Fewer than some 30 give one that is too narrow.
    """
    if images == 0:
        return Difference(None, None, None)
    ones = np.ones((1, images))
    difference = float((a(ones) - b(ones))[0])
    if np.isnan(difference):
        return Difference(None, None, None)
    original, originals = original_of_each(images, groups)
    found = np.concatenate([a(w) - b(w) for w in resamples(original, originals, draws, seed)])
    found = found[~np.isnan(found)]
    if originals == 1 or found.size == 0:
        return Difference(difference, None, None)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Difference(difference, float(low), float(high))


def swap(both: Score, images: int, groups: Groups | None = None, draws: int = DRAWS, seed: int = 0) -> float | None:
    """Two-sided p of the randomisation test that exchanges two networks' answers, original by original.

    ``both`` is the metric of 2n rows, a's answers to the n images and then b's: were the networks alike, every
    original's two answers could as well stand in the other's place (Fisher, Design of Experiments, 1935, §21).
    p = (1 + hits)/(1 + draws), hits being the exchanges that make a difference at least as large, ties up to rounding
    included (Phipson & Smyth, SAGMB 9, 2010); those after which the metric does not exist are not counted. None where
    the metric itself does not exist. Of right answers, McNemar's test is the exact form.
    """
    if images == 0:
        return None
    observed = _between(both, np.ones((1, images), dtype=bool))[0]
    if np.isnan(observed):
        return None
    original, originals = original_of_each(images, groups)
    generator = numpy_generator(seed, "swap")
    sides = (generator.integers(0, 2, (size, originals)) == 1 for size in _blocks(draws, 2 * images))
    found = np.concatenate([_between(both, side[:, original]) for side in sides])
    scale = np.abs(both(np.ones((1, 2 * images))))[0]
    hits = np.abs(found) >= abs(observed) - 1e-10 * scale
    return float((1 + hits.sum()) / (1 + np.count_nonzero(~np.isnan(found))))


def _between(both: Score, first: Bool[np.ndarray, "draws images"]) -> Float64[np.ndarray, " draws"]:
    """The metric of a's answers where ``first`` and b's elsewhere, minus that of the answers left over."""
    weights = np.concatenate([first, ~first], axis=1).astype(np.float64)
    return both(weights) - both(1 - weights)


def original_of_each(images: int, groups: Groups | None) -> tuple[Int64[np.ndarray, " images"], int]:
    """Every image's original, counted from 0, and how many there are."""
    if groups is None:
        return np.arange(images), images
    found, original = np.unique(groups, return_inverse=True)
    return original, found.size


def resamples(
    original: Int64[np.ndarray, " images"], originals: int, draws: int, seed: int
) -> Iterator[Float64[np.ndarray, "block images"]]:
    """How often each image counts when its original is drawn with replacement, some draws at a time."""
    generator = numpy_generator(seed, "bootstrap")
    for size in _blocks(draws, original.size):
        drawn = generator.integers(0, originals, (size, originals)) + originals * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * originals).reshape(size, originals)
        yield counts.astype(np.float64)[:, original]


def _blocks(draws: int, width: int) -> Iterator[int]:
    """Sizes of blocks of draws whose weights fit ``BLOCK``."""
    most = max(1, BLOCK // width)
    for start in range(0, draws, most):
        yield min(most, draws - start)
