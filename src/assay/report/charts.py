"""What charts share: one function a chart stands beside its section, a tidy polars frame in, an Altair chart out.

The same chart is the interactive one on the page and the SVG of a paper, and its frame is the CSV beside it. Order and
colour of the variants come in as explicit scale domains, so names never enter an expression.
"""

from collections.abc import Sequence

import altair as alt
import polars as pl

Chart = alt.Chart | alt.LayerChart
Colors = dict[str, str]
"""Variant → colour, in the order of the study."""

FOCUS = alt.param(name="focus", value=None)
"""The variant that the page's legend picks out; null is all of them."""


def layered(frame: pl.DataFrame, *marks: alt.Chart, height: int) -> alt.LayerChart:
    """Marks over one frame."""
    layers: alt.LayerChart = alt.LayerChart(layer=list(marks), data=frame)
    return layers.properties(height=height)


def chosen_variant(variants: Sequence[str], first: str, key: str) -> alt.Parameter:
    """The one variant that is shown, with a menu where there are several."""
    if len(variants) == 1:
        return alt.param(name="shown", value=first)
    return alt.param(name="shown", value=first, bind=alt.binding_select(options=list(variants), name=key))


def variant_color(field: str, colors: Colors) -> alt.Color:
    """Each variant in its colour; a single one needs no legend."""
    color = alt.Color(f"{field}:N", title=None).scale(domain=list(colors), range=list(colors.values()))
    return color if len(colors) > 1 else color.legend(None)
