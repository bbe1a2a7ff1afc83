"""How much a difference between two variants varies from seed to seed."""

import math
from typing import NamedTuple

import numpy as np

from assay.results.comparing.compare import Values, compare
from assay.results.comparing.comparison import Comparison
from assay.results.statistics.image_errors import Images
from assay.results.statistics.pooled import residual, table_of, twins


class Spread(NamedTuple):
    """How much a difference between two variants varies."""

    deviation: float
    """From seed to seed, in the metric's own unit …"""
    freedom: int
    """… estimated with so many degrees of freedom."""
    fixed: float
    """Variance that more seeds do not reduce, for the choice of test images."""


def spread(c: Comparison, values: Values) -> Spread | None:
    """Of the difference in one comparison of ``values``; None where several seeds do not say."""
    if not c.deviation:
        return None
    rows = list(dict.fromkeys(twins(values).values()))
    freedom = residual(table_of(values, rows)).freedom if is_pooled(c) else c.pairs - 1
    return Spread(c.deviation, freedom, (c.images_error or 0.0) ** 2)


def is_pooled(c: Comparison) -> bool:
    """Whether its error is that which all variants share."""
    return c.method == "pooled t over seeds"


def usual_spread(values: Values, metric: str, images: Images | None = None) -> tuple[Spread, bool] | None:
    """Of the differences between these variants, the largest, and whether all of them share one error; None where no
    two seeds say. Of one variant alone the seeds' own effect is not taken out."""
    there = {variant: by_seed for variant, by_seed in values.items() if by_seed}
    if len(there) == 1:
        (by_seed,) = there.values()
        alone = float(np.std(list(by_seed.values()), ddof=1)) if len(by_seed) > 1 else 0.0
        return (Spread(math.sqrt(2) * alone, len(by_seed) - 1, 0.0), True) if alone else None
    found = [c for one in list(there)[:2] for c in compare(there, metric, one, images=images)]
    known = [(varies, len(there) == 2 or is_pooled(c)) for c in found if (varies := spread(c, there))]
    shared = [each for each in known if each[1]]
    return max(shared or known, key=lambda each: each[0].deviation, default=None)
