"""How many seeds decide a difference of two variants."""

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from assay.results.statistics import quantiles

POWER = 0.8
SPREAD = 0.8
"""How sure the range of a deviation is."""
MOST = 1000
"""Seeds beyond which no number is given."""


@dataclass(frozen=True)
class Design:
    """What decides a difference between two of several variants."""

    variants: int
    alpha: float = 0.05
    is_named: bool = False
    """Whether the study names the reference; else all pairs are decided."""
    is_pooled: bool = True
    """Whether all variants share one error, or each pair has its own."""

    def freedom(self, seeds: int) -> int:
        """Degrees of freedom of the error with so many seeds."""
        return (seeds - 1) * (self.variants - 1 if self.is_pooled else 1)

    def least(self, seeds: int) -> float:
        """How many standard errors from 0 a difference is told."""
        if self.is_pooled:
            return quantiles.quantile(self.alpha, self.variants, self.freedom(seeds), self.is_named)
        pairs = self.variants - 1 if self.is_named else self.variants * (self.variants - 1) // 2
        return quantiles.quantile(self.alpha / pairs, 2, self.freedom(seeds))


class Range(NamedTuple):
    """Two numbers of seeds; None stands for more than ``MOST``."""

    low: int | None
    high: int | None


def power(difference: float, deviation: float, seeds: int, design: Design, fixed: float = 0.0) -> float:
    """Chance that the side of a true ``difference`` of two variants is told.

    ``deviation``: of a difference from seed to seed; ``fixed``: variance of the mean difference that no number of seeds
    reduces, that of the test images. From the noncentral t (Cohen, Statistical Power Analysis, 1988, ch. 2).
    """
    from scipy.stats import nct

    error = math.sqrt(deviation**2 / seeds + fixed)
    shift = min(abs(difference) / error, 1e6) if error else 1e6
    return float(nct.sf(design.least(seeds), design.freedom(seeds), shift))


def needed(
    difference: float, deviation: float, design: Design, fixed: float = 0.0, wanted: float = POWER
) -> int | None:
    """The fewest seeds, two at least, with which a difference of this size is told with the power ``wanted``; None for
    more than 1000, or where the test images alone prevent it."""
    found = partial(power, difference, deviation, design=design, fixed=fixed)
    low, high = 1, 2
    while found(high) < wanted:
        if high >= MOST:
            return None
        low, high = high, min(2 * high, MOST)
    while high - low > 1:  # power grows with the number of seeds: bisect
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) >= wanted else (middle, high)
    return high


def needed_range(
    difference: float,
    deviation: float,
    freedom: int,
    design: Design,
    fixed: float = 0.0,
    wanted: float = POWER,
) -> Range:
    """The same at both ends of what the deviation may be."""
    ends = deviation_range(deviation, freedom)
    return Range(*(needed(difference, end, design, fixed, wanted) for end in ends))


def images_needed(
    difference: float,
    design: Design,
    fixed: float,
    images: int,
    wanted: float = POWER,
    deviation: float = 0.0,
) -> int | None:
    """The fewest test images that leave it to the seeds to tell the difference, where ``images`` with the variance
    ``fixed`` prevent it with any number; else None. That variance is inverse to their number.

    With the ``deviation`` of a difference from seed to seed, the fewest with which ``MOST`` seeds tell it; None where
    they do, or would not with any number of images.
    """
    from scipy.special import ndtri

    most = (difference / (design.least(MOST) + float(ndtri(wanted)))) ** 2 - deviation**2 / MOST
    return None if fixed <= most or most <= 0 else math.ceil(images * fixed / most)


class MoreImages(NamedTuple):
    """Numbers of test images, at least; None where that number is not what lacks."""

    alone: int | None
    """That leave it to the seeds, where these images prevent it with any number of seeds; else …"""
    for_most: int | None
    """… that let ``MOST`` seeds tell it, where these and the least that the deviation may be prevent it together."""


def more_images(
    difference: float,
    design: Design,
    deviation: float,
    freedom: int,
    fixed: float,
    images: int | None,
    wanted: float = POWER,
) -> MoreImages:
    """What more test images would do for a difference that more than ``MOST`` seeds would tell."""
    if not images:
        return MoreImages(None, None)
    if alone := images_needed(difference, design, fixed, images, wanted):
        return MoreImages(alone, None)
    low, _ = deviation_range(deviation, freedom)
    return MoreImages(None, images_needed(difference, design, fixed, images, wanted, low))


def deviation_range(deviation: float, freedom: int) -> tuple[float, float]:
    """The 80 % interval of a normal deviation estimated with so many degrees of freedom (chi-square; Fisher, 1925)."""
    from scipy.stats import chi2

    below, above = (float(chi2.ppf(p, freedom)) for p in ((1 + SPREAD) / 2, (1 - SPREAD) / 2))
    return deviation * math.sqrt(freedom / below), deviation * math.sqrt(freedom / above)
