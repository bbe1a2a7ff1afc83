"""The chart of labels, or of classes of pixels."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.language.speech import say
from assay.report.charts import FOCUS, Chart, Colors, in_focus, layered, over_seeds, variant_color
from assay.report.style import LIGHT

MOST_BESIDE = 8
"""More variants than these share one line a label."""


def by_label(frame: pl.DataFrame, labels: Sequence[str], measure: str, colors: Colors, counted: str) -> Chart:
    """A measure of each label, a mark for each variant and a line over its seeds.

    Columns: variant, label, mean, low, high, images (how many of them are ``counted``).
    """
    beside = len(colors) if len(colors) <= MOST_BESIDE else 1
    base = alt.Chart()
    y = alt.Y("label:N", title=None, axis=alt.Axis(grid=False, domain=False, ticks=False, labelColor=LIGHT["ink"]))
    y = y.scale(domain=list(labels), paddingInner=0.3)
    offset = alt.YOffset("variant:N").scale(domain=list(colors)) if beside > 1 else alt.YOffset()
    x = alt.X("mean:Q", title=measure, axis=alt.Axis(tickCount=5)).scale(zero=False, nice=True)
    color = variant_color("variant", colors)
    tooltip = [
        alt.Tooltip("label:N", title=say("label")),
        alt.Tooltip("variant:N", title=say("variant")),
        *over_seeds(measure),
        alt.Tooltip("images:Q", format=",.0f", title=counted),
    ]
    placed = base.encode(y=y, yOffset=offset, color=color, opacity=in_focus(), tooltip=tooltip)
    return layered(
        frame,
        placed.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=measure), x2="high:Q"),
        placed.mark_point(size=55, filled=True).encode(x=x),
        height=len(labels) * max(26, 11 * beside + 8),
    ).add_params(FOCUS)
