"""Charts of a search: the value of every trial, by its number and by each parameter."""

from typing import Literal

import altair as alt
import polars as pl

from assay.language.speech import later, say
from assay.report.charts import Chart, layered
from assay.report.style import LIGHT

STATES = {
    later("finalist"): (LIGHT["good"], "diamond"),
    later("finished"): (LIGHT["c0"], "circle"),
    later("stopped"): (LIGHT["unsure"], "cross"),
    later("failed"): (LIGHT["bad"], "cross"),
    later("running"): (LIGHT["unsure"], "circle"),
}
"""How far a trial came → colour and shape."""


def by_trial(frame: pl.DataFrame, measure: str) -> Chart:
    """A mark a trial. Columns: trial, state (a key of STATES), epochs, value."""
    x = alt.X("trial:Q", title=say("trial"), axis=alt.Axis(grid=False, tickMinStep=1, format="d"))
    return _marks(frame, x.scale(zero=False, nice=False, padding=12), measure, [], 250)


def by_parameter(frame: pl.DataFrame, parameter: str, measure: str, kind: Literal["log", "linear"] | None) -> Chart:
    """The same over a parameter, on an axis of this kind; None for levels that are names. Columns: those, and level."""
    if kind is None:
        x = alt.X("level:N", title=parameter, axis=alt.Axis(labelAngle=0))
        return _marks(frame, x, measure, [alt.Tooltip("level:N", title=parameter)], 220)
    scale = alt.Scale(type=kind, zero=False, nice=False, padding=12)
    axis = alt.Axis(grid=False, format="~g", tickCount=6)
    x = alt.X("level:Q", title=parameter, scale=scale, axis=axis)
    return _marks(frame, x, measure, [alt.Tooltip("level:Q", title=parameter, format=".4~g")], 220)


def _marks(frame: pl.DataFrame, x: alt.X, measure: str, told: list[alt.Tooltip], height: int) -> Chart:
    there = {say(state): looks for state, looks in STATES.items() if state in set(frame["state"])}
    frame = frame.with_columns(state=pl.col("state").replace({state: say(state) for state in STATES}))
    color = alt.Color("state:N", title=None).scale(domain=list(there), range=[color for color, _ in there.values()])
    shape = alt.Shape("state:N", title=None).scale(domain=list(there), range=[shape for _, shape in there.values()])
    tooltip = [
        alt.Tooltip("trial:Q", title=say("trial"), format="d"),
        alt.Tooltip("value:Q", title=measure, format=".4~f"),
        alt.Tooltip("epochs:Q", title=say("epochs"), format="d"),
        *told,
    ]
    y = alt.Y("value:Q", title=measure).scale(zero=False, nice=True)
    points = alt.Chart().mark_point(size=70, filled=True, opacity=0.9)
    return layered(frame, points.encode(x=x, y=y, color=color, shape=shape, tooltip=tooltip), height=height)
