"""Charts of boxes: what a threshold gives, and how often boxes of a score hit."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.language.speech import later, say
from assay.report.charts import (
    DASHED,
    FOCUS,
    Chart,
    Colors,
    Menu,
    diagonal,
    in_focus,
    layered,
    of_chosen,
    one_variant,
    over_seeds,
    variant_color,
)
from assay.report.style import LIGHT

MEASURES = {later("precision"): LIGHT["c0"], later("recall"): LIGHT["c4"], later("F1"): LIGHT["c2"]}


def over_threshold(frame: pl.DataFrame, chosen: pl.DataFrame, classes: Sequence[str], menu: Menu) -> Chart:
    """Precision, recall and F1 over the threshold, for the variant and the class that menus show.

    Columns: variant, class, measure, threshold, mean, low, high (in percent); ``chosen``: variant, class (as in
    the menu), threshold, of (the class it was chosen for).
    """
    category = alt.param(
        name="category", value=classes[0], bind=alt.binding_select(options=list(classes), name=say("class"))
    )
    of_class = "datum.class == category"
    base = of_chosen().transform_filter(of_class)
    frame = frame.with_columns(measure=pl.col("measure").replace({name: say(name) for name in MEASURES}))
    x = alt.X("threshold:Q", title=say("least score"), axis=alt.Axis(grid=False, tickCount=5)).scale(domain=[0, 1])
    y = alt.Y("mean:Q", title="%", axis=alt.Axis(tickCount=5)).scale(domain=[0, 100])
    color = alt.Color("measure:N", title=None).scale(
        domain=[say(name) for name in MEASURES], range=list(MEASURES.values())
    )
    tooltip = [
        alt.Tooltip("measure:N", title=say("measure")),
        alt.Tooltip("threshold:Q", format=".2f", title=say("least score")),
        *over_seeds(say("mean (%)"), ".1f"),
    ]
    marks = [
        base.mark_line(clip=True).encode(x=x, y=y, color=color),
        base.mark_circle(size=60, opacity=0, clip=True).encode(x=x, y=y, tooltip=tooltip),
    ]
    if (frame["high"] > frame["low"]).any():
        band = base.mark_area(clip=True, opacity=0.15)
        marks.insert(0, band.encode(x=x, y=alt.Y("low:Q", title="%"), y2="high:Q", color=color))
    rule = alt.Chart(chosen).transform_filter("datum.variant == shown").transform_filter(of_class).mark_rule(**DASHED)
    told = [
        alt.Tooltip("of:N", title=say("chosen for")),
        alt.Tooltip("threshold:Q", format=".2f", title=say("least score")),
    ]
    marks.append(rule.encode(x=x, tooltip=told))
    return one_variant(menu, frame, *marks, height=300).add_params(category)


def reliability(frame: pl.DataFrame, colors: Colors) -> Chart:
    """How many of the boxes of a score hit; on the diagonal as many as the score promises. A line for each variant.

    Columns: variant, confidence, precision (both in percent), boxes.
    """
    ends = alt.Scale(domain=[0, 100], nice=False)
    x = alt.X("confidence:Q", title=say("score (%)"), scale=ends, axis=alt.Axis(grid=False))
    y = alt.Y("precision:Q", title=say("of these hits (%)"), scale=ends)
    color, base = variant_color("variant", colors), alt.Chart()
    tooltip = [
        alt.Tooltip("variant:N", title=say("variant")),
        alt.Tooltip("confidence:Q", format=".1f", title=say("mean score (%)")),
        alt.Tooltip("precision:Q", format=".1f", title=say("of these hits (%)")),
        alt.Tooltip("boxes:Q", title=say("boxes"), format=",d"),
    ]
    size = alt.Size("boxes:Q", legend=None).scale(type="sqrt", range=[18, 260])
    placed = base.encode(x=x, y=y, color=color)
    return layered(
        frame,
        diagonal(0.0, 100.0, ends, ends),
        placed.mark_line(strokeWidth=1.5, clip=True).encode(opacity=in_focus()),
        placed.mark_point(filled=True, clip=True).encode(size=size, tooltip=tooltip, opacity=in_focus(0.75)),
        height=300,
    ).add_params(FOCUS)
