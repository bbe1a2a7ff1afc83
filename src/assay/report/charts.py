"""What charts share: one function a chart stands beside its section, a tidy polars frame in, an Altair chart out.

The same chart is the interactive one on the page and the SVG of a paper, and its frame is the CSV beside it. Order and
colour of the variants come in as explicit scale domains, so names never enter an expression.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import polars as pl

from assay.language.script import as_name
from assay.language.speech import say
from assay.report.style import LIGHT

Chart = alt.Chart | alt.LayerChart
Colors = dict[str, str]
"""Variant → colour, in the order of the study."""

FOCUS = alt.param(name="focus", value=None)
"""The list of the variants that the reader picks out; null is all of them."""

DASHED: dict[str, Any] = {"color": LIGHT["muted"], "strokeDash": [3, 3]}
"""The looks of lines that something is held against."""


@dataclass(frozen=True)
class Menu:
    """Variants of which a chart shows one at a time."""

    key: str
    """What their names are levels of."""
    variants: Sequence[str]
    first: str
    """Shown until another is chosen."""

    def __str__(self) -> str:
        """In the words for those who do not see the chart."""
        return say("one variant at a time, first {name}", name=as_name(self.first))


def layered(frame: pl.DataFrame, *marks: alt.Chart, height: int) -> alt.LayerChart:
    """Marks over one frame."""
    layers: alt.LayerChart = alt.LayerChart(layer=list(marks), data=frame)
    return layers.properties(height=height)


def one_variant(menu: Menu, frame: pl.DataFrame, *marks: alt.Chart, height: int) -> alt.LayerChart:
    """Marks over one frame, some of them ``of_chosen``, with a menu where there are several variants."""
    bind = alt.binding_select(options=list(menu.variants), name=menu.key) if len(menu.variants) > 1 else alt.Undefined
    return layered(frame, *marks, height=height).add_params(alt.param(name="shown", value=menu.first, bind=bind))


def of_chosen() -> alt.Chart:
    """Of the rows of the variant that ``one_variant`` shows."""
    rows: alt.Chart = alt.Chart().transform_filter("datum.variant == shown")
    return rows


def in_focus(opacity: float = 1, faded: float = 0.12) -> alt.OpacityValue:
    """The opacity of a variant's marks, where it is picked out or none is, and where others are."""
    chosen = {"test": "focus == null || indexof(focus, datum.variant) >= 0", "value": opacity}
    return alt.OpacityValue(faded, condition=chosen)


def over_seeds(measure: str, digits: str = ".4~f") -> list[alt.Tooltip]:
    """What the pointer shows of a mean over seeds. Columns: mean, low, high."""
    titles = {"mean": measure, "low": say("lowest seed"), "high": say("highest seed")}
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
    line: alt.Chart = alt.Chart(pl.DataFrame({"ideal": [least, most]})).mark_line(**DASHED)
    return line.encode(x=alt.X("ideal:Q", scale=x), y=alt.Y("ideal:Q", scale=y))


def dashed_rule(name: str, at: float) -> alt.Chart:
    """A rule at one value, the only one of the column ``name``; encoded as x it stands, as y it lies."""
    rule: alt.Chart = alt.Chart(pl.DataFrame({name: [at]})).mark_rule(**DASHED)
    return rule


def chance_line(at: float, axis: Literal["x", "y"]) -> list[alt.Chart]:
    """A dashed rule at the level of chance of what ``axis`` shows, with its name."""
    data = pl.DataFrame({"chance": [at], "name": [say("chance")]})
    rule, words = (
        alt.Chart(data).mark_rule(**DASHED),
        alt.Chart(data).mark_text(color=LIGHT["muted"], baseline="top", align="left", dx=4),
    )
    if axis == "x":
        return [rule.encode(x="chance:Q"), words.encode(x="chance:Q", y=alt.value(2), text="name:N")]
    return [rule.encode(y="chance:Q"), words.encode(y="chance:Q", x=alt.value(0), text="name:N")]


def in_sight(at: float, values: pl.Series) -> bool:
    """Whether a line at one value leaves the others room: it lies no further from them than they lie apart."""
    least, most = float(values.min()), float(values.max())  # type: ignore[arg-type]
    return least - (most - least) <= at <= most + (most - least)


def variant_color(field: str, colors: Colors) -> alt.Color:
    """Each variant in its colour; a single one needs no legend."""
    color = alt.Color(f"{field}:N", title=None).scale(domain=list(colors), range=list(colors.values()))
    return color if len(colors) > 1 else color.legend(None)
