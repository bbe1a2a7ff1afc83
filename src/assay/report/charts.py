"""What charts share: one function a chart stands beside its section, a tidy polars frame in, an Altair chart out.

The same chart is the interactive one on the page and the SVG of a paper, and its frame is the CSV beside it. Order and
colour of the variants come in as explicit scale domains, so names never enter an expression.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from assay.report.style import LIGHT

Chart = alt.Chart | alt.LayerChart
Colors = dict[str, str]
"""Variant → colour, in the order of the study."""

FOCUS = alt.param(name="focus", value=None)
"""The variant that the page's legend picks out; null is all of them."""

DASHED: dict[str, Any] = {"color": LIGHT["muted"], "strokeDash": [3, 3]}
"""The looks of lines that something is held against."""


def layered(frame: pl.DataFrame, *marks: alt.Chart, height: int) -> alt.LayerChart:
    """Marks over one frame."""
    layers: alt.LayerChart = alt.LayerChart(layer=list(marks), data=frame)
    return layers.properties(height=height)


def chosen_variant(variants: Sequence[str], first: str, key: str) -> alt.Parameter:
    """The one variant that is shown, with a menu where there are several."""
    if len(variants) == 1:
        return alt.param(name="shown", value=first)
    return alt.param(name="shown", value=first, bind=alt.binding_select(options=list(variants), name=key))


def of_chosen() -> alt.Chart:
    """Marks of the rows of ``chosen_variant`` alone."""
    return alt.Chart().transform_filter("datum.variant == shown")


def in_focus(opacity: float = 1, faded: float = 0.12) -> Any:
    """The opacity of a variant's marks, where the legend picks it out or none, and where it picks out another."""
    return alt.condition("focus == null || datum.variant == focus", alt.value(opacity), alt.value(faded))


def over_seeds(measure: str, digits: str = ".4~f") -> list[alt.Tooltip]:
    """What the pointer shows of a mean over seeds. Columns: mean, low, high."""
    titles = {"mean": measure, "low": "lowest seed", "high": "highest seed"}
    return [alt.Tooltip(f"{column}:Q", format=digits, title=title) for column, title in titles.items()]


def mean_lines(
    frame: pl.DataFrame, x: alt.X, y: alt.Y, measure: str, colors: Colors, tooltip: Sequence[alt.Tooltip]
) -> alt.LayerChart:
    """Means over seeds: a line for each variant through its points, and bars from the lowest to the highest seed.

    Columns: variant, mean, low, high, seeds, and that of ``x``.
    """
    base, color = alt.Chart(), variant_color("variant", colors)
    marks = [
        base.mark_line().encode(x=x, y=y, color=color, detail="variant:N", opacity=in_focus()),
        base.mark_point(filled=True, size=36).encode(x=x, y=y, color=color, opacity=in_focus(), tooltip=tooltip),
    ]
    if (frame["seeds"] > 1).any():
        bars = base.mark_rule(strokeWidth=2).encode(x=x, y=alt.Y("low:Q", title=measure), y2="high:Q", color=color)
        marks.insert(0, bars.encode(opacity=in_focus(0.5, 0.05)))
    return layered(frame, *marks, height=250).add_params(FOCUS)


def diagonal(least: float, most: float, x: alt.Scale, y: alt.Scale) -> alt.Chart:
    """Where both are equal, dashed."""
    line = alt.Chart(pl.DataFrame({"ideal": [least, most]})).mark_line(**DASHED)
    return line.encode(x=alt.X("ideal:Q", scale=x), y=alt.Y("ideal:Q", scale=y))


def dashed_rule(name: str, at: float) -> alt.Chart:
    """A rule at one value, the only one of the column ``name``; encoded as x it stands, as y it lies."""
    return alt.Chart(pl.DataFrame({name: [at]})).mark_rule(**DASHED)


def variant_color(field: str, colors: Colors) -> alt.Color:
    """Each variant in its colour; a single one needs no legend."""
    color = alt.Color(f"{field}:N", title=None).scale(domain=list(colors), range=list(colors.values()))
    return color if len(colors) > 1 else color.legend(None)
