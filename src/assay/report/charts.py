"""One function a chart: a tidy polars frame in, an Altair chart out.

The same chart is the interactive one on the page and the SVG of a paper, and its frame is the CSV beside it. Order and
colour of the variants come in as explicit scale domains, so names never enter an expression.
"""

from collections.abc import Sequence
from typing import Literal

import altair as alt
import polars as pl

from assay.report.style import LIGHT

Chart = alt.Chart | alt.LayerChart
Colors = dict[str, str]
"""Variant → colour, in the order of the study."""

VERDICTS = {
    "better": (LIGHT["good"], "triangle-right"),
    "cannot tell": (LIGHT["unsure"], "circle"),
    "equal": (LIGHT["unsure"], "square"),
    "worse": (LIGHT["bad"], "triangle-left"),
}

CELLS = ("% of the true class", "images")
"""What the cells of a confusion matrix show."""

FOCUS = alt.param(name="focus", value=None)
"""The variant that the page's legend picks out; null is all of them."""


def effect(frame: pl.DataFrame, order: Sequence[str], title: str) -> Chart:
    """Paired differences to the base.

    Columns: variant, kind ("interval" or "seed"), seed, difference, low, high, verdict (a key of VERDICTS), p.
    """
    base = alt.Chart()
    y = alt.Y("variant:N", title=None).scale(domain=list(order))
    verdicts = {word: looks for word, looks in VERDICTS.items() if word in set(frame["verdict"])}
    color = alt.Color("verdict:N", title=None).scale(domain=list(verdicts), range=[c for c, _ in verdicts.values()])
    shape = alt.Shape("verdict:N", title=None).scale(domain=list(verdicts), range=[s for _, s in verdicts.values()])
    interval = base.transform_filter("datum.kind == 'interval'")
    tooltip = [
        alt.Tooltip("variant:N"),
        alt.Tooltip("difference:Q", format="+.3~f", title="mean difference"),
        alt.Tooltip("low:Q", format="+.3~f", title="interval from"),
        alt.Tooltip("high:Q", format="+.3~f", title="to"),
        alt.Tooltip("p:Q", format=".3~g", title="p (Holm)"),
    ]
    zero = alt.Chart(pl.DataFrame({"zero": [0.0]})).mark_rule(color=LIGHT["muted"], strokeDash=[3, 3])
    return layered(
        frame,
        zero.encode(x=alt.X("zero:Q")),
        interval.mark_rule(strokeWidth=3, strokeCap="round").encode(
            y=y, x=alt.X("low:Q", title=title), x2="high:Q", color=color, tooltip=tooltip
        ),
        interval.mark_point(size=110, filled=True, opacity=1).encode(
            y=y, x="difference:Q", color=color, shape=shape, tooltip=tooltip
        ),
        base.transform_filter("datum.kind == 'seed'")
        .mark_circle(size=26, opacity=0.55, yOffset=11, color=LIGHT["muted"])
        .encode(
            y=y,
            x="difference:Q",
            tooltip=[
                alt.Tooltip("variant:N"),
                alt.Tooltip("seed:O"),
                alt.Tooltip("difference:Q", format="+.3~f"),
            ],
        ),
        height=len(order) * (40 if len(order) < 12 else 30),
    )


def levels(frame: pl.DataFrame, factor: str, measure: str, colors: Colors, key: str, log: bool) -> Chart:
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
        alt.Tooltip("low:Q", format=".4~f", title="interval from"),
        alt.Tooltip("high:Q", format=".4~f", title="to"),
    ]
    if len(colors) > 1:
        tooltip.insert(0, alt.Tooltip("group:N", title="with"))
    return layered(
        frame,
        base.transform_filter("datum.kind == 'seed'")
        .mark_circle(size=26, opacity=0.45, xOffset=9)
        .encode(x=x, y=y, color=color, tooltip=[alt.Tooltip("seed:O"), alt.Tooltip("value:Q", format=".4~f")]),
        interval.mark_line().encode(x=x, y=y, color=color),
        interval.mark_rule(strokeWidth=2).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=color, tooltip=tooltip),
        interval.mark_point(size=70, filled=True, opacity=1).encode(x=x, y=y, color=color, tooltip=tooltip),
        height=320,
    )


