"""Charts of a data set: images of each class, values of the pixels, how close the nearest image is."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.report.charts import Chart
from assay.report.style import LIGHT

CHANNELS = {"gray": LIGHT["c7"], "red": LIGHT["c1"], "green": LIGHT["c2"], "blue": LIGHT["c0"]}
SPLITS = {"training": LIGHT["c0"], "validation": LIGHT["c2"], "test": LIGHT["c4"], "all": LIGHT["accent"]}


def class_counts(frame: pl.DataFrame, order: Sequence[str]) -> Chart:
    """Images of each class, a bar for each split. Columns: class, split, images."""
    return _by_class(frame, order, "images", "images", ",")


def class_boxes(frame: pl.DataFrame, order: Sequence[str]) -> Chart:
    """Boxes of each class, a bar for each split. Columns: class, split, boxes."""
    return _by_class(frame, order, "boxes", "boxes", ",")


def class_pixels(frame: pl.DataFrame, order: Sequence[str]) -> Chart:
    """Share of the pixels of each class, a bar for each split. Columns: class, split, percent."""
    return _by_class(frame, order, "percent", "pixels (%)", ".2f")


def _by_class(frame: pl.DataFrame, order: Sequence[str], amount: str, title: str, number: str) -> Chart:
    present = {name: color for name, color in SPLITS.items() if name in set(frame["split"])}
    color = alt.Color("split:N", title=None).scale(domain=list(present), range=list(present.values()))
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=alt.Y("class:N", title=None).scale(domain=list(order), paddingInner=0.28),
            yOffset=alt.YOffset("split:N").scale(domain=list(present)),
            x=alt.X(f"{amount}:Q", title=title),
            color=color.legend(orient="top") if len(present) > 1 else color.legend(None),
            tooltip=[alt.Tooltip("class:N"), alt.Tooltip("split:N"), alt.Tooltip(f"{amount}:Q", format=number)],
        )
    )
    chart = chart.properties(height=len(order) * (34 if len(present) > 1 else 26))
    return chart


def values(frame: pl.DataFrame) -> Chart:
    """How often each pixel value occurs. Columns: channel, low, high (bounds of the bin), percent."""
    present = {name: color for name, color in CHANNELS.items() if name in set(frame["channel"])}
    color = alt.Color("channel:N", title=None).scale(domain=list(present), range=list(present.values()))
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_line(interpolate="step-after", strokeWidth=1.8)
        .encode(
            x=alt.X("low:Q", title="pixel value").scale(domain=[0, 256], nice=False).axis(grid=False),
            y=alt.Y("percent:Q", title="pixels (%)"),
            color=color.legend(orient="top") if len(present) > 1 else color.legend(None),
            tooltip=[
                alt.Tooltip("channel:N"),
                alt.Tooltip("low:Q", title="from"),
                alt.Tooltip("high:Q", title="to"),
                alt.Tooltip("percent:Q", format=".2f", title="pixels (%)"),
            ],
        )
    )
    chart = chart.properties(height=240)
    return chart


def numbers(frame: pl.DataFrame, name: str) -> Chart:
    """How often a number is how large. Columns: low, high (bounds of the bin), images."""
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar(binSpacing=1, color=LIGHT["accent"])
        .encode(
            x=alt.X("low:Q", title=name).bin("binned").scale(zero=False),
            x2="high:Q",
            y=alt.Y("images:Q", title="images"),
            tooltip=[
                alt.Tooltip("low:Q", title="from", format=".4g"),
                alt.Tooltip("high:Q", title="to", format=".4g"),
                alt.Tooltip("images:Q", format=","),
            ],
        )
    )
    chart = chart.properties(height=200)
    return chart


def closeness(frame: pl.DataFrame, threshold: float) -> Chart:
    """How close every image's nearest one is. Columns: low, high (bounds of the bin), images, copy (bool)."""
    bars = (
        alt.Chart(frame)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X("low:Q", title="closeness of the nearest image").bin("binned"),
            x2="high:Q",
            y=alt.Y("images:Q", title="images (square root)").scale(type="sqrt"),
            color=alt.Color("copy:N", legend=None).scale(domain=[True, False], range=[LIGHT["bad"], LIGHT["unsure"]]),
            tooltip=[
                alt.Tooltip("low:Q", title="from", format=".2f"),
                alt.Tooltip("high:Q", title="to", format=".2f"),
                alt.Tooltip("images:Q", format=","),
            ],
        )
    )
    rule = alt.Chart(pl.DataFrame({"at": [threshold]})).mark_rule(color=LIGHT["bad"], strokeDash=[4, 3])
    return alt.LayerChart(layer=[bars, rule.encode(x="at:Q")]).properties(height=240)
