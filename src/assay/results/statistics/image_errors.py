"""What other test images would change in a mean over seeds, or in a difference of two: the images' part of its error.

Seeds and test images are crossed: every run answers the same images. The variance of what is averaged over both is that
over the seeds plus that over the images less that of what neither explains, which both contain (the pigeonhole model:
Owen, Ann. Appl. Stat. 1, 2007; two-way clusters: Cameron, Gelbach & Miller, JBES 29, 2011).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from assay.results.statistics.answers import Answers
from assay.results.statistics.evidence import original_of_each, resamples
from assay.results.statistics.quantiles import quantile
from assay.tasks.scores import MeanScore, Score

DRAWS = 200
"""Of test images, in which every run's metric is taken; the deviation that they give is sure to 5 %."""
FLOOR = 4 / 3
"""The whole variance is at least so much of its larger part, over the freedom of the variance over seeds: two thirds at
two degrees, where chance can make that very small. Tuned by ``benchmarks/simulate_images.py``: without a floor the
intervals of three seeds miss the truth in up to 7.5 % of studies, never below the larger part in 2 %."""
KEPT = 2**22
"""So many weights are kept from one run to the next, 32 MB."""

Run = tuple[str, int]
"""Variant and seed."""


class ImageError(NamedTuple):
    """The part of the test images in the variance of a mean over seeds."""

    variance: float
    crossed: float
    """What the variance over the seeds has as well: of what neither seeds nor images explain."""
    freedom: int | float
    """Degrees of freedom of the variance."""


Images = Callable[[str, str, Sequence[int]], ImageError | None]
"""(variant, reference, seeds) → of their difference over these seeds; None where the answers do not say."""


class Combined(NamedTuple):
    """The variance of a mean over seeds and images, and its degrees of freedom."""

    variance: float
    freedom: int | float
    images: float | None = None
    """Of the variance what no number of seeds takes away, where the images count."""


def combined(variance: float, freedom: int | float, images: ImageError | None, alpha: float = 0.05) -> Combined:
    """A mean's ``variance`` over seeds, known with so much ``freedom``, and the part of the test images together.

    V = V_seeds + V_images − V_crossed, at least ``FLOOR``/freedom of the larger of the first two, with Satterthwaite's
    freedom (Biometrics Bulletin 2, 1946). Below two degrees of freedom, two seeds of two variants, the
    variance over seeds is too uncertain for a sum: the part whose interval at 1 − ``alpha`` is wider stands alone.
    """
    if images is None:
        return Combined(variance, freedom)
    lasting = max(images.variance - images.crossed, 0.0)
    if freedom < 2:
        either = Combined(variance, freedom, lasting), Combined(images.variance, images.freedom, lasting)
        return max(either, key=lambda part: math.sqrt(part.variance) * quantile(alpha, 2, part.freedom))
    parts = (variance, freedom), (images.variance, images.freedom), (images.crossed, freedom * images.freedom)
    whole = max(variance + images.variance - images.crossed, FLOOR / freedom * max(variance, images.variance))
    uncertain = sum(part**2 / of for part, of in parts)
    least = min(freedom, images.freedom)
    return Combined(whole, max(whole**2 / uncertain, least) if uncertain else least, lasting)


def pooled_crossed(values: Mapping[str, Mapping[int, float]], images: Images) -> float | None:
    """What ``ImageError.crossed`` is of one seed, the mean over all pairs of variants: as the variance over seeds that
    they share has it."""
    found = []
    for a, b in combinations(values, 2):
        seeds = sorted(values[a].keys() & values[b].keys())
        if error := images(a, b, seeds):
            found.append(error.crossed * len(seeds))
    return sum(found) / len(found) if found else None


