"""Variants against a reference, in pairs of runs that share a seed (the same split and the same order of images).

Works on plain values, without a study: ``compare({"relu": {0: 0.91, 1: 0.92}, "tanh": {0: 0.88, 1: 0.90}}, "accuracy",
"relu")``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.special import ndtri

from assay.results.comparing.comparison import Comparison, Comparisons, Decision
from assay.results.metrics import is_exact, lower_is_better
from assay.results.statistics import intervals, quantiles
from assay.results.statistics.answers import Answers, tested
from assay.results.statistics.image_errors import Images, combined, pooled_crossed
from assay.results.statistics.pooled import residual, set_apart, table_of, twins

ALPHA = 0.05

Values = Mapping[str, Mapping[int, float]]
AnswersOf = Callable[[str, int], Answers]
"""(variant, seed) → what that run says of its test images."""


@dataclass(frozen=True)
class _Family:
    """What the comparisons of one metric share."""

    metric: str
    alpha: float
    variants: int
    is_named: bool
    deviation: float
    """Of a run, pooled over the variants."""
    freedom: int
    apart: Mapping[str, float]
    images: Images | None
    crossed: float | None = None
    """Of the difference in one seed, the part in the images' error that the seeds' has as well, pooled."""

    @property
    def size(self) -> int:
        """For how many comparisons the intervals hold together."""
        return max(1, self.variants - 1 if self.is_named else self.variants * (self.variants - 1) // 2)


def compare(
    values: Values,
    metric: str,
    reference: str,
    answers: AnswersOf | None = None,
    *,
    alpha: float = ALPHA,
    images: Images | None = None,
    indifferent: float | None = None,
    is_named: bool = False,
    is_interim: bool = False,
) -> Comparisons:
    """Every other variant of ``values`` (variant → seed → value) against ``reference``, with one interval each.

    The intervals hold together in 1 − ``alpha``: for all pairs of variants, so that the data may choose the reference,
    or, where it ``is_named`` before, for all pairs with it. Better or worse means that the interval excludes 0; equal,
    that it lies inside ±``indifferent`` (in the metric's own unit); interim, that the study is not done yet.

    Several seeds: t intervals from the error that all variants share (``statistics.pooled``; Tukey, Dunnett), those
    with a variant whose runs vary more than the others' from their own (Bonferroni); ``images`` adds the error of the
    test images. One pair of runs, and the metric is a property of ``answers``: over test images
    (``statistics.answers``). A metric that follows from the recipe alone (parameters) is compared exactly. A value
    that is not finite counts as missing.
    """
    values = {variant: {seed: x for seed, x in own.items() if math.isfinite(x)} for variant, own in values.items()}
    family = _family(values, metric, alpha, is_named, images)
    known = cache(answers) if answers else None
    items = []
    for variant in values:
        if variant != reference:
            found = _evidence(variant, reference, values[variant], values[reference], family, known)
            decided = _decision(found, indifferent, is_interim)
            items.append(replace(found, decided=decided, p=None if decided == "interim" else found.p))
    return Comparisons(metric, reference, tuple(items), family.size, alpha, is_named, family.apart, indifferent)


def _family(values: Values, metric: str, alpha: float, is_named: bool, images: Images | None) -> _Family:
    first = twins(values)
    rows = list(dict.fromkeys(first.values()))
    table = table_of(values, rows)
    left = residual(table)
    deviation = math.sqrt(left.variance) if left.freedom else 0.0
    wild = {rows[row]: ratio for row, ratio in set_apart(table).items()}
    apart = {variant: wild[own] for variant, own in first.items() if own in wild}
    family = _Family(metric, alpha, len(first), is_named, deviation, left.freedom, apart, images)
    once = {variant: values[variant] for variant in rows}
    return replace(family, crossed=pooled_crossed(once, images) if images and family.variants > 2 else None)


def _evidence(
    variant: str,
    reference: str,
    first: Mapping[int, float],
    second: Mapping[int, float],
    family: _Family,
    answers: AnswersOf | None,
) -> Comparison:
    """The comparison before the decision is taken."""
    seeds = sorted(first.keys() & second.keys())
    empty = Comparison(family.metric, variant, reference, len(seeds))
    if not seeds:
        return empty
    a, b = [first[seed] for seed in seeds], [second[seed] for seed in seeds]
    if is_exact(family.metric) and len(set(a)) == len(set(b)) == 1:
        d = a[0] - b[0]
        return replace(empty, difference=d, low=d, high=d, method="exact")
    if len(seeds) == 1:
        return _one_pair(replace(empty, difference=a[0] - b[0], method="single runs"), seeds[0], family, answers)
    if family.variants > 2 and family.deviation and family.apart.keys().isdisjoint((variant, reference)):
        spread = math.sqrt(2) * family.deviation
        c = replace(empty, difference=float(np.mean(a) - np.mean(b)), method="pooled t over seeds", deviation=spread)
        return _interval(c, spread / math.sqrt(len(seeds)), family.freedom, seeds, family)
    t = intervals.paired_t(a, b)
    c = replace(empty, difference=t.difference, method="paired t over seeds", deviation=t.deviation)
    return _interval(c, (t.deviation or 0.0) / math.sqrt(len(seeds)), len(seeds) - 1, seeds, family)


def _interval(
    c: Comparison, of_seeds: float, freedom: int | float, seeds: Sequence[int], family: _Family
) -> Comparison:
    """The t interval and its p, over test images too where their part is known."""
    images = family.images(c.variant, c.reference, seeds) if family.images else None
    if images and family.crossed is not None and c.method == "pooled t over seeds":
        images = images._replace(crossed=family.crossed / len(seeds))
    whole = combined(of_seeds**2, freedom, images, family.alpha / family.size)
    difference = c.difference or 0.0
    if not whole.variance:
        return _one_difference(c, difference, family)
    error, freedom = math.sqrt(whole.variance), whole.freedom
    of_images = None if whole.images is None else math.sqrt(whole.images)
    t, count = abs(difference) / error, family.size
    if c.method == "pooled t over seeds":
        far = error * quantiles.quantile(family.alpha, family.variants, freedom, family.is_named)
        p = quantiles.chance(t, family.variants, freedom, family.is_named)
    else:
        far = error * quantiles.quantile(family.alpha / count, 2, freedom)
        p = min(1.0, count * quantiles.chance(t, 2, freedom))
    c = replace(c, low=difference - far, high=difference + far, p=p)
    return replace(c, seeds_error=of_seeds, images_error=of_images, error=error, freedom=freedom)


def _one_difference(c: Comparison, difference: float, family: _Family) -> Comparison:
    """Of the same difference in every seed: the sign-flip test, which with enough pairs rejects every other one."""
    least = family.size * intervals.sign_flip_floor(c.pairs)
    end = difference if least < family.alpha else None
    p = min(1.0, least) if difference else 1.0
    return replace(c, difference=difference, low=end, high=end, p=p, deviation=0.0, method="sign flip over seeds")


def _one_pair(c: Comparison, seed: int, family: _Family, answers: AnswersOf | None) -> Comparison:
    """Over test images: the bootstrap's interval, stretched to the level that all comparisons share, and ended at 0
    where the test, whose p is multiplied by their number, does not reject."""
    found = tested(answers(c.variant, seed), answers(c.reference, seed)) if answers else None
    if found is None:
        return c
    c = replace(c, difference=found.difference, method=found.method)
    if found.p is None or found.low is None or found.high is None:
        return c
    p = min(1.0, family.size * found.p)
    wide = float(ndtri(1 - family.alpha / family.size / 2) / ndtri(1 - ALPHA / 2))
    low, high = (found.difference + wide * (end - found.difference) for end in (found.low, found.high))
    if p >= family.alpha:
        low, high = min(low, 0.0), max(high, 0.0)
    return replace(c, low=low, high=high, p=max(p, family.alpha) if low <= 0 <= high else p)


def _decision(c: Comparison, indifferent: float | None, is_interim: bool) -> Decision:
    """What the interval says."""
    if is_interim and c.method != "exact":
        return "interim"
    if c.difference is None or c.low is None or c.high is None:
        return "cannot tell"
    is_point = c.low == c.high and c.method != "exact"
    if max(-c.low, c.high) <= (indifferent or 0.0) and not is_point:
        return "equal"
    if c.low <= 0 <= c.high:
        return "cannot tell"
    return "better" if (c.difference < 0) == lower_is_better(c.metric) else "worse"
