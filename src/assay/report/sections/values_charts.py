"""Charts of numbers: predicted against true, residuals, errors by decile of the truth."""

import altair as alt
import polars as pl

from assay.language.script import as_name
from assay.language.speech import say
from assay.report.charts import (
    Chart,
    Colors,
    Menu,
    dashed_rule,
    diagonal,
    mean_lines,
    of_chosen,
    one_variant,
    over_seeds,
)
from assay.report.style import LIGHT


def predicted(frame: pl.DataFrame, target: str, menu: Menu) -> Chart:
    """A point an image, and the diagonal, one variant at a time. Columns: variant, image, true, predicted, residual."""
    values = pl.concat([frame["true"], frame["predicted"]])
    least, most = float(values.min()), float(values.max())  # type: ignore[arg-type]
    ends = alt.Scale(domain=[least, most], nice=True, zero=False)
    return one_variant(
        menu,
        frame,
        diagonal(least, most, ends, ends),
        _points(
            alt.Y("predicted:Q", title=say("predicted {target}", target=as_name(target)), scale=ends), target, ends
        ),
        height=320,
    )


def residuals(frame: pl.DataFrame, target: str, menu: Menu) -> Chart:
    """The same points by predicted − true, and the line of none."""
    ends = alt.Scale(nice=False, zero=False, padding=12)
    return one_variant(
        menu,
        frame,
        dashed_rule("none", 0.0).encode(y="none:Q"),
        _points(alt.Y("residual:Q", title=say("predicted − true")), target, ends),
        height=320,
    )


def by_decile(frame: pl.DataFrame, target: str, measure: str, colors: Colors) -> Chart:
    """A measure of the errors over the truth, a line for each variant and bars over its seeds.

    Columns: variant, decile, truth, mean, low, high, seeds.
    """
    x = alt.X("truth:Q", title=say("true {target}", target=as_name(target)), axis=alt.Axis(grid=False)).scale(
        zero=False, nice=False, padding=12
    )
    tooltip = [
        alt.Tooltip("variant:N", title=say("variant")),
        alt.Tooltip("decile:Q", title=say("decile")),
        *over_seeds(measure, ".4~g"),
    ]
    return mean_lines(frame, x, alt.Y("mean:Q", title=measure), measure, colors, tooltip)


def _points(y: alt.Y, target: str, scale: alt.Scale) -> alt.Chart:
    tooltip = [
        alt.Tooltip("image:N", title=say("image")),
        alt.Tooltip("true:Q", title=say("true"), format=".4~g"),
        alt.Tooltip("predicted:Q", title=say("predicted"), format=".4~g"),
        alt.Tooltip("residual:Q", title=say("residual"), format="+.4~g"),
    ]
    x = alt.X("true:Q", title=say("true {target}", target=as_name(target)), scale=scale, axis=alt.Axis(grid=False))
    points: alt.Chart = of_chosen().mark_circle(size=26, opacity=0.4, color=LIGHT["c0"], clip=True)
    return points.encode(x=x, y=y, tooltip=tooltip)
