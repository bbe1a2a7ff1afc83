"""Curves of boxes: precision over recall, and precision, recall and F1 over the threshold with the chosen one."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from assay.language.speech import later, plural, say
from assay.report.figures import Figure
from assay.report.section import Grid, Group, Legend, Part, Text
from assay.report.sections import boxes_charts, classes_curve_charts
from assay.report.sections.classes_curves import CLASS, MOST_CLASSES, POINTS
from assay.report.subject import Subject
from assay.tasks.polylines import mean_line, thinned

MEASURES = ("precision", "recall", "f1")
WORDS = later(
    "Test images, at an IoU of 0.5{curves}. Precision over recall: every variant, as the score that is asked for "
    "falls; the area under the pointer is AP50. Over the threshold: what a user gets who keeps the boxes above a "
    "score; upright: the threshold of the class{mean}."
)


def group(subject: Subject) -> Group | None:
    """Both figures, where the runs measured them."""
    drawn = [*precision_recall(subject), *over_thresholds(subject)]
    if not drawn:
        return None
    several = subject.seeds > 1
    words = say(
        WORDS,
        curves=say(", the mean of the seeds' curves") if several else "",
        mean=say(", mean over seeds") if several else "",
    )
    parts: list[Part] = [Legend(subject.heading, subject.colors), Text(words), Grid(drawn)]
    return Group(say("Precision and recall"), parts)


def precision_recall(subject: Subject) -> Iterator[Figure]:
    """Precision over recall, a class at a time, first the mean of the classes."""
    table, classes = subject.stacked("pr_curves"), _classes(subject)
    if table.is_empty() or not classes:
        return
    areas = subject.stacked("classes")
    lines = [_line(subject, table, areas, name, one) for name in subject.order for one in classes]
    frame = pl.concat([line for line in lines if line is not None])
    variants = frame["variant"].n_unique()
    yield Figure(
        "curves-precision_recall",
        say("Precision and recall"),
        "",
        plural(
            "Precision over recall of {n} variant for {classes} classes and their mean; areas and points are in the "
            "CSV.",
            "Precision over recall of {n} variants for {classes} classes and their mean; areas and points are in the "
            "CSV.",
            variants,
            classes=len(classes) - 1,
        ),
        classes_curve_charts.curves(frame, "precision_recall", classes, subject.colors, say("class")),
        frame,
        wide=False,
        legend=False,
    )


def over_thresholds(subject: Subject) -> Iterator[Figure]:
    """Precision, recall and F1 over the threshold, for one variant and class at a time."""
    table, classes = subject.stacked("threshold_curves"), _classes(subject)
    if table.is_empty() or not classes:
        return
    frame = threshold_frame(subject, table.filter(pl.col("class").is_in(classes)))
    chosen = thresholds(subject)
    yield Figure(
        "curves-threshold",
        say("Over the threshold"),
        "",
        say(
            "Precision, recall and F1 over the threshold of the score, {n} classes and their mean, {variants}.",
            n=len(classes) - 1,
            variants=subject.menu,
        ),
        boxes_charts.over_threshold(frame, chosen, classes, subject.menu),
        frame,
        wide=False,
    )


def threshold_frame(subject: Subject, table: pl.DataFrame) -> pl.DataFrame:
    """Columns: variant (on the page), class, threshold, measure, mean, low, high over the seeds in percent."""
    mean = table.group_by("variant", "seed", "threshold").agg(pl.col(*MEASURES).mean())
    both = pl.concat([mean.with_columns(pl.lit(CLASS.mean).alias("class")), table.select([*mean.columns, "class"])])
    rank = {name: i for i, name in enumerate(subject.order)}
    value = 100 * pl.col("value")
    return (
        both.unpivot(MEASURES, index=["variant", "seed", "class", "threshold"], variable_name="measure")
        .filter(pl.col("value").is_not_null())
        .group_by("variant", "class", "measure", "threshold")
        .agg(mean=value.mean(), low=value.min(), high=value.max())
        .sort(pl.col("variant").replace_strict(rank, return_dtype=pl.Int64), "class", "measure", "threshold")
        .with_columns(pl.col("variant").replace(subject.shown), pl.col("measure").replace({"f1": "F1"}))
    )


def thresholds(subject: Subject) -> pl.DataFrame:
    """Columns: variant (on the page), class, threshold, of: the mean of the chosen ones over the seeds.

    Under the mean of the classes stand those of all.
    """
    table = subject.stacked("classes")
    there = table.filter(pl.col("threshold").is_not_null())
    mean = there.group_by("variant", "class", maintain_order=True).agg(pl.col("threshold").mean())
    named = mean.with_columns(pl.col("variant").replace(subject.shown), pl.col("class").alias("of"))
    return pl.concat([named, named.with_columns(pl.lit(CLASS.mean).alias("class"))])


def _classes(subject: Subject) -> Sequence[str]:
    """What a reader may choose: the mean, then the classes that occur, the hardest where they are many."""
    table = subject.stacked("classes").filter(pl.col("ap_50").is_not_null())
    hard = table.group_by("class", maintain_order=True).agg(pl.col("ap_50").mean()).sort("ap_50", maintain_order=True)
    kept = set(hard["class"].head(MOST_CLASSES))
    return [CLASS.mean, *(one for one in table["class"].unique(maintain_order=True) if one in kept)]


def _line(subject: Subject, table: pl.DataFrame, areas: pl.DataFrame, variant: str, name: str) -> pl.DataFrame | None:
    """The mean of the seeds' lines of a class, or of all classes, with the mean of their areas and the extremes."""
    own = table.filter(pl.col("variant") == variant)
    area = areas.filter(pl.col("variant") == variant, pl.col("ap_50").is_not_null())
    if name != CLASS.mean:
        own, area = own.filter(pl.col("class") == name), area.filter(pl.col("class") == name)
    if own.is_empty():
        return None
    lines = [(one["recall"].to_numpy(), one["precision"].to_numpy()) for _, one in own.group_by("seed", "class")]
    x, y = thinned(mean_line(lines), POINTS, tolerance=2e-3)
    of_seed = area.group_by("seed").agg(pl.col("ap_50").mean())["ap_50"].to_numpy()
    return pl.DataFrame({"x": np.round(x, 5), "y": np.round(y, 5)}).select(
        pl.lit(subject.shown[variant]).alias("variant"),
        pl.lit(name).alias("class"),
        pl.int_range(pl.len()).alias("point"),
        "x",
        "y",
        pl.lit(float(of_seed.mean())).alias("area"),
        pl.lit(float(of_seed.min())).alias("low"),
        pl.lit(float(of_seed.max())).alias("high"),
    )
