"""Charts of the layers: an index over the depth of the network, and layer × epoch while it learns."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.language.speech import say
from assay.report.charts import Chart, Colors, Menu, mean_lines, of_chosen, one_variant, over_seeds
from assay.report.style import LIGHT


def layer_curves(frame: pl.DataFrame, order: Sequence[str], measure: str, colors: Colors) -> Chart:
    """An index over the layers, a line for each variant and a band over its seeds.

    Columns: variant, layer, mean, low, high, chance, seeds.
    """
    angle = 0 if max(map(len, order)) * len(order) < 50 else -45
    x = alt.X(
        "layer:N", title=None, sort=list(order), axis=alt.Axis(labelAngle=angle, labelOverlap=False, labelLimit=110)
    )
    y = alt.Y("mean:Q", title=measure, scale=alt.Scale(zero=False, nice=True))
    tooltip = [
        alt.Tooltip("variant:N", title=say("variant")),
        alt.Tooltip("layer:N", title=say("layer")),
        *over_seeds(measure),
        alt.Tooltip("chance:Q", format=".3~f", title=say("by chance")),
    ]
    return mean_lines(frame, x, y, measure, colors, tooltip)


def layer_epochs(frame: pl.DataFrame, order: Sequence[str], menu: Menu, measure: str) -> Chart:
    """An index of every layer while the network learns: a heat map layer × epoch, one variant at a time.

    Columns: variant, epoch, layer, mean, low, high.
    """
    epochs = frame["epoch"].n_unique()
    encoded = of_chosen().encode(
        x=alt.X("epoch:O", title=say("epoch (0: untrained)"), axis=alt.Axis(labelAngle=0, labelOverlap="greedy")),
        y=alt.Y("layer:N", title=None, sort=list(order)),
        tooltip=[
            alt.Tooltip("layer:N", title=say("layer")),
            alt.Tooltip("epoch:O", title=say("epoch")),
            *over_seeds(measure),
        ],
    )
    low, high = frame.select(pl.col("mean").min().alias("low"), pl.col("mean").max().alias("high")).row(0)
    opacity = alt.FillOpacity("mean:Q", title=measure).scale(domain=[low, high], range=[0.04, 1])
    marks = [encoded.mark_rect(color=LIGHT["c0"]).encode(fillOpacity=opacity.legend(None))]
    if epochs <= 14:
        bright = f"datum.mean > {low + 0.55 * (high - low)}"
        ink = alt.condition(bright, alt.value(LIGHT["accent-ink"]), alt.value(LIGHT["ink"]))
        marks.append(encoded.mark_text(fontSize=11).encode(text=alt.Text("mean:Q", format=".2f"), color=ink))
    return one_variant(menu, frame, *marks, height=len(order) * (24 if len(order) <= 24 else 14))
