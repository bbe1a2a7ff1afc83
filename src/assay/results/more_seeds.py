"""What more seeds would tell, from how much the runs of a study have varied."""

import math

from assay.recipe.study import Study
from assay.results.compare import Values
from assay.results.comparison import Comparisons
from assay.results.metrics import difference_text
from assay.results.names import short_names
from assay.results.seeds_needed import MOST, Design, Range, images_needed, needed_range
from assay.results.spread import is_pooled, spread

LEAST = 4
"""Pairs of runs below which a deviation is too little known for advice that nobody asked for."""


def more_seeds(study: Study, values: Values, found: Comparisons, alpha: float) -> str:
    """How many seeds in all would tell the largest difference that is not told yet, as a range.

    Empty where every one is told, and where fewer than four pairs of runs say how much it varies. ``alpha``: the level
    of the next look.
    """
    unsure = [c for c in found if c.decided == "cannot tell" and c.pairs >= LEAST and c.difference]
    unsure = [c for c in unsure if abs(c.difference or 0.0) > (found.indifferent or 0.0)]
    c = max(unsure, key=lambda c: abs(c.difference or 0.0), default=None)
    varies = spread(c, values) if c else None
    if c is None or varies is None or c.difference is None:
        return ""
    planned = Design(sum(map(bool, values.values())), alpha, found.is_named, is_pooled(c))
    name = short_names(study)
    pair = f"{name[c.reference]} from {name[c.variant]}"
    wanted = needed_range(c.difference, varies.deviation, varies.freedom, planned, varies.fixed)
    size = difference_text(c.metric, c.difference)
    images = images_needed(c.difference, planned, varies.fixed, found.images) if found.images else None
    if wanted.low is None and images:
        return (
            f"If they differ by {size}, as seen, no number of seeds would tell {pair} on {found.images:,} test images; "
            f"{about(images)} would."
        )
    low = wanted.low and max(wanted.low, c.pairs + 1)
    high = wanted.high and max(wanted.high, c.pairs + 1)
    return f"If they differ by {size}, as seen, {in_words(Range(low, high))} in all would tell {pair}."


def about(images: int) -> str:
    """Two digits, rounded up: ``at least 4,800``."""
    step = int(10 ** max(0, math.floor(math.log10(images)) - 1))
    return f"at least {math.ceil(images / step) * step:,}"


def in_words(seeds: Range) -> str:
    """``12 to 40 seeds``, ``12 seeds``, ``40 seeds or more``, ``more than 1,000 seeds``."""
    if seeds.low is None:
        return f"more than {MOST:,} seeds"
    if seeds.high is None:
        return f"{seeds.low:,} seeds or more"
    return f"{seeds.low:,} seeds" if seeds.low == seeds.high else f"{seeds.low:,} to {seeds.high:,} seeds"
