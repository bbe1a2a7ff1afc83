"""The chart of a learning curve."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.language.speech import say
from assay.report.charts import DASHED, FOCUS, Chart, Colors, in_focus, layered, over_seeds, variant_color
from assay.report.sections.learning_axes import OF_THE_DATA, Axis
from assay.report.style import LIGHT


def curves(
    frame: pl.DataFrame,
    measure: str,
    colors: Colors,
    axis: Axis = OF_THE_DATA,
    phases: Sequence[tuple[int, str]] = (),
) -> Chart:
    """A metric over the epochs, a line for each variant and a band over its seeds.

    Columns: variant, epoch, mean, low, high, seeds. ``phases`` are first epochs with the word that a rule there gets.
    """
    base = alt.Chart()
    scale = alt.Scale(
        type="log" if axis.is_log else alt.Undefined,
        domain=list(axis.domain) if axis.domain else alt.Undefined,
        zero=alt.Undefined if axis.is_log else False,
        nice=True,
    )
    epochs = frame["epoch"].unique().sort().to_list()
    few = epochs if len(epochs) <= 8 else alt.Undefined
    x = alt.X(
        "epoch:Q", title=say("epoch"), axis=alt.Axis(grid=False, values=few, tickMinStep=1, format="d", tickCount=8)
    )
    x = x.scale(nice=False, zero=False)
    title = measure + axis.said
    y = alt.Y("mean:Q", title=title, scale=scale, axis=alt.Axis(format="~g") if axis.is_log else alt.Axis())
    color = variant_color("variant", colors)
    tooltip = [
        alt.Tooltip("variant:N", title=say("variant")),
        alt.Tooltip("epoch:Q", title=say("epoch")),
        *over_seeds(measure),
    ]
    marks = [
        base.mark_line(clip=True).encode(x=x, y=y, color=color, detail="variant:N", opacity=in_focus()),
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
                y=alt.Y("low:Q", title=title),
                y2="high:Q",
                color=color,
                detail="variant:N",
                opacity=in_focus(0.16, 0.03),
            ),
        )
    return layered(frame, *marks, *phase_marks(phases), height=250).add_params(FOCUS)


def phase_marks(phases: Sequence[tuple[int, str]]) -> list[alt.Chart]:
    """A rule before the first epoch of each phase, with its word at the top."""
    if not phases:
        return []
    begins = pl.DataFrame([{"begins": epoch - 0.5, "phase": word} for epoch, word in phases])
    base = alt.Chart(begins).encode(x=alt.X("begins:Q", title=say("epoch")))
    word = base.mark_text(align="left", baseline="top", dx=4, fontSize=11, color=LIGHT["muted"])
    return [
        base.mark_rule(**DASHED),
        word.encode(y=alt.value(2), text="phase:N"),
    ]
