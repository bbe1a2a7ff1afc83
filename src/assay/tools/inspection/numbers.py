"""What there is to say of numbers told of images: range, quartiles, those that never change, those far out."""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64

from assay.data.targets import Values
from assay.language.script import as_name
from assay.language.speech import later, plural, say
from assay.report.figures import Figure
from assay.report.tables import Cell, Column, Table
from assay.results.formats import grouped
from assay.tools.inspection import charts
from assay.tools.inspection.inspecting import Inspection

FAR = 3.0
"""An image is far out whose number lies so many times the middle half's width beyond that half (Tukey, Exploratory Data
Analysis, 1977)."""
NAMED = 12
MOST_FIGURES = 6
QUANTILES = later("lowest"), later("quarter"), later("median"), later("three quarters"), later("highest")
OTHERS = later("mean"), later("deviation"), later("distinct"), later("far out")
_BINS = 40


def far_out(values: Float64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Which numbers are; none where half of all are equal."""
    low, high = np.quantile(values, [0.25, 0.75])
    reach = FAR * (high - low)
    return np.asarray((reach > 0) & ((values < low - reach) | (values > high + reach)))


def sentences(found: Inspection, targets: Values) -> list[str]:
    """A sentence for each number."""
    texts = []
    for name, values in zip(targets.names, targets.values.T, strict=True):
        low, first, third, high = (f"{v:g}" for v in np.quantile(values, [0, 0.25, 0.75, 1]))
        if low == high:
            constant = say("{name} is {low} in every image: there is nothing to learn.", name=as_name(name), low=low)
            texts.append(constant)
            continue
        text = say(
            "{name} goes from {low} to {high}, the middle half from {first} to {third}",
            name=as_name(name),
            low=low,
            high=high,
            first=first,
            third=third,
        )
        if len(rows := _farthest(values)):
            text += plural(
                "; {n:,} image is far out, the farthest {image} with {value:g}",
                "; {n:,} images are far out, the farthest {image} with {value:g}",
                len(rows),
                image=as_name(found.images.names[rows[0]]),
                value=float(values[rows[0]]),
            )
        texts.append(f"{text}.")
    return texts


def _farthest(values: Float64[np.ndarray, " n"]) -> list[int]:
    rows = np.flatnonzero(far_out(values))
    order = np.argsort(-np.abs(values[rows] - np.median(values)), kind="stable")
    return [int(i) for i in rows[order]]


def summary(targets: Values) -> Table:
    """Range, quartiles, mean and deviation of each number."""
    rows = []
    for name, values in zip(targets.names, targets.values.T, strict=True):
        quantiles = dict(
            zip(
                QUANTILES,
                np.quantile(values, np.linspace(0, 1, 5)).tolist(),
                strict=True,
            )
        )
        others = (float(values.mean()), float(values.std()), len(np.unique(values)), int(far_out(values).sum()))
        rows.append({"number": name, **quantiles, **dict(zip(OTHERS, others, strict=True))})
    keys = list(rows[0])[1:]
    columns = [Column(say("number"), "left"), *(Column(say(key)) for key in keys)]
    lines = [[Cell(row["number"], is_name=True), *(Cell(_shown(row[key])) for key in keys)] for row in rows]
    caption = say("Far out: more than {far:g} times the width of the middle half beyond it.", far=FAR)
    return Table("numbers", caption, columns, lines, pl.DataFrame(rows))


def _shown(value: float | int) -> str:
    return grouped(value) if isinstance(value, int) else f"{value:.4g}".replace("-", "−")


def outliers(found: Inspection, targets: Values) -> pl.DataFrame:
    """Every image far out in a number, the farthest first."""
    columns = zip(targets.names, targets.values.T, strict=True)
    rows = [(found.images.names[i], name, float(values[i])) for name, values in columns for i in _farthest(values)]
    return pl.DataFrame(rows, schema={"image": pl.String, "number": pl.String, "value": pl.Float64}, orient="row")


def outlier_table(frame: pl.DataFrame) -> Table:
    """The first of ``outliers``."""
    columns = [Column(say("image"), "left"), Column(say("number"), "left"), Column(say("value"))]
    lines = [
        [Cell(image, is_name=True), Cell(name, is_name=True), Cell(f"{value:g}")]
        for image, name, value in frame.head(NAMED).iter_rows()
    ]
    caption = say("The farthest out, {shown} of {n:,}.", shown=len(lines), n=len(frame))
    return Table("outliers", caption, columns, lines, frame)


def figures(targets: Values) -> list[Figure]:
    """How often each number is how large."""
    shown = zip(targets.names[:MOST_FIGURES], targets.values.T[:MOST_FIGURES], strict=True)
    return [_figure(k, name, values) for k, (name, values) in enumerate(shown)]


def _figure(k: int, name: str, values: Float64[np.ndarray, " n"]) -> Figure:
    counts, edges = np.histogram(values, min(_BINS, max(len(np.unique(values)), 1)))
    frame = pl.DataFrame({"low": edges[:-1], "high": edges[1:], "images": counts})
    alt = say(
        "Distribution of {name} over {n:,} images, from {low:g} to {high:g}.",
        name=as_name(name),
        n=len(values),
        low=float(values.min()),
        high=float(values.max()),
    )
    return Figure(f"number-{k + 1}", name, "", alt, charts.numbers(frame, name), frame)
