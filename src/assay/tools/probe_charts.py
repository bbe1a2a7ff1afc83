"""The chart of a probe: an index over the layers of one network, a line a split with its interval."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.report.charts import Chart, layered, variant_color
from assay.report.style import LIGHT

SPLITS = {"train": LIGHT["c0"], "validation": LIGHT["c2"], "test": LIGHT["c1"]}


def over_layers(frame: pl.DataFrame, order: Sequence[str], measure: str) -> Chart:
    """An index over the layers in the order of execution. Columns: layer, split, value, low, high, chance."""
    colors = {split: color for split, color in SPLITS.items() if split in set(frame["split"])}
    angle = 0 if max(map(len, order)) * len(order) < 50 else -45
    x = alt.X(
        "layer:N", title=None, sort=list(order), axis=alt.Axis(labelAngle=angle, labelOverlap=False, labelLimit=110)
    )
    y = alt.Y("value:Q", title=measure, scale=alt.Scale(zero=False, nice=True))
    color = variant_color("split", colors)
    tooltip = [
        alt.Tooltip("layer:N"),
        alt.Tooltip("split:N"),
        alt.Tooltip("value:Q", format=".3f", title=measure),
        alt.Tooltip("low:Q", format=".3f", title="interval from"),
        alt.Tooltip("high:Q", format=".3f", title="to"),
        alt.Tooltip("chance:Q", format=".3f", title="by chance"),
    ]
    base = alt.Chart()
    return layered(
        frame,
        base.mark_rule(strokeWidth=2, opacity=0.45).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=color),
        base.mark_line().encode(x=x, y=y, color=color),
        base.mark_point(filled=True, size=36, opacity=1).encode(x=x, y=y, color=color, tooltip=tooltip),
        height=280,
    )
