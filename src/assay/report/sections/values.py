"""The section on numbers: what is predicted against what is true, residuals, and the error by decile of the truth."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from assay.language.script import as_name
from assay.language.speech import later, say
from assay.report.figures import Figure
from assay.report.section import Grid, Group, Legend, Name, Part, Section, Text
from assay.report.sections import values_charts
from assay.report.subject import Subject
from assay.results.formats import grouped
from assay.seeds import numpy_generator

MOST = 500
"""Images a figure shows, drawn from all test images where there are more."""
BY_DECILE = {
    "mae": (later("Mean absolute error by decile of the truth"), later("mean absolute error")),
    "bias": (later("Bias by decile of the truth"), later("mean of predicted − true")),
}
"""Column → the title of its figure, and the axis."""


def section(subject: Subject) -> Section | None:
    """A group for each target, of the runs that have predictions and errors by decile."""
    if subject.best is None:
        return None
    names = subject.results.data(subject.runs(subject.best)[0])["classes"]
    caption = say("In the targets' own units.") if len(names) > 1 else say("In the target's own unit.")
    if rows := _any_missing(subject):
        caption += f" {rows}"
    parts: list[Part] = []
    for number, target in enumerate(names, start=1):
        drawn = _of_target(subject, target, f"-{number}" if len(names) > 1 else "")
        parts += [Group([Name(target)], drawn)] if len(names) > 1 else drawn
    return Section("values", say("Predicted and true"), caption, parts, word=say("Values"))


def _of_target(subject: Subject, target: str, suffix: str) -> list[Part]:
    parts: list[Part] = [Grid(list(points(subject, target, suffix)))]
    if by_decile := list(deciles(subject, target, suffix)):
        said = say(
            "Tenths of the test images in the order of the true {target}, each at its middle.", target=as_name(target)
        )
        if subject.seeds > 1:
            said += " " + say("Lines: mean over seeds; bars: from the lowest to the highest seed.")
        parts += [Legend(subject.heading, subject.colors), Text(said), Grid(by_decile)]
    return parts


def points(subject: Subject, target: str, suffix: str) -> Iterator[Figure]:
    """Predicted against true, and their difference, a point an image, of one variant at a time."""
    frame, tested = _points(subject, target)
    shared = (
        say("{n} of {all} test images, drawn; the first seed of each variant.", n=MOST, all=grouped(tested))
        if tested > MOST
        else say("{n} test images; the first seed of each variant.", n=grouped(tested))
    )
    yield Figure(
        f"predicted{suffix}",
        say("Predicted against true {target}", target=as_name(target)),
        say("A point an image; on the dashed line both are equal.") + f" {shared}",
        say("Predicted against true {target} of {variants}.", target=as_name(target), variants=subject.menu),
        values_charts.predicted(frame, target, subject.menu),
        frame,
        wide=False,
    )
    yield Figure(
        f"residuals{suffix}",
        say("Residuals of {target}", target=as_name(target)),
        say(
            "Predicted less true. A slope says that the network keeps near the mean: too much of little, too little of "
            "much."
        ),
        say("Residuals of {target} against the truth of {variants}.", target=as_name(target), variants=subject.menu),
        values_charts.residuals(frame, target, subject.menu),
        frame,
        wide=False,
    )


def deciles(subject: Subject, target: str, suffix: str) -> Iterator[Figure]:
    """Mean absolute error and bias over the deciles of the truth, a line for each variant."""
    table = subject.stacked("error_by_decile")
    if table.is_empty():
        return
    rank = {name: i for i, name in enumerate(subject.order)}
    own = table.filter(pl.col("target") == target).with_columns(middle=(pl.col("low") + pl.col("high")) / 2)
    for column, (title, axis) in BY_DECILE.items():
        frame = (
            own.group_by("variant", "decile")
            .agg(
                truth=pl.col("middle").mean(),
                mean=pl.col(column).mean(),
                low=pl.col(column).min(),
                high=pl.col(column).max(),
                seeds=pl.len(),
            )
            .sort(pl.col("variant").replace_strict(rank, return_dtype=pl.Int64), "decile")
            .with_columns(pl.col("variant").replace(subject.shown))
        )
        yield Figure(
            f"{column}-by-decile{suffix}",
            say(title),
            "",
            say(
                "{title} of {target}, a line for each variant; the numbers are in the CSV.",
                title=say(title),
                target=as_name(target),
            ),
            values_charts.by_decile(frame, target, say(axis), subject.colors),
            frame,
            wide=False,
            legend=False,
        )


def _points(subject: Subject, target: str) -> tuple[pl.DataFrame, int]:
    """Variant, image, true, predicted, residual of the drawn test images, and how many were tested."""
    frames, tested = [], 0
    for name in subject.order:
        rows = subject.results.predictions(subject.runs(name)[0]).filter(pl.col("split") == "test")
        tested = len(rows)
        chosen = numpy_generator(0, "points").choice(tested, min(MOST, tested), replace=False)
        true, said = (pl.col(column).struct.field(target) for column in ("truth", "said"))
        frames.append(
            rows[np.sort(chosen)].select(
                pl.lit(subject.shown[name]).alias("variant"),
                pl.col("name").alias("image"),
                true.alias("true"),
                said.alias("predicted"),
                (said - true).alias("residual"),
            )
        )
    return pl.concat(frames), tested


def _any_missing(subject: Subject) -> str:
    """A sentence where the watched value does not exist."""
    history = subject.stacked("history")
    watched = [name for name in subject.order if subject.plan[name].recipe.train.watch == "r2"]
    own = history.filter(pl.col("variant").is_in(watched))
    validated = own.filter(pl.col("validation_loss").is_not_null())
    if validated.is_empty() or validated["validation_r2"].is_not_null().any():
        return ""
    return say(
        "The values of the validation images are all alike, so that R² does not exist for them: the weights are those "
        "of the last epoch."
    )
