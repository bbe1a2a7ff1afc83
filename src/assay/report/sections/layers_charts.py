"""Charts of the layers: an index over the depth of the network, and layer × epoch while it learns."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.report.charts import FOCUS, Chart, Colors, chosen_variant, layered, variant_color
from assay.report.style import LIGHT


def layer_curves(frame: pl.DataFrame, order: Sequence[str], measure: str, colors: Colors) -> Chart:
    """An index over the layers, a line for each variant and a band over its seeds.

    Columns: variant, layer, mean, low, high, chance, seeds.
    """
    base = alt.Chart()
    angle = 0 if max(map(len, order)) * len(order) < 50 else -45
    x = alt.X(
        "layer:N", title=None, sort=list(order), axis=alt.Axis(labelAngle=angle, labelOverlap=False, labelLimit=110)
    )
    y = alt.Y("mean:Q", title=measure, scale=alt.Scale(zero=False, nice=True))
    color = variant_color("variant", colors)
    shown = "focus == null || datum.variant == focus"
    tooltip = [
        alt.Tooltip("variant:N"),
        alt.Tooltip("layer:N"),
        alt.Tooltip("mean:Q", format=".4~f", title=measure),
        alt.Tooltip("low:Q", format=".4~f", title="lowest seed"),
        alt.Tooltip("high:Q", format=".4~f", title="highest seed"),
        alt.Tooltip("chance:Q", format=".3~f", title="by chance"),
    ]
    faded = alt.condition(shown, alt.value(1), alt.value(0.12))
    marks = [
        base.mark_line().encode(x=x, y=y, color=color, detail="variant:N", opacity=faded),
        base.mark_point(filled=True, size=36).encode(x=x, y=y, color=color, opacity=faded, tooltip=tooltip),
    ]
    if (frame["seeds"] > 1).any():
        bars = base.mark_rule(strokeWidth=2).encode(x=x, y=alt.Y("low:Q", title=measure), y2="high:Q", color=color)
        marks.insert(0, bars.encode(opacity=alt.condition(shown, alt.value(0.5), alt.value(0.05))))
    return layered(frame, *marks, height=250).add_params(FOCUS)


def layer_epochs(
    frame: pl.DataFrame, order: Sequence[str], variants: Sequence[str], first: str, key: str, measure: str
) -> Chart:
    """An index of every layer while the network learns: a heat map layer × epoch, one variant at a time.

    Columns: variant, epoch, layer, mean, low, high.
    """
    chosen = chosen_variant(variants, first, key)
    epochs = frame["epoch"].n_unique()
    encoded = (
        alt.Chart()
        .transform_filter("datum.variant == shown")
        .encode(
            x=alt.X("epoch:O", title="epoch (0: untrained)", axis=alt.Axis(labelAngle=0, labelOverlap="greedy")),
            y=alt.Y("layer:N", title=None, sort=list(order)),
            tooltip=[
                alt.Tooltip("layer:N"),
                alt.Tooltip("epoch:O"),
                alt.Tooltip("mean:Q", format=".4~f", title=measure),
                alt.Tooltip("low:Q", format=".4~f", title="lowest seed"),
                alt.Tooltip("high:Q", format=".4~f", title="highest seed"),
            ],
        )
    )
    low, high = frame.select(pl.col("mean").min().alias("low"), pl.col("mean").max().alias("high")).row(0)
    opacity = alt.FillOpacity("mean:Q", title=measure).scale(domain=[low, high], range=[0.04, 1])
    marks = [encoded.mark_rect(color=LIGHT["c0"]).encode(fillOpacity=opacity.legend(None))]
    if epochs <= 14:
        bright = f"datum.mean > {low + 0.55 * (high - low)}"
        ink = alt.condition(bright, alt.value(LIGHT["accent-ink"]), alt.value(LIGHT["ink"]))
        marks.append(encoded.mark_text(fontSize=11).encode(text=alt.Text("mean:Q", format=".2f"), color=ink))
    return layered(frame, *marks, height=len(order) * (24 if len(order) <= 24 else 14)).add_params(chosen)
