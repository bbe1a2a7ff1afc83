"""How often a run of one variant beats a run of another."""

import math
from typing import NamedTuple

from assay.language.speech import say
from assay.results.comparing.comparison import Comparison
from assay.results.metrics import lower_is_better


class Share(NamedTuple):
    """A chance with its interval."""

    value: float
    low: float
    high: float


def chance_to_beat(c: Comparison) -> Share | None:
    """Chance that a run of the variant is better than one of the reference with the same seed; None where several seeds
    do not say, or not yet. Its interval excludes a half exactly where that of the difference excludes 0."""
    if c.decided in ("interim", "same network"):
        return None
    if c.difference is None or c.high is None or not c.error or not c.deviation or c.freedom is None:
        return None
    sign = -1 if lower_is_better(c.metric) else 1
    return superiority(sign * c.difference, c.deviation, c.error, c.freedom, c.high - c.difference)


def share_text(share: Share | None) -> str:
    """``84 % (55 to 97)``; empty where there is none."""
    if share is None:
        return ""
    value, low, high = (f"{100 * part:.0f}" for part in share)
    return say("{value} ({low} to {high})", value=f"{value} %", low=low, high=high)


def superiority(difference: float, deviation: float, error: float, freedom: int | float, half: float) -> Share:
    """Chance that a run of one variant has a higher value than a run of another with the same seed.

    ``deviation``: of a difference from seed to seed; ``error``: of the mean difference, with ``freedom`` degrees.

    Φ(mean/deviation) of normal differences. Its ends are those of the noncentrality of t = difference/error (Reiser &
    Guttman, Technometrics 28, 1986, for P(Y < X); Johnson & Welch, Biometrika 31, 1940, for the noncentral t), at the
    level at which the interval ± ``half`` of the difference was taken: both exclude "no difference" together.
    """
    from scipy.special import ndtr, stdtr

    t, tail = difference / error, float(stdtr(freedom, -half / error))
    ends = (-_farthest_shift(-t, freedom, tail), _farthest_shift(t, freedom, tail))
    low, high = (float(ndtr(shift * error / deviation)) for shift in ends)
    return Share(float(ndtr(difference / deviation)), low, high)


def _farthest_shift(t: float, freedom: int | float, tail: float) -> float:
    """The noncentrality with which a t as low as this has the chance ``tail``."""
    from scipy.optimize import brentq
    from scipy.stats import nct

    def beyond(shift: float) -> float:
        below = float(nct.cdf(t, freedom, shift))  # nan where it is next to 0 or 1
        return (float(shift < t) if math.isnan(below) else below) - tail

    high = 10 + abs(t)
    while beyond(high) > 0:
        high *= 2
    return float(brentq(beyond, min(t, 0) - 10, high))
