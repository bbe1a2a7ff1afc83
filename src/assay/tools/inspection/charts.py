"""Charts of a data set: images of each class, values of the pixels, how close the nearest image is."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from assay.language.speech import later, say
from assay.report.charts import Chart
from assay.report.style import LIGHT

CHANNELS = {
    later("gray"): LIGHT["c7"],
    later("red"): LIGHT["c1"],
    later("green"): LIGHT["c2"],
    later("blue"): LIGHT["c0"],
}
SPLITS = {
    later("training"): LIGHT["c0"],
    later("validation"): LIGHT["c2"],
    later("test"): LIGHT["c4"],
    later("all"): LIGHT["accent"],
}


def class_counts(frame: pl.DataFrame, order: Sequence[str]) -> Chart:
    """Images of each class, a bar for each split. Columns: class, split, images."""
    return _by_class(frame, order, "images", say("images"), ",")


def class_boxes(frame: pl.DataFrame, order: Sequence[str]) -> Chart:
    """Boxes of each class, a bar for each split. Columns: class, split, boxes."""
    return _by_class(frame, order, "boxes", say("boxes"), ",")


def class_pixels(frame: pl.DataFrame, order: Sequence[str]) -> Chart:
    """Share of the pixels of each class, a bar for each split. Columns: class, split, percent."""
    return _by_class(frame, order, later("percent"), say("pixels (%)"), ".2f")


def _by_class(frame: pl.DataFrame, order: Sequence[str], amount: str, title: str, number: str) -> Chart:
    present = {say(name): color for name, color in SPLITS.items() if name in set(frame["split"])}
    frame = frame.with_columns(split=pl.col("split").replace({name: say(name) for name in SPLITS}))
    color = alt.Color("split:N", title=None).scale(domain=list(present), range=list(present.values()))
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=alt.Y("class:N", title=None).scale(domain=list(order), paddingInner=0.28),
            yOffset=alt.YOffset("split:N").scale(domain=list(present)),
            x=alt.X(f"{amount}:Q", title=title),
            color=color.legend(orient="top") if len(present) > 1 else color.legend(None),
            tooltip=[
                alt.Tooltip("class:N", title=say("class")),
                alt.Tooltip("split:N", title=say("split")),
                alt.Tooltip(f"{amount}:Q", title=say(amount), format=number),
            ],
        )
    )
    chart = chart.properties(height=len(order) * (34 if len(present) > 1 else 26))
    return chart


def values(frame: pl.DataFrame) -> Chart:
    """How often each pixel value occurs. Columns: channel, low, high (bounds of the bin), percent."""
    present = {say(name): color for name, color in CHANNELS.items() if name in set(frame["channel"])}
    frame = frame.with_columns(channel=pl.col("channel").replace({name: say(name) for name in CHANNELS}))
    color = alt.Color("channel:N", title=None).scale(domain=list(present), range=list(present.values()))
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_line(interpolate="step-after", strokeWidth=1.8)
        .encode(
            x=alt.X("low:Q", title=say("pixel value")).scale(domain=[0, 256], nice=False).axis(grid=False),
            y=alt.Y("percent:Q", title=say("pixels (%)")),
            color=color.legend(orient="top") if len(present) > 1 else color.legend(None),
            tooltip=[
                alt.Tooltip("channel:N", title=say("channel")),
                alt.Tooltip("low:Q", title=say("from")),
                alt.Tooltip("high:Q", title=say("to")),
                alt.Tooltip("percent:Q", format=".2f", title=say("pixels (%)")),
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
            y=alt.Y("images:Q", title=say("images")),
            tooltip=[
                alt.Tooltip("low:Q", title=say("from"), format=".4g"),
                alt.Tooltip("high:Q", title=say("to"), format=".4g"),
                alt.Tooltip("images:Q", title=say("images"), format=","),
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
            x=alt.X("low:Q", title=say("closeness of the nearest image")).bin("binned"),
            x2="high:Q",
            y=alt.Y("images:Q", title=say("images (square root)")).scale(type="sqrt"),
            color=alt.Color("copy:N", legend=None).scale(domain=[True, False], range=[LIGHT["bad"], LIGHT["unsure"]]),
            tooltip=[
                alt.Tooltip("low:Q", title=say("from"), format=".2f"),
                alt.Tooltip("high:Q", title=say("to"), format=".2f"),
                alt.Tooltip("images:Q", title=say("images"), format=","),
            ],
        )
    )
    rule = alt.Chart(pl.DataFrame({"at": [threshold]})).mark_rule(color=LIGHT["bad"], strokeDash=[4, 3])
    return alt.LayerChart(layer=[bars, rule.encode(x="at:Q")]).properties(height=240)
