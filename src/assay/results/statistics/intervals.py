"""Intervals, paired differences and corrected p-values, honest about few seeds. Pure functions on numbers.

The *paired* functions take one value per seed (or per test image) and method, in the same order.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from assay.errors import AssayError

LEVEL = 0.95

Values = Sequence[int | float] | Float[np.ndarray, " n"]


class Interval(NamedTuple):
    """A mean with its confidence interval; None where the data do not give one."""

    mean: float | None
    low: float | None
    high: float | None


class PairedT(NamedTuple):
    """A mean paired difference, its t interval, the two-sided p of the paired t test, the differences' deviation."""

    n: int
    difference: float
    low: float | None
    high: float | None
    p: float | None
    deviation: float | None


def mean_interval(
    values: Values, level: float = LEVEL, within: tuple[float, float] = (-math.inf, math.inf)
) -> Interval:
    """Mean and Student's t interval over n values, mean ± t(n−1) · s/√n (Student, Biometrika 6, 1908).

    The ends are cut at ``within``, the values that a mean can have, which costs no coverage.

    One value gives no interval and none gives nothing. Nor do n equal values: they have no spread to go by, and one of
    width zero would claim a certainty that n equal numbers do not warrant.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.size == 0:
        return Interval(None, None, None)
    if _constant(x, x):
        return Interval(float(x[0]), None, None)
    mean = float(x.mean())
    half = _t_quantile(level, x.size - 1) * float(x.std(ddof=1)) / math.sqrt(x.size)
    return Interval(mean, max(mean - half, within[0]), min(mean + half, within[1]))


def paired_t(a: Values, b: Values, level: float = LEVEL) -> PairedT:
    """Mean of a − b over n pairs with its t interval and the paired t test (Student, Biometrika 6, 1908).

    Assumes that the differences are independent and roughly normal. Where they do not vary there is no spread to go by:
    all zero gives p = 1 and the interval [0, 0]; all equal and not zero gives neither interval nor p (the t statistic
    would be infinite and p zero, which n equal numbers do not warrant). One pair gives neither.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.size == 0:
        raise AssayError(f"paired_t: expected pairs of values, found {first.size} and {second.size}")
    d = first - second
    n, difference = d.size, float(d.mean())
    if n == 1:
        return PairedT(1, difference, None, None, None, None)
    if _constant(d, first, second):
        equal = _constant(np.array([0.0, difference]), first, second)
        return PairedT(n, 0.0, 0.0, 0.0, 1.0, 0.0) if equal else PairedT(n, difference, None, None, None, 0.0)
    from scipy.stats import t

    deviation = float(d.std(ddof=1))
    error = deviation / math.sqrt(n)
    half = _t_quantile(level, n - 1) * error
    p = float(2 * t.sf(abs(difference) / error, n - 1))
    return PairedT(n, difference, difference - half, difference + half, p, deviation)


def sign_flip_floor(pairs: int) -> float:
    """The smallest p that a sign-flip (paired permutation) test of so many pairs can give: 2/2ⁿ, for three 0.25.

    It is that of equal differences. The test assumes only that each would be as likely with the other sign if there
    were no effect (Fisher, Design of Experiments, 1935, §21).
    """
    return min(1.0, 2.0 / 2.0**pairs)


def holm(p: Values) -> Float[np.ndarray, " n"]:
    """p-values corrected for their number by Holm's step-down method (Scand. J. Statist. 6, 1979), in their order."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(values.size, 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(factors * values[order])) if values.size else []
    return corrected


def mcnemar(a: Bool[np.ndarray, " images"], b: Bool[np.ndarray, " images"]) -> float:
    """Exact two-sided p of McNemar's test (Psychometrika 12, 1947) on which images each of two networks gets right.

    Under no difference the images that only one gets right fall to either side like a fair coin: a binomial test.
    """
    from scipy.stats import binomtest

    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def bootstrap_accuracy_difference(
    a: Bool[np.ndarray, " images"],
    b: Bool[np.ndarray, " images"],
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Accuracy of a minus accuracy of b with the paired percentile bootstrap interval over images (Efron, 1979).

    Resampling n images with replacement changes only how often each outcome (a alone right, b alone right, a tie) is
    drawn, so the draws come from the multinomial of those counts: the bootstrap's own distribution, and fast.
    Speaks of these two networks on other images like these; says nothing about training again with another seed.
    """
    from assay.seeds import numpy_generator

    n = a.size
    if n == 0:
        return Interval(None, None, None)
    wins, losses = int((a & ~b).sum()), int((b & ~a).sum())
    shares = np.array([wins, losses, n - wins - losses]) / n
    counts = numpy_generator(seed, "bootstrap").multinomial(n, shares, size=20_000)
    differences = (counts[:, 0] - counts[:, 1]) / n
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    return Interval((wins - losses) / n, float(low), float(high))


def _t_quantile(level: float, freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + level) / 2, freedom))


def _constant(x: np.ndarray, *scale: np.ndarray) -> bool:
    """Whether all of ``x`` is one number up to the rounding of numbers as large as those in ``scale``."""
    return bool(np.ptp(x) <= 1e-12 * max(float(np.abs(s).max()) for s in scale))
