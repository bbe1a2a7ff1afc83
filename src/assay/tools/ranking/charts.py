"""Charts of a ranking: how well each backbone's features tell the classes apart, and what it costs."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.report.charts import Chart, layered
from assay.report.style import LIGHT

PLACE = {"first": LIGHT["good"], "not clearly behind": LIGHT["c0"], "behind": LIGHT["unsure"]}


def qualities(frame: pl.DataFrame, order: Sequence[str], title: str) -> Chart:
    """An index of each backbone with its interval. Columns: model, short, value, low, high, place (a key of PLACE)."""
    y = alt.Y("short:N", title=None).scale(domain=list(order))
    base, color = alt.Chart(), _color(frame)
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("value:Q", format=".3f", title=title),
        alt.Tooltip("low:Q", format=".3f", title="interval from"),
        alt.Tooltip("high:Q", format=".3f", title="to"),
    ]
    x = alt.X("low:Q", title=title).scale(zero=False)
    return layered(
        frame,
        base.mark_rule(strokeWidth=3, strokeCap="round").encode(y=y, x=x, x2="high:Q", color=color, tooltip=tooltip),
        base.mark_point(size=110, filled=True, opacity=1).encode(y=y, x="value:Q", color=color, tooltip=tooltip),
        height=max(40 * len(order), 80),
    )


def cost(frame: pl.DataFrame, title: str) -> Chart:
    """An index against the cost of an image. Columns: model, short, value, low, high, macs (in millions), place."""
    x = alt.X("macs:Q", title="multiply-accumulates an image (millions)").scale(type="log", nice=False, padding=30)
    y = alt.Y("value:Q", title=title).scale(zero=False, padding=14)
    base, color = alt.Chart(), _color(frame)
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("value:Q", format=".3f", title=title),
        alt.Tooltip("macs:Q", format=",.0f", title="MACs (millions)"),
    ]
    return layered(
        frame,
        base.mark_rule(strokeWidth=2, opacity=0.5).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=color),
        base.mark_point(size=110, filled=True, opacity=1).encode(x=x, y=y, color=color, tooltip=tooltip),
        base.mark_text(dy=-12, fontSize=11, color=LIGHT["ink"]).encode(x=x, y=y, text="short:N"),
        height=280,
    )


def _color(frame: pl.DataFrame) -> alt.Color:
    there = {word: color for word, color in PLACE.items() if word in set(frame["place"])}
    return alt.Color("place:N", title=None).scale(domain=list(there), range=list(there.values()))
