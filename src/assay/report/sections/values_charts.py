"""Charts of numbers: predicted against true, residuals, errors by decile of the truth."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.report.charts import FOCUS, Chart, Colors, chosen_variant, layered, variant_color
from assay.report.style import LIGHT


def predicted(frame: pl.DataFrame, target: str, variants: Sequence[str], first: str, key: str) -> Chart:
    """A point an image, and the diagonal, one variant at a time. Columns: variant, image, true, predicted, residual."""
    values = pl.concat([frame["true"], frame["predicted"]])
    least, most = float(values.min()), float(values.max())  # type: ignore[arg-type]
    ends = alt.Scale(domain=[least, most], nice=True, zero=False)
    diagonal = alt.Chart(pl.DataFrame({"ideal": [least, most]})).mark_line(color=LIGHT["muted"], strokeDash=[3, 3])
    return layered(
        frame,
        diagonal.encode(x=alt.X("ideal:Q", scale=ends), y=alt.Y("ideal:Q", scale=ends)),
        _points(alt.Y("predicted:Q", title=f"predicted {target}", scale=ends), target, ends),
        height=320,
    ).add_params(chosen_variant(variants, first, key))


def residuals(frame: pl.DataFrame, target: str, variants: Sequence[str], first: str, key: str) -> Chart:
    """The same points by predicted − true, and the line of none."""
    zero = alt.Chart(pl.DataFrame({"none": [0.0]})).mark_rule(color=LIGHT["muted"], strokeDash=[3, 3])
    ends = alt.Scale(nice=False, zero=False, padding=12)
    return layered(
        frame,
        zero.encode(y=alt.Y("none:Q")),
        _points(alt.Y("residual:Q", title="predicted − true"), target, ends),
        height=320,
    ).add_params(chosen_variant(variants, first, key))


def by_decile(frame: pl.DataFrame, target: str, measure: str, colors: Colors) -> Chart:
    """A measure of the errors over the truth, a line for each variant and bars over its seeds.

    Columns: variant, decile, truth, mean, low, high, seeds.
    """
    base = alt.Chart()
    x = alt.X("truth:Q", title=f"true {target}", axis=alt.Axis(grid=False)).scale(zero=False, nice=False, padding=12)
    y = alt.Y("mean:Q", title=measure)
    color = variant_color("variant", colors)
    shown = "focus == null || datum.variant == focus"
    faded = alt.condition(shown, alt.value(1), alt.value(0.12))
    tooltip = [
        alt.Tooltip("variant:N"),
        alt.Tooltip("decile:Q"),
        alt.Tooltip("mean:Q", format=".4~g", title=measure),
        alt.Tooltip("low:Q", format=".4~g", title="lowest seed"),
        alt.Tooltip("high:Q", format=".4~g", title="highest seed"),
    ]
    marks = [
        base.mark_line().encode(x=x, y=y, color=color, detail="variant:N", opacity=faded),
        base.mark_point(filled=True, size=36).encode(x=x, y=y, color=color, opacity=faded, tooltip=tooltip),
    ]
    if (frame["seeds"] > 1).any():
        bars = base.mark_rule(strokeWidth=2).encode(x=x, y=alt.Y("low:Q", title=measure), y2="high:Q", color=color)
        marks.insert(0, bars.encode(opacity=alt.condition(shown, alt.value(0.5), alt.value(0.05))))
    return layered(frame, *marks, height=250).add_params(FOCUS)


def _points(y: alt.Y, target: str, scale: alt.Scale) -> alt.Chart:
    tooltip = [
        alt.Tooltip("image:N"),
        alt.Tooltip("true:Q", format=".4~g"),
        alt.Tooltip("predicted:Q", format=".4~g"),
        alt.Tooltip("residual:Q", format="+.4~g"),
    ]
    x = alt.X("true:Q", title=f"true {target}", scale=scale, axis=alt.Axis(grid=False))
    shown = alt.Chart().transform_filter("datum.variant == shown")
    points: alt.Chart = shown.mark_circle(size=26, opacity=0.4, color=LIGHT["c0"], clip=True)
    return points.encode(x=x, y=y, tooltip=tooltip)
