"""Charts of the uncertainty: reliability diagram and risk–coverage curve, one variant at a time."""

import altair as alt
import polars as pl

from assay.language.speech import say
from assay.report.charts import Chart, Colors, Menu, dashed_rule, diagonal, of_chosen, one_variant, variant_color


def reliability(frame: pl.DataFrame, methods: Colors, menu: Menu, counted: str) -> Chart:
    """How many of the answers of a confidence are right; on the diagonal as many as the confidence promises.

    Columns: variant, method, confidence, accuracy (both in percent), images (how many of the ``counted``).
    """
    least = float(frame.select(pl.min_horizontal("confidence", "accuracy").min()).item() or 0) // 10 * 10
    ends = alt.Scale(domain=[least, 100], nice=False)
    x = alt.X("confidence:Q", title=say("confidence (%)"), scale=ends, axis=alt.Axis(grid=False))
    right = of_chosen().encode(
        x=x, y=alt.Y("accuracy:Q", title=say("accuracy (%)"), scale=ends), color=variant_color("method", methods)
    )
    size = alt.Size("images:Q", legend=None).scale(range=[18, 260])
    tooltip = [
        alt.Tooltip("method:N", title=say("method")),
        alt.Tooltip("confidence:Q", format=".1f", title=say("mean confidence (%)")),
        alt.Tooltip("accuracy:Q", format=".1f", title=say("of these right (%)")),
        alt.Tooltip("images:Q", format=",d", title=say(counted)),
    ]
    return one_variant(
        menu,
        frame,
        diagonal(least, 100.0, ends, ends),
        right.mark_line(strokeWidth=1.5, clip=True),
        right.mark_point(filled=True, opacity=0.75, clip=True).encode(size=size, tooltip=tooltip),
        height=300,
    )


def risk_coverage(frame: pl.DataFrame, methods: Colors, menu: Menu) -> Chart:
    """What is wrong among the answers that are kept, when the least sure are set aside.

    Columns: variant, method, coverage, risk (both in percent).
    """
    shown = of_chosen()
    x = alt.X("coverage:Q", title=say("images answered, the surest first (%)"), axis=alt.Axis(grid=False))
    y = alt.Y("risk:Q", title=say("of these wrong (%)"))
    color = variant_color("method", methods)
    tooltip = [
        alt.Tooltip("method:N", title=say("method")),
        alt.Tooltip("coverage:Q", format=".0f", title=say("answered (%)")),
        alt.Tooltip("risk:Q", format=".2f", title=say("of these wrong (%)")),
    ]
    return one_variant(
        menu,
        frame,
        dashed_rule("at", 90.0).encode(x="at:Q"),
        shown.mark_line(clip=True).encode(x=x.scale(domain=[0, 100]), y=y, color=color),
        shown.mark_circle(size=60, opacity=0, clip=True).encode(x=x, y=y, tooltip=tooltip),
        height=300,
    )
