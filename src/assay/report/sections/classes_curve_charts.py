"""Charts of ROC and precision-recall curves."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.language.speech import later, say
from assay.report.charts import DASHED, FOCUS, Chart, Colors, in_focus, layered, variant_color

AXES = {
    "roc": (later("false positive rate"), later("true positive rate"), later("area under the curve")),
    "precision_recall": (later("recall"), later("precision"), later("average precision")),
}


def curves(frame: pl.DataFrame, kind: str, classes: Sequence[str], colors: Colors, noun: str) -> Chart:
    """A line for each variant, for the class (the ``noun``) that a menu shows, first the first; dashed: chance.

    Columns: variant, class, point (order along the line), x, y, area, low, high (over seeds), and of precision and
    recall chance, where there is such a thing.
    """
    across, up, measure = map(say, AXES[kind])
    chosen = alt.param(name="category", value=classes[0], bind=alt.binding_select(options=list(classes), name=noun))
    base = alt.Chart().transform_filter("datum.class == category")
    unit = alt.Scale(domain=[0, 1], nice=False)
    x = alt.X("x:Q", title=across, scale=unit, axis=alt.Axis(grid=False, tickCount=5))
    y = alt.Y("y:Q", title=up, scale=unit, axis=alt.Axis(tickCount=5))
    color = variant_color("variant", colors)
    tooltip = [
        alt.Tooltip("variant:N", title=say("variant")),
        alt.Tooltip("x:Q", format=".3~f", title=across),
        alt.Tooltip("y:Q", format=".3~f", title=up),
        alt.Tooltip("area:Q", format=".4~f", title=measure),
        alt.Tooltip("low:Q", format=".4~f", title=say("lowest seed")),
        alt.Tooltip("high:Q", format=".4~f", title=say("highest seed")),
    ]
    if kind == "roc":
        diagonal = alt.Chart(pl.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]}))
        chance = [diagonal.mark_line(strokeWidth=1, **DASHED).encode(x=x, y=y)]
    elif "chance" in frame.columns:
        level = base.transform_aggregate(chance="mean(chance)").mark_rule(**DASHED)
        chance = [level.encode(y=alt.Y("chance:Q", title=up, scale=unit))]
    else:
        chance = []
    line = base.mark_line(strokeWidth=1.8, strokeCap="butt", strokeJoin="miter")
    return layered(
        frame,
        *chance,
        line.encode(x=x, y=y, color=color, detail="variant:N", order="point:Q", opacity=in_focus()),
        base.mark_circle(size=90, opacity=0).encode(x=x, y=y, tooltip=tooltip),
        height=300,
    ).add_params(chosen, FOCUS)
