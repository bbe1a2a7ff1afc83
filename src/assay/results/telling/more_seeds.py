"""What more seeds would tell, from how much the runs of a study have varied."""

import math

from assay.language.speech import say
from assay.recipe.study import Study
from assay.results.comparing.compare import Values
from assay.results.comparing.comparison import Comparisons
from assay.results.comparing.spread import is_pooled, spread
from assay.results.metrics import difference_text
from assay.results.names import short_names
from assay.results.statistics.seeds_needed import MOST, Design, Range, images_needed, needed_range

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
    wanted = needed_range(c.difference, varies.deviation, varies.freedom, planned, varies.fixed)
    pair = {"size": difference_text(c.metric, c.difference), "one": name[c.reference], "other": name[c.variant]}
    images = images_needed(c.difference, planned, varies.fixed, found.images) if found.images else None
    if wanted.low is None and images:
        return say(
            "If they differ by {size}, as seen, no number of seeds would tell {one} from {other} on {images:,} test "
            "images; {more} would.",
            **pair,
            images=found.images,
            more=about(images),
        )
    low = wanted.low and max(wanted.low, c.pairs + 1)
    high = wanted.high and max(wanted.high, c.pairs + 1)
    seeds = in_words(Range(low, high))
    return say("If they differ by {size}, as seen, {seeds} in all would tell {one} from {other}.", **pair, seeds=seeds)


def about(images: int) -> str:
    """Two digits, rounded up: ``at least 4,800``."""
    step = int(10 ** max(0, math.floor(math.log10(images)) - 1))
    return say("at least {n:,}", n=math.ceil(images / step) * step)


def in_words(seeds: Range) -> str:
    """``12 to 40 seeds``, ``12 seeds``, ``40 seeds or more``, ``more than 1,000 seeds``."""
    if seeds.low is None:
        return say("more than {n:,} seeds", n=MOST)
    if seeds.high is None:
        return say("{n:,} seeds or more", n=seeds.low)
    if seeds.low == seeds.high:
        return say("{n:,} seeds", n=seeds.low)
    return say("{low:,} to {high:,} seeds", low=seeds.low, high=seeds.high)