def curves(
    frame: pl.DataFrame,
    measure: str,
    colors: Colors,
    domain: tuple[float, float] | None = None,
    phases: Sequence[tuple[int, str]] = (),
) -> Chart:
    """A metric over the epochs, a line for each variant and a band over its seeds.

    Columns: variant, epoch, mean, low, high, seeds. ``phases`` are first epochs with the word that a rule there gets.
    """
    base = alt.Chart()
    scale = (
        alt.Scale(zero=False, nice=True) if domain is None else alt.Scale(domain=list(domain), zero=False, nice=True)
    )
    epochs = frame["epoch"].unique().sort().to_list()
    few = epochs if len(epochs) <= 8 else alt.Undefined
    x = alt.X("epoch:Q", title="epoch", axis=alt.Axis(grid=False, values=few, tickMinStep=1, format="d", tickCount=8))
    x = x.scale(nice=False, zero=False)
    y = alt.Y("mean:Q", title=measure, scale=scale)
    color = variant_color("variant", colors)
    shown = "focus == null || datum.variant == focus"
    tooltip = [
        alt.Tooltip("variant:N"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("mean:Q", format=".4~f", title=measure),
        alt.Tooltip("low:Q", format=".4~f", title="lowest seed"),
        alt.Tooltip("high:Q", format=".4~f", title="highest seed"),
    ]
    marks = [
        base.mark_line(clip=True).encode(
            x=x, y=y, color=color, detail="variant:N", opacity=alt.condition(shown, alt.value(1), alt.value(0.12))
        ),
        base.mark_circle(size=90, opacity=0, clip=True).encode(x=x, y=y, tooltip=tooltip),
    ]
    if frame["epoch"].n_unique() == 1:
        marks.append(
            base.mark_point(filled=True, size=60, opacity=1, clip=True).encode(x=x, y=y, color=color, tooltip=tooltip)
        )
    if (frame["seeds"] > 1).any():
        marks.insert(
            0,
            base.mark_area(clip=True).encode(
                x=x,
                y=alt.Y("low:Q", title=measure),
                y2="high:Q",
                color=color,
                detail="variant:N",
                opacity=alt.condition(shown, alt.value(0.16), alt.value(0.03)),
            ),
        )
    return layered(frame, *marks, *phase_marks(phases), height=250).add_params(FOCUS)


def phase_marks(phases: Sequence[tuple[int, str]]) -> list[alt.Chart]:
    """A rule before the first epoch of each phase, with its word at the top."""
    if not phases:
        return []
    begins = pl.DataFrame([{"begins": epoch - 0.5, "phase": word} for epoch, word in phases])
    base = alt.Chart(begins).encode(x=alt.X("begins:Q", title="epoch"))
    word = base.mark_text(align="left", baseline="top", dx=4, fontSize=11, color=LIGHT["muted"])
    return [
        base.mark_rule(color=LIGHT["muted"], strokeDash=[3, 3]),
        word.encode(y=alt.value(2), text="phase:N"),
    ]


def classes(frame: pl.DataFrame, order: Sequence[str], variants: Sequence[str], first: str, key: str) -> Chart:
    """Precision and recall of each class, for one variant at a time.

    Columns: variant, class, measure ("precision" or "recall"), mean, low, high, all in percent.
    """
    chosen = chosen_variant(variants, first, key)
    base = alt.Chart().transform_filter("datum.variant == shown")
    measures = ["precision", "recall"]
    y = alt.Y("class:N", title=None).scale(domain=list(order), paddingInner=0.28)
    offset = alt.YOffset("measure:N").scale(domain=measures)
    color = (
        alt.Color("measure:N", title=None).scale(domain=measures, range=[LIGHT["c0"], LIGHT["c4"]]).legend(orient="top")
    )
    tooltip = [
        alt.Tooltip("class:N"),
        alt.Tooltip("measure:N"),
        alt.Tooltip("mean:Q", format=".2f", title="mean (%)"),
        alt.Tooltip("low:Q", format=".2f", title="lowest seed (%)"),
        alt.Tooltip("high:Q", format=".2f", title="highest seed (%)"),
    ]
    marks = [
        base.mark_bar(cornerRadiusEnd=2).encode(
            y=y,
            yOffset=offset,
            x=alt.X("mean:Q", title="precision, recall (%)").scale(domain=[0, 100]),
            color=color,
            tooltip=tooltip,
        )
    ]
    if (frame["high"] > frame["low"]).any():
        whisker = base.mark_rule(color=LIGHT["ink"], strokeWidth=1.3)
        marks.append(whisker.encode(y=y, yOffset=offset, x=alt.X("low:Q"), x2="high:Q", tooltip=tooltip))
    return layered(frame, *marks, height=len(order) * (36 if len(order) <= 12 else 25)).add_params(chosen)


def confusion(frame: pl.DataFrame, order: Sequence[str]) -> Chart:
    """A confusion matrix: each row in percent of its true class, or by a switch in images.

    Columns: true, predicted, count, share (of the true class), percent, most (share of the largest count), right.
    """
    by_count = f"cells == '{CELLS[1]}'"
    base = alt.Chart().transform_calculate(
        depth=f"{by_count} ? datum.most : datum.share", shown=f"{by_count} ? datum.count : datum.percent"
    )
    side = len(order)
    step = 34 if side <= 12 else max(7, 560 // side)
    thinned: Literal["greedy", False] = "greedy" if step < 12 else False
    tilt = -45 if max(map(len, order)) > 2 else 0
    x = alt.X("predicted:N", title="predicted").scale(domain=list(order), padding=0.04)
    y = alt.Y("true:N", title="true").scale(domain=list(order), padding=0.04)
    encoded = base.encode(
        x=x.axis(labelOverlap=thinned, labelLimit=120, labelAngle=tilt, domain=False, ticks=False),
        y=y.axis(labelOverlap=thinned, labelLimit=120),
        tooltip=[
            alt.Tooltip("true:N"),
            alt.Tooltip("predicted:N"),
            alt.Tooltip("count:Q", title="images"),
            alt.Tooltip("share:Q", format=".1%", title="of the class"),
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
            .encode(text=alt.Text("shown:Q", format=",.0f"), color=ink)
        )
    switch = alt.param(name="cells", value=CELLS[0], bind=alt.binding_select(options=list(CELLS), name="cells in"))
    return layered(frame, *marks, height=step * side).add_params(switch)


def seconds(frame: pl.DataFrame, order: Sequence[str], colors: Colors) -> Chart:
    """Training time, a bar for each variant and a dot for each seed.

    Columns: variant, kind ("mean" or "seed"), seed, seconds.
    """
    base = alt.Chart()
    y = alt.Y("variant:N", title=None).scale(domain=list(order), paddingInner=0.35)
    x = alt.X("seconds:Q", title="training time (s, wall clock)")
    color = variant_color("variant", colors).legend(None)
    return layered(
        frame,
        base.transform_filter("datum.kind == 'mean'")
        .mark_bar(cornerRadiusEnd=2, opacity=0.85)
        .encode(
            y=y,
            x=x,
            color=color,
            tooltip=[alt.Tooltip("variant:N"), alt.Tooltip("seconds:Q", format=".2f", title="mean (s)")],
        ),
        base.transform_filter("datum.kind == 'seed'")
        .mark_circle(size=30, color=LIGHT["ink"], opacity=0.65)
        .encode(
            y=y,
            x=x,
            tooltip=[
                alt.Tooltip("variant:N"),
                alt.Tooltip("seed:O"),
                alt.Tooltip("seconds:Q", format=".2f", title="seconds"),
            ],
        ),
        height=len(order) * (30 if len(order) < 12 else 22),
    )


def tradeoff(frame: pl.DataFrame, cost: str, measure: str, colors: Colors, log: bool) -> Chart:
    """A metric against what it costs, a point with its interval for each variant.

    Columns: variant, cost, value, low, high.
    """
    base = alt.Chart()
    x = alt.X("cost:Q", title=cost, axis=alt.Axis(format="~s", grid=False, tickCount=6))
    x = x.scale(type="log", nice=False, padding=24) if log else x.scale(zero=False, nice=True, padding=16)
    color = variant_color("variant", colors)
    shown = alt.condition("focus == null || datum.variant == focus", alt.value(1), alt.value(0.12))
    tooltip = [
        alt.Tooltip("variant:N"),
        alt.Tooltip("cost:Q", format=",.4~r", title=cost),
        alt.Tooltip("value:Q", format=".4~f", title=measure),
    ]
    y = alt.Y("value:Q", title=measure).scale(zero=False, nice=True)
    return layered(
        frame,
        base.mark_rule(strokeWidth=2).encode(
            x=x,
            y=alt.Y("low:Q", title=measure).scale(zero=False),
            y2="high:Q",
            color=color,
            opacity=shown,
            tooltip=tooltip,
        ),
        base.mark_point(size=90, filled=True).encode(x=x, y=y, color=color, opacity=shown, tooltip=tooltip),
        height=280,
    ).add_params(FOCUS)


def layered(frame: pl.DataFrame, *marks: alt.Chart, height: int) -> alt.LayerChart:
    """Marks over one frame."""
    layers: alt.LayerChart = alt.LayerChart(layer=list(marks), data=frame)
    return layers.properties(height=height)


def chosen_variant(variants: Sequence[str], first: str, key: str) -> alt.Parameter:
    """The one variant that is shown, with a menu where there are several."""
    if len(variants) == 1:
        return alt.param(name="shown", value=first)
    return alt.param(name="shown", value=first, bind=alt.binding_select(options=list(variants), name=key))


def variant_color(field: str, colors: Colors) -> alt.Color:
    """Each variant in its colour; a single one needs no legend."""
    color = alt.Color(f"{field}:N", title=None).scale(domain=list(colors), range=list(colors.values()))
    return color if len(colors) > 1 else color.legend(None)
