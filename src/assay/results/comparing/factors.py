"""Which factor of a grid matters, by how much: the main effects, each over all other factors and all seeds."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from assay.language.script import as_name
from assay.language.speech import say
from assay.recipe.names import label, shown_keys
from assay.recipe.study import Study
from assay.results.formats import value
from assay.results.metrics import difference_text, lower_is_better
from assay.results.statistics import quantiles
from assay.results.statistics.image_errors import ImageError, ImageErrors, Run, combined, pooled_crossed
from assay.results.statistics.pooled import freedom_of_each, residual

CROSSED = 0.05
"""Below this p of equal differences in all cells a sentence says that they differ."""

Cells = Float[np.ndarray, "levels cells seeds"]


class Error(NamedTuple):
    """Variance of a run and its degrees of freedom."""

    variance: float
    freedom: float


@dataclass(frozen=True)
class LevelEffect:
    """The best level of a factor minus another, on average over the other factors and the seeds."""

    level: str
    difference: float
    low: float
    high: float
    p: float
    least: float
    """The smallest difference in any cell of the other factors …"""
    most: float
    """… and the largest."""

    @property
    def is_decided(self) -> bool:
        """Whether the interval excludes 0."""
        return not self.low <= 0 <= self.high


@dataclass(frozen=True)
class FactorEffect:
    """What the levels of one factor do; the worst first."""

    factor: str
    best: str
    """The level with the best mean."""
    levels: tuple[LevelEffect, ...]
    alpha: float
    """The intervals of the levels hold together in 1 − alpha."""
    images: int | None
    """How many test images there are, where the intervals cover others like them."""
    p_same: float
    """How likely the differences vary so much from cell to cell if they are the same in all (F test of the
    interaction)."""


def main_effects(
    study: Study,
    values: Mapping[str, Mapping[int, float]],
    metric: str,
    alpha: float = 0.05,
    errors: ImageErrors | None = None,
) -> list[FactorEffect]:
    """Of every factor of a full grid of two or more, the one with the largest difference first; else none.

    From the seeds that all variants have, two or more. The error is the pooled one of variants and seeds
    (``statistics.pooled``), of which a level's mean has as many runs as cells times seeds (Fisher, Design of
    Experiments, 1935, ch. 6); intervals are Tukey's over the levels at ``alpha`` over the number of factors, so that
    they hold together for all factors. Freedom is Satterthwaite's, since the runs of some variants may vary more.
    ``errors`` adds the part of the test images, as it does to a difference of two variants.
    """
    seeds = sorted(set.intersection(*(set(values[variant]) for variant in study.plan)))
    levels = {key: [label(variant.levels[key]) for variant in study.plan.values()] for key in study.vary}
    varied = [key for key, found in levels.items() if len(set(found)) > 1]
    if study.design != "grid" or len(varied) < 2 or len(seeds) < 2:
        return []
    table = np.array([[values[variant][seed] for seed in seeds] for variant in study.plan])
    left = residual(table)
    if not left.squares:
        return []
    error = Error(left.variance, freedom_of_each(table))
    crossed = pooled_crossed(values, errors.between) if errors else None
    sign, found = -1 if lower_is_better(metric) else 1, []
    for key in varied:
        names = list(dict.fromkeys(levels[key]))
        cells = np.array([table[[level == name for level in levels[key]]] for name in names])
        runs = [
            [(v, s) for v, level in zip(study.plan, levels[key], strict=True) if level == n for s in seeds]
            for n in names
        ]
        of_images = partial(_of_images, errors, crossed, runs)
        effect = _of(key, names, cells, sign, error, alpha / len(varied), of_images)
        found.append(replace(effect, images=errors.images if errors and of_images(0, 1) else None))
    return sorted(found, key=lambda effect: -abs(effect.levels[0].difference))


def _of_images(
    errors: ImageErrors | None, crossed: float | None, runs: list[list[Run]], one: int, other: int
) -> ImageError | None:
    """The part of the test images in the difference of two levels with these ``runs``; ``crossed`` is what a difference
    of two runs has."""
    found = errors.of_means(runs[one], runs[other]) if errors and crossed is not None else None
    return found and ImageError(found[0], (crossed or 0.0) / len(runs[one]), found[1])


def _of(
    key: str,
    names: list[str],
    cells: Cells,
    sign: int,
    error: Error,
    alpha: float,
    of_images: Callable[[int, int], ImageError | None],
) -> FactorEffect:
    from scipy.stats import f

    count, means = len(names), cells.mean(axis=(1, 2))
    best = int((sign * means).argmax())
    levels = []
    for i in map(int, (sign * means).argsort()):
        if i != best:
            whole = combined(2 * error.variance / cells[0].size, error.freedom, of_images(best, i), alpha)
            of_means = math.sqrt(whole.variance)
            far = quantiles.quantile(alpha, count, whole.freedom) * of_means
            d, by_cell = float(means[best] - means[i]), (cells[best] - cells[i]).mean(axis=1)
            p = quantiles.chance(abs(d) / of_means, count, whole.freedom)
            ends = float(by_cell.min()), float(by_cell.max())
            levels.append(LevelEffect(names[i], d, d - far, d + far, p, *ends))
    crossed = residual(cells.mean(axis=2))
    ratio = crossed.variance * cells.shape[2] / error.variance
    p_same = float(f.sf(ratio, crossed.freedom, error.freedom))
    return FactorEffect(key, names[best], tuple(levels), alpha, None, p_same)


def in_words(study: Study, metric: str, effects: Sequence[FactorEffect]) -> str:
    """Which factor matters most, in one sentence; empty where nothing is decided."""
    if not effects or not effects[0].levels[0].is_decided:
        return ""
    first, worst = effects[0], effects[0].levels[0]
    short = shown_keys(study.factors)
    others = say(" and ").join(as_name(short[key]) for key in study.vary if key != first.factor)
    told = say(
        "{factor} matters most: {best} over {level} by {size} on average over {others}",
        factor=as_name(short[first.factor]),
        best=as_name(first.best),
        level=as_name(worst.level),
        size=difference_text(metric, worst.difference, worst.low, worst.high),
        others=others,
    )
    if first.p_same >= CROSSED:
        return f"{told}."
    sign, half = -1 if worst.difference < 0 else 1, (worst.high - worst.low) / 2
    low, high = (value(end, metric, half) for end in sorted(sign * end for end in (worst.least, worst.most)))
    return say(
        "{told}, but by {low} to {high} from one {others} to another.", told=told, low=low, high=high, others=others
    )
