"""Charts of the classes: precision and recall, confusion matrices."""

from collections.abc import Sequence
from typing import Literal

import altair as alt
import polars as pl

from assay.language.speech import later, say
from assay.report.charts import Chart, Menu, layered, of_chosen, one_variant
from assay.report.style import LIGHT

MEASURES = later("precision"), later("recall")
SHARES = later("% of the true class")
"""What the cells of a confusion matrix show, unless a reader asks for counts."""


def classes(frame: pl.DataFrame, order: Sequence[str], menu: Menu) -> Chart:
    """Precision and recall of each class, for one variant at a time.

    Columns: variant, class, measure ("precision" or "recall"), mean, low, high, all in percent.
    """
    base = of_chosen()
    measures = [say(measure) for measure in MEASURES]
    frame = frame.with_columns(measure=pl.col("measure").replace({measure: say(measure) for measure in MEASURES}))
    y = alt.Y("class:N", title=None).scale(domain=list(order), paddingInner=0.28)
    offset = alt.YOffset("measure:N").scale(domain=measures)
    color = (
        alt.Color("measure:N", title=None).scale(domain=measures, range=[LIGHT["c0"], LIGHT["c4"]]).legend(orient="top")
    )
    tooltip = [
        alt.Tooltip("class:N", title=say("class")),
        alt.Tooltip("measure:N", title=say("measure")),
        alt.Tooltip("mean:Q", format=".2f", title=say("mean (%)")),
        alt.Tooltip("low:Q", format=".2f", title=say("lowest seed (%)")),
        alt.Tooltip("high:Q", format=".2f", title=say("highest seed (%)")),
    ]
    marks = [
        base.mark_bar(cornerRadiusEnd=2).encode(
            y=y,
            yOffset=offset,
            x=alt.X("mean:Q", title=say("precision, recall (%)")).scale(domain=[0, 100]),
            color=color,
            tooltip=tooltip,
        )
    ]
    if (frame["high"] > frame["low"]).any():
        whisker = base.mark_rule(color=LIGHT["ink"], strokeWidth=1.3)
        marks.append(whisker.encode(y=y, yOffset=offset, x=alt.X("low:Q"), x2="high:Q", tooltip=tooltip))
    return one_variant(menu, frame, *marks, height=len(order) * (36 if len(order) <= 12 else 25))


def confusion(frame: pl.DataFrame, order: Sequence[str], counted: str) -> Chart:
    """A confusion matrix: each row in percent of its true class, or by a switch in what is ``counted``.

    Columns: true, predicted, count, share (of the true class), percent, most (share of the largest count), right.
    """
    shares, by_count = say(SHARES), f"cells == '{say(counted)}'"
    written = ".2s" if counted == "pixels" else ",.0f"
    base = alt.Chart().transform_calculate(
        depth=f"{by_count} ? datum.most : datum.share",
        shown=f"{by_count} ? format(datum.count, '{written}') : format(datum.percent, ',.0f')",
    )
    side = len(order)
    step = max(34, 180 // side) if side <= 12 else max(7, 560 // side)
    thinned: Literal["greedy", False] = "greedy" if step < 12 else False
    tilt = -45 if max(map(len, order)) > 2 else 0
    x = alt.X("predicted:N", title=say("predicted")).scale(domain=list(order), padding=0.04)
    y = alt.Y("true:N", title=say("true")).scale(domain=list(order), padding=0.04)
    encoded = base.encode(
        x=x.axis(labelOverlap=thinned, labelLimit=120, labelAngle=tilt, domain=False, ticks=False),
        y=y.axis(labelOverlap=thinned, labelLimit=120),
        tooltip=[
            alt.Tooltip("true:N", title=say("true")),
            alt.Tooltip("predicted:N", title=say("predicted")),
            alt.Tooltip("count:Q", title=say(counted)),
            alt.Tooltip("share:Q", format=".1%", title=say("of the class")),
        ],
    )
    marks = [
        encoded.mark_rect(aria=step >= 24, stroke=LIGHT["grid"], strokeWidth=1 if step >= 12 else 0).encode(
            color=alt.Color("right:N", legend=None).scale(domain=[True, False], range=[LIGHT["c0"], LIGHT["c1"]]),
            fillOpacity=alt.FillOpacity("depth:Q", legend=None).scale(type="sqrt", domain=[0, 1], range=[0, 1]),
        )
    ]
    if step >= 24:
        ink = alt.condition("datum.depth > 0.45", alt.value(LIGHT["accent-ink"]), alt.value(LIGHT["ink"]))
        marks.append(
            encoded.transform_filter(f"{by_count} ? datum.count > 0 : datum.share >= 0.005")
            .mark_text(fontSize=11)
            .encode(text=alt.Text("shown:N"), color=ink)
        )
    switch = alt.param(
        name="cells", value=shares, bind=alt.binding_select(options=[shares, say(counted)], name=say("cells in"))
    )
    chart = layered(frame, *marks, height=step * side).add_params(switch)
    return chart.properties(width=step * side) if side <= 12 else chart