@dataclass(frozen=True, eq=False)
class ImageErrors:
    """How a metric of a study's runs varies over their test images, and together."""

    places: Mapping[Run, int]
    covariance: Float64[np.ndarray, "runs runs"]
    """Over test images; nan between runs that were not tested on the same ones."""
    freedom: Float64[np.ndarray, " runs"]
    images: int
    """The most that a run was tested on."""

    def between(self, a: str, b: str, seeds: Sequence[int]) -> ImageError | None:
        """Of the mean difference of two variants over the seeds they share; None where there is only one, or their
        runs were not all tested on the same images."""
        runs, count = [(variant, seed) for variant in (a, b) for seed in seeds], len(seeds)
        if count < 2 or not self.places.keys() >= set(runs):
            return None
        places = [self.places[run] for run in runs]
        signs = np.hstack([np.eye(count), -np.eye(count)])
        of_seeds = signs @ self.covariance[np.ix_(places, places)] @ signs.T
        if np.isnan(of_seeds).any():
            return None
        of_mean = max(float(of_seeds.mean()), 0.0)
        left = max(float(of_seeds.trace()) / count - of_mean, 0.0)
        return ImageError(of_mean, left / (count - 1), float(self.freedom[places].min()))

    def of_means(self, first: Sequence[Run], second: Sequence[Run]) -> tuple[float, int | float] | None:
        """Variance over test images of the mean over some runs minus that over others, and its degrees of freedom; None
        where they were not all tested on the same images."""
        runs = [*first, *second]
        if not self.places.keys() >= set(runs):
            return None
        places = [self.places[run] for run in runs]
        signs = np.concatenate([np.full(len(first), 1 / len(first)), np.full(len(second), -1 / len(second))])
        variance = float(signs @ self.covariance[np.ix_(places, places)] @ signs)
        return None if np.isnan(variance) else (max(variance, 0.0), float(self.freedom[places].min()))


def image_errors(answers: Callable[[str, int], Answers], runs: Iterable[Run]) -> ImageErrors | None:
    """From what every run says of its test images; None where the metric is no property of answers."""
    found = {run: one for run in runs if (one := _tested(answers(*run))) is not None}
    if not found:
        return None
    tested, covariance = list(found.values()), np.full((len(found), len(found)), np.nan)
    for own in _alike(tested):
        numbers = np.stack([tested[place].numbers for place in own])
        covariance[np.ix_(own, own)] = np.cov(numbers[:, ~np.isnan(numbers).any(axis=0)])
    places, images = {run: place for place, run in enumerate(found)}, max(one.images.height for one in tested)
    return ImageErrors(places, covariance, np.array([one.freedom for one in tested], np.float64), images)


class Tested(NamedTuple):
    """One run's metric and the test images."""

    images: pl.DataFrame
    """Which they are and what is true of them."""
    unit: Int64[np.ndarray, " images"]
    """Of each image the original, counted from 0."""
    numbers: Float64[np.ndarray, " _"]
    """Their covariance with another run's is that of the two metrics over test images."""
    freedom: int | float


def _tested(answers: Answers) -> Tested | None:
    table = answers.table.sort("image")
    score = answers.evidence(table) if table.height else None
    if score is None:
        return None
    groups = None if answers.group is None else answers.group(table["name"].to_list())
    unit, units = original_of_each(table.height, groups)
    if units == 1 or np.isnan(score(np.ones((1, table.height)))).any():
        return None
    which = table.select("image", "name", *answers.truth)
    if isinstance(score, MeanScore):
        return Tested(which, unit, _of_mean(score, unit, units), units - 1)
    return Tested(which, unit, _of_draws(score, unit, units), 1 / (1 / (units - 1) + 1 / (DRAWS - 1)))


def _of_mean(score: MeanScore, unit: Int64[np.ndarray, " images"], units: int) -> Float64[np.ndarray, " units"]:
    """How far each original draws the mean (with copies: Davison & Hinkley, Bootstrap Methods, 1997, §2.7)."""
    values = score.values.astype(np.float64)
    return np.asarray(np.bincount(unit, values - values.mean(), units) * (units**0.5 / unit.size))


def _of_draws(score: Score, unit: Int64[np.ndarray, " images"], units: int) -> Float64[np.ndarray, " draws"]:
    """The metric of the same bootstrap draws for every run (Efron, Ann. Stat. 7, 1979), less what a draw from few
    originals varies too little."""
    few = DRAWS * unit.size <= KEPT
    draws = _kept(unit.astype(np.int64).tobytes(), units) if few else resamples(unit, units, DRAWS, 0)
    return np.asarray(np.concatenate([score(weights) for weights in draws]) * (units / (units - 1)) ** 0.5)


@lru_cache(maxsize=1)
def _kept(unit: bytes, units: int) -> list[Float64[np.ndarray, "block images"]]:
    """The draws, which are the same for every run and metric."""
    return list(resamples(np.frombuffer(unit, np.int64), units, DRAWS, 0))


def _alike(tested: Sequence[Tested]) -> list[list[int]]:
    """The places of the runs with the same test images, together."""
    found: list[list[int]] = []
    for place, one in enumerate(tested):
        same = next((own for own in found if _is_same(tested[own[0]], one)), None)
        if same is None:
            found.append([place])
        else:
            same.append(place)
    return found


def _is_same(one: Tested, other: Tested) -> bool:
    return one.images.equals(other.images) and np.array_equal(one.unit, other.unit)
