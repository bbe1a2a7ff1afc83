"""Charts of the results: paired differences, and the metric against the levels of a factor."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.language.speech import say
from assay.report.charts import FOCUS, Chart, Colors, chance_line, dashed_rule, in_focus, layered, variant_color
from assay.report.style import LIGHT

VERDICTS = {
    "better": (LIGHT["good"], "triangle-right"),
    "cannot tell": (LIGHT["unsure"], "circle"),
    "interim": (LIGHT["unsure"], "circle"),
    "equal": (LIGHT["unsure"], "square"),
    "same network": (LIGHT["unsure"], "square"),
    "worse": (LIGHT["bad"], "triangle-left"),
}


def effect(frame: pl.DataFrame, order: Sequence[str], title: str, chance: float | None = None) -> Chart:
    """Paired differences to the base, and that of chance.

    Columns: variant, kind ("interval" or "seed"), seed, difference, low, high, verdict (a key of VERDICTS), p.
    """
    base = alt.Chart()
    y = alt.Y("variant:N", title=None).scale(domain=list(order))
    verdicts = {say(word): looks for word, looks in VERDICTS.items() if word in set(frame["verdict"])}
    frame = frame.with_columns(verdict=pl.col("verdict").replace({word: say(word) for word in VERDICTS}))
    color = alt.Color("verdict:N", title=None).scale(domain=list(verdicts), range=[c for c, _ in verdicts.values()])
    shape = alt.Shape("verdict:N", title=None).scale(domain=list(verdicts), range=[s for _, s in verdicts.values()])
    interval = base.transform_filter("datum.kind == 'interval'")
    tooltip = [
        alt.Tooltip("variant:N", title=say("variant")),
        alt.Tooltip("difference:Q", format="+.3~f", title=say("mean difference")),
        alt.Tooltip("low:Q", format="+.3~f", title=say("interval from")),
        alt.Tooltip("high:Q", format="+.3~f", title=say("to")),
        alt.Tooltip("p:Q", format=".3~g", title="p"),
    ]
    return layered(
        frame,
        dashed_rule("zero", 0.0).encode(x="zero:Q"),
        *([] if chance is None else chance_line(chance, "x")),
        interval.mark_rule(strokeWidth=3, strokeCap="round").encode(
            y=y, x=alt.X("low:Q", title=title), x2="high:Q", color=color, opacity=in_focus(), tooltip=tooltip
        ),
        interval.mark_point(size=110, filled=True).encode(
            y=y, x="difference:Q", color=color, shape=shape, opacity=in_focus(), tooltip=tooltip
        ),
        base.transform_filter("datum.kind == 'seed'")
        .mark_circle(size=26, yOffset=11, color=LIGHT["muted"])
        .encode(
            y=y,
            opacity=in_focus(0.55),
            x="difference:Q",
            tooltip=[
                alt.Tooltip("variant:N", title=say("variant")),
                alt.Tooltip("seed:O", title=say("seed")),
                alt.Tooltip("difference:Q", title=say("difference"), format="+.3~f"),
            ],
        ),
        height=len(order) * (40 if len(order) < 12 else 30),
    ).add_params(FOCUS)


def levels(
    frame: pl.DataFrame,
    factor: str,
    measure: str,
    colors: Colors,
    key: str,
    log: bool,
    chance: float | None = None,
) -> Chart:
    """A metric against the levels of a numeric factor; ``colors`` has the combinations of the others, ``key``.

    Columns: group, level, kind ("interval" or "seed"), seed, value, low, high.
    """
    base = alt.Chart()
    scale = (
        alt.Scale(type="log", base=2, nice=False, padding=24) if log else alt.Scale(zero=False, nice=False, padding=24)
    )
    values = sorted(frame["level"].unique().to_list())
    axis = alt.Axis(values=values, grid=False, format="~r") if len(values) <= 12 else alt.Axis(grid=False, format="~r")
    x = alt.X("level:Q", title=factor, scale=scale, axis=axis)
    y = alt.Y("value:Q", title=measure).scale(zero=False, nice=True)
    color = variant_color("group", colors)
    if len(colors) > 1:
        color = color.legend(title=key, titleLimit=600, symbolOpacity=1)
    interval = base.transform_filter("datum.kind == 'interval'")
    tooltip = [
        alt.Tooltip("level:Q", title=factor),
        alt.Tooltip("value:Q", format=".4~f", title=measure),
        alt.Tooltip("low:Q", format=".4~f", title=say("interval from")),
        alt.Tooltip("high:Q", format=".4~f", title=say("to")),
    ]
    if len(colors) > 1:
        tooltip.insert(0, alt.Tooltip("group:N", title=say("with")))
    seeds = base.transform_filter("datum.kind == 'seed'").mark_circle(size=26, opacity=0.45, xOffset=9)
    ends = {"y": alt.Y("low:Q"), "y2": alt.Y2("high:Q")}
    marks = [
        seeds.encode(
            x=x,
            y=y,
            color=color,
            tooltip=[alt.Tooltip("seed:O", title=say("seed")), alt.Tooltip("value:Q", title=measure, format=".4~f")],
        ),
        interval.mark_line().encode(x=x, y=y, color=color),
        interval.mark_rule(strokeWidth=2).encode(x=x, color=color, tooltip=tooltip, **ends),
        interval.mark_point(size=70, filled=True, opacity=1).encode(x=x, y=y, color=color, tooltip=tooltip),
    ]
    if frame["low"].null_count() == frame.height:
        del marks[2]
    return layered(frame, *([] if chance is None else chance_line(chance, "y")), *marks, height=320)
