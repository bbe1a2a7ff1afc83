"""The chart of intervals: how much of the truth they hold."""

import altair as alt
import polars as pl

from assay.language.speech import say
from assay.report.charts import Chart, Colors, Menu, diagonal, of_chosen, one_variant, variant_color


def coverage(frame: pl.DataFrame, methods: Colors, menu: Menu) -> Chart:
    """What intervals hold against what they promise.

    Columns: variant, method, level, coverage (both in percent), width.
    """
    least = min(50.0, float(frame["coverage"].min()) // 10 * 10)  # type: ignore[arg-type]
    ends = alt.Scale(domain=[least, 100], nice=False)
    across = alt.Scale(domain=[45, 100], nice=False)
    x = alt.X(
        "level:Q", title=say("level (%)"), scale=across, axis=alt.Axis(grid=False, values=[50, 60, 70, 80, 90, 100])
    )
    y = alt.Y("coverage:Q", title=say("test images inside (%)"), scale=ends)
    held = of_chosen().encode(x=x, y=y, color=variant_color("method", methods))
    tooltip = [
        alt.Tooltip("method:N", title=say("method")),
        alt.Tooltip("level:Q", format=".0f", title=say("promised (%)")),
        alt.Tooltip("coverage:Q", format=".1f", title=say("held (%)")),
        alt.Tooltip("width:Q", format=".4~g", title=say("mean width")),
    ]
    return one_variant(
        menu,
        frame,
        diagonal(max(least, 45.0), 100.0, across, ends),
        held.mark_line(clip=True),
        held.mark_point(filled=True, size=60, opacity=1, clip=True).encode(tooltip=tooltip),
        height=280,
    )
