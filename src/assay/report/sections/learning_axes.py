"""How the values of learning curves are laid out: chosen from the data, so that no diverging variant flattens all."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from assay.language.speech import say
from assay.results.metrics import number

SQUEEZED = 5.0
"""So many times higher than a whole curve reaches, an axis leaves it no room."""
SPIKE = 20.0
"""What lies so many times above the median of its curve is not what the curve reaches."""
CUT = 2.0
"""An axis is cut so many times higher than the lowest of the curves reaches."""


@dataclass(frozen=True)
class Axis:
    """The ends of an axis, and what its title says of it."""

    domain: tuple[float, float] | None = None
    """None: those of the data."""
    is_log: bool = False
    said: str = ""


OF_THE_DATA = Axis()


def axes(curves: Mapping[str, pl.DataFrame], within: tuple[float, float]) -> dict[str, Axis]:
    """An axis for the curves of each split, one for all unless it would squeeze a curve of any of them.

    Columns: variant, mean, low, high; ``within`` are the least and the largest value there can be.
    """
    together = pl.concat(curves.values())
    shared = axis(together, within)
    return {split: axis(curve, within) if shared.said else shared for split, curve in curves.items()}


def axis(curves: pl.DataFrame, within: tuple[float, float]) -> Axis:
    """Linear where every curve has room; else logarithmic, or cut where the values are not above 0.

    Only what has one end, as a loss has 0 and R² has 1, can go astray: it is measured by its distance from there.
    """
    low, high = float(curves["low"].min()), float(curves["high"].max())  # type: ignore[arg-type]
    ends = [end for end in within if math.isfinite(end)]
    if len(ends) != 1:
        return Axis((low, high))
    (end,) = ends
    away = [(pl.col(name) - end).abs() for name in ("low", "mean", "high")]
    reached = pl.min_horizontal(pl.max_horizontal(away).max(), SPIKE * away[1].median())
    room = float(curves.group_by("variant").agg(reached=reached)["reached"].min())  # type: ignore[arg-type]
    if room == 0 or SQUEEZED * room >= max(abs(low - end), abs(high - end)):
        return Axis((low, high))
    if end == 0 and low > 0:
        return Axis((low, high), is_log=True, said=say(" (log scale)"))
    if high > end:
        return Axis((low, end + CUT * room), said=say(" (cut; up to {end})", end=number(high)))
    return Axis((end - CUT * room, high), said=say(" (cut; down to {end})", end=number(low)).replace("-", "−"))
