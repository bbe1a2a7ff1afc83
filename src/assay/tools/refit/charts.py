"""Charts of a refit: changes of the accuracy with their intervals, and images gained and forgotten by class."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.report.charts import Chart, dashed_rule, layered
from assay.report.style import LIGHT

DECIDED = {"better": LIGHT["good"], "cannot tell": LIGHT["unsure"], "worse": LIGHT["bad"]}
KINDS = {"gained": LIGHT["good"], "forgotten": LIGHT["bad"]}


def changes(frame: pl.DataFrame, order: Sequence[str]) -> Chart:
    """Differences of the accuracy. Columns: change, points, low, high (percentage points), p, decided."""
    there = {word: color for word, color in DECIDED.items() if word in set(frame["decided"])}
    color = alt.Color("decided:N", title=None).scale(domain=list(there), range=list(there.values()))
    y = alt.Y("change:N", title=None).scale(domain=list(order))
    tooltip = [
        alt.Tooltip("change:N"),
        alt.Tooltip("points:Q", format="+.2f", title="points"),
        alt.Tooltip("low:Q", format="+.2f", title="interval from"),
        alt.Tooltip("high:Q", format="+.2f", title="to"),
        alt.Tooltip("p:Q", format=".3~g", title="p (Holm)"),
    ]
    base = alt.Chart()
    x = alt.X("low:Q", title="change of the test accuracy (points)")
    return layered(
        frame,
        dashed_rule("zero", 0.0).encode(x="zero:Q"),
        base.mark_rule(strokeWidth=3, strokeCap="round").encode(y=y, x=x, x2="high:Q", color=color, tooltip=tooltip),
        base.mark_point(size=110, filled=True, opacity=1).encode(y=y, x="points:Q", color=color, tooltip=tooltip),
        height=44 * len(order),
    )


def by_class(frame: pl.DataFrame, order: Sequence[str]) -> Chart:
    """Test images of each class gained, to the right, and forgotten, to the left. Columns: class, kind, images."""
    axis = alt.Axis(labelExpr="format(abs(datum.value), ',')", tickMinStep=1)
    color = alt.Color("kind:N", title=None).scale(domain=list(KINDS), range=list(KINDS.values()))
    chart: alt.Chart = (
        alt.Chart(frame)
        .transform_calculate(signed="datum.kind == 'gained' ? datum.images : -datum.images")
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=alt.Y("class:N", title=None).scale(domain=list(order), paddingInner=0.28),
            x=alt.X("signed:Q", title="test images", axis=axis),
            color=color,
            tooltip=[alt.Tooltip("class:N"), alt.Tooltip("kind:N"), alt.Tooltip("images:Q", format=",")],
        )
    )
    chart = chart.properties(height=26 * len(order))
    return chart
