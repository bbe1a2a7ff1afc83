"""The largest of several t statistics that share their error: of all pairs of variants, or of all against a reference.

``scipy.stats.studentized_range`` gives the first in tens of milliseconds; here a chance costs about half of one.
"""

import math
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import gammainccinv, gammaincinv, gammaln, ndtr, stdtr, stdtrit

NODES, WEIGHTS = np.polynomial.legendre.leggauss(96)
NOTHING = 1e-18
"""A chance that no sum here notices."""
FARTHEST = 11.5
"""No difference of two of a thousand standard normal numbers is larger than √2 of these (chance below 1e-14)."""

Numbers = Float[np.ndarray, " n"]


def chance(t: float, variants: int, freedom: int | float, is_named: bool = False) -> float:
    """That the largest absolute t of all pairs of ``variants``, or of all against a named one, is above ``t`` where
    nothing differs.

    Tukey's studentized range over √2 (The Problem of Multiple Comparisons, 1953; Kramer, Biometrics 12, 1956, for
    unequal numbers), and Dunnett's t, all correlations ½ (JASA 50, 1955). ``freedom``: degrees of the error's.
    """
    if t <= 0:
        return 1.0
    if variants == 2:
        return float(2 * stdtr(freedom, -t))
    half = freedom / 2
    low = t * math.sqrt(gammaincinv(half, NOTHING) / half)
    high = min(t * math.sqrt(gammainccinv(half, NOTHING) / half), FARTHEST)
    if low >= high:
        return 0.0
    x = (low + high) / 2 + NODES * (high - low) / 2
    s = x / t
    log_density = math.log(2) + half * math.log(half) - gammaln(half) + (freedom - 1) * np.log(s) - half * s**2
    beyond = (_against_one if is_named else _of_all)(x, variants)
    found = float(WEIGHTS @ (beyond * np.exp(log_density))) * (high - low) / 2 / t
    return min(max(found, 0.0), 1.0)


@cache
def quantile(alpha: float, variants: int, freedom: int | float, is_named: bool = False) -> float:
    """The t whose ``chance`` is ``alpha``: of all pairs q(1 − α; k, f)/√2."""
    single = float(stdtrit(freedom, 1 - alpha / 2))
    if variants == 2:
        return single
    count = variants - 1 if is_named else variants * (variants - 1) // 2
    most = float(stdtrit(freedom, 1 - alpha / 2 / count))  # Bonferroni's is never smaller
    return float(brentq(lambda t: chance(t, variants, freedom, is_named) - alpha, single, most * 1.001, xtol=1e-10))


def _of_all(x: Numbers, variants: int) -> Numbers:
    """Chance that the range of so many standard normal numbers is above √2 · ``x``; the largest of them is z."""
    z = NODES[:, None] * 8.5
    inside = variants * (ndtr(z) - ndtr(z - math.sqrt(2) * x)) ** (variants - 1)
    return 1 - _averaged(z, inside)


def _against_one(x: Numbers, variants: int) -> Numbers:
    """Chance that any of the others is farther than √2 · ``x`` from the reference's standard normal number, z."""
    z = NODES[:, None] * 8.5
    inside = (ndtr(z + math.sqrt(2) * x) - ndtr(z - math.sqrt(2) * x)) ** (variants - 1)
    return 1 - _averaged(z, inside)


def _averaged(z: Float[np.ndarray, "nodes 1"], inside: Float[np.ndarray, "nodes n"]) -> Numbers:
    weights = 8.5 * WEIGHTS * np.exp(-(z[:, 0] ** 2) / 2) / math.sqrt(2 * math.pi)
    found: Numbers = weights @ inside
    return found
