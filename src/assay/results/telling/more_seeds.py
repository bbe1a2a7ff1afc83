"""What more seeds would tell, from how much the runs of a study have varied."""

import math
from collections.abc import Mapping

from assay.language.speech import say
from assay.recipe.study import Study
from assay.results.comparing.compare import Values
from assay.results.comparing.comparison import Comparisons
from assay.results.comparing.spread import Spread, is_pooled, spread
from assay.results.metrics import difference_text
from assay.results.names import short_names
from assay.results.statistics.seeds_needed import MOST, Design, Range, more_images, needed_range

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
    if wanted.low is None:
        return _no_number(c.difference, planned, varies, found.images, pair)
    least = Range(max(wanted.low, c.pairs + 1), wanted.high and max(wanted.high, c.pairs + 1))
    seeds = in_words(least)
    return say("If they differ by {size}, as seen, {seeds} in all would tell {one} from {other}.", **pair, seeds=seeds)


def _no_number(difference: float, planned: Design, varies: Spread, images: int | None, pair: Mapping[str, str]) -> str:
    """Why not even ``MOST`` seeds would tell it: the test images prevent it, or the runs vary too much."""
    alone, for_most = more_images(difference, planned, *varies, images)
    if images and alone:
        return say(
            "If they differ by {size}, as seen, no number of seeds would tell {one} from {other} on {images:,} test "
            "images; {more} would.",
            **pair,
            images=images,
            more=about(alone),
        )
    seeds = in_words(Range(None, None))
    if images and for_most:
        return say(
            "If they differ by {size}, as seen, it would take {seeds} to tell {one} from {other} on {images:,} test "
            "images; with {more} of them {most:,} would do.",
            **pair,
            seeds=seeds,
            images=images,
            more=about(for_most),
            most=MOST,
        )
    return say(
        "If they differ by {size}, as seen, it would take {seeds} to tell {one} from {other}: runs vary too much for "
        "so small a difference.",
        **pair,
        seeds=seeds,
    )


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
