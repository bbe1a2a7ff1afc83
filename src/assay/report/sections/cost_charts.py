"""Charts of the cost: training time, and the metric against what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import polars as pl

from assay.language.speech import say
from assay.report.charts import FOCUS, Chart, Colors, in_focus, layered, variant_color
from assay.report.style import LIGHT

PLAIN, MILLIONS = ",~r", "~s"
"""Of a tick: ``1,500``, for times, whose thousandths ``~s`` writes as ``150m``; and ``1.5M``, for counts."""


@dataclass(frozen=True)
class Cost:
    """What a metric is held against, on its axis: a count, or a time where ``scale`` turns seconds into its unit."""

    heading: str
    scale: float | None = None

    @property
    def digits(self) -> str:
        """The format of its ticks."""
        return MILLIONS if self.scale is None else PLAIN


def times(frame: pl.DataFrame, order: Sequence[str], colors: Colors, unit: str, scale: float) -> Chart:
    """Training time, a bar for each variant and a dot for each seed, in a unit of ``1 / scale`` seconds.

    Columns: variant, kind ("mean" or "seed"), seed, seconds.
    """
    base = alt.Chart()
    y = alt.Y("variant:N", title=None).scale(domain=list(order), paddingInner=0.35)
    x = alt.X("time:Q", title=say("training time ({unit}, wall clock)", unit=say(unit)), axis=alt.Axis(format=PLAIN))
    color = variant_color("variant", colors).legend(None)
    return layered(
        frame.with_columns(time=scale * pl.col("seconds")),
        base.transform_filter("datum.kind == 'mean'")
        .mark_bar(cornerRadiusEnd=2, opacity=0.85)
        .encode(
            y=y,
            x=x,
            color=color,
            tooltip=[
                alt.Tooltip("variant:N", title=say("variant")),
                alt.Tooltip("time:Q", format=".3~r", title=say("mean ({unit})", unit=say(unit))),
            ],
        ),
        base.transform_filter("datum.kind == 'seed'")
        .mark_circle(size=30, color=LIGHT["ink"], opacity=0.65)
        .encode(
            y=y,
            x=x,
            tooltip=[
                alt.Tooltip("variant:N", title=say("variant")),
                alt.Tooltip("seed:O", title=say("seed")),
                alt.Tooltip("time:Q", format=".3~r", title=say(unit)),
            ],
        ),
        height=len(order) * (30 if len(order) < 12 else 22),
    )


def tradeoff(frame: pl.DataFrame, cost: Cost, measure: str, colors: Colors, log: bool) -> Chart:
    """A metric against what it costs, a point with its interval for each variant.

    Columns: variant, cost, value, low, high.
    """
    base = alt.Chart()
    x = alt.X("cost:Q", title=cost.heading, axis=alt.Axis(format=cost.digits, grid=False, tickCount=6))
    x = x.scale(type="log", nice=False, padding=24) if log else x.scale(zero=False, nice=True, padding=16)
    color = variant_color("variant", colors)
    tooltip = [
        alt.Tooltip("variant:N", title=say("variant")),
        alt.Tooltip("cost:Q", format=",.4~r", title=cost.heading),
        alt.Tooltip("value:Q", format=".4~f", title=measure),
    ]
    y = alt.Y("value:Q", title=measure).scale(zero=False, nice=True)
    return layered(
        frame.with_columns(pl.col("cost") * (cost.scale or 1)),
        base.mark_rule(strokeWidth=2).encode(
            x=x,
            y=alt.Y("low:Q", title=measure).scale(zero=False),
            y2="high:Q",
            color=color,
            opacity=in_focus(),
            tooltip=tooltip,
        ),
        base.mark_point(size=90, filled=True).encode(x=x, y=y, color=color, opacity=in_focus(), tooltip=tooltip),
        height=280,
    ).add_params(FOCUS)
