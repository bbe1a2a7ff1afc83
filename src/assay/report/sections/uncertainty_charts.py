"""Charts of the uncertainty: reliability diagram and risk–coverage curve, one variant at a time."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.report.charts import Chart, Colors, chosen_variant, dashed_rule, diagonal, layered, of_chosen, variant_color


def reliability(frame: pl.DataFrame, methods: Colors, variants: Sequence[str], first: str, key: str) -> Chart:
    """How many of the answers of a confidence are right; on the diagonal as many as the confidence promises.

    Columns: variant, method, confidence, accuracy (both in percent), images.
    """
    least = float(frame.select(pl.min_horizontal("confidence", "accuracy").min()).item() or 0) // 10 * 10
    ends = alt.Scale(domain=[least, 100], nice=False)
    shown = of_chosen()
    x = alt.X("confidence:Q", title="confidence (%)", scale=ends, axis=alt.Axis(grid=False))
    y = alt.Y("accuracy:Q", title="accuracy (%)", scale=ends)
    color = variant_color("method", methods)
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("confidence:Q", format=".1f", title="mean confidence (%)"),
        alt.Tooltip("accuracy:Q", format=".1f", title="of these right (%)"),
        alt.Tooltip("images:Q", format=",d"),
    ]
    size = alt.Size("images:Q", legend=None).scale(range=[18, 260])
    return layered(
        frame,
        diagonal(least, 100.0, ends, ends),
        shown.mark_line(strokeWidth=1.5, clip=True).encode(x=x, y=y, color=color),
        shown.mark_point(filled=True, opacity=0.75, clip=True).encode(
            x=x, y=y, color=color, size=size, tooltip=tooltip
        ),
        height=300,
    ).add_params(chosen_variant(variants, first, key))


def risk_coverage(frame: pl.DataFrame, methods: Colors, variants: Sequence[str], first: str, key: str) -> Chart:
    """What is wrong among the answers that are kept, when the least sure are set aside.

    Columns: variant, method, coverage, risk (both in percent).
    """
    shown = of_chosen()
    x = alt.X("coverage:Q", title="images answered, the surest first (%)", axis=alt.Axis(grid=False))
    y = alt.Y("risk:Q", title="of these wrong (%)")
    color = variant_color("method", methods)
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("coverage:Q", format=".0f", title="answered (%)"),
        alt.Tooltip("risk:Q", format=".2f", title="of these wrong (%)"),
    ]
    return layered(
        frame,
        dashed_rule("at", 90.0).encode(x="at:Q"),
        shown.mark_line(clip=True).encode(x=x.scale(domain=[0, 100]), y=y, color=color),
        shown.mark_circle(size=60, opacity=0, clip=True).encode(x=x, y=y, tooltip=tooltip),
        height=300,
    ).add_params(chosen_variant(variants, first, key))
