"""ROC and precision-recall curves on the page: every variant in one chart, a class or label or the mean at a time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from assay.language.speech import later, plural, say
from assay.report.figures import Figure
from assay.report.section import Grid, Group, Legend, Name, Part, Text, listing
from assay.report.sections import classes_curve_charts
from assay.report.subject import Subject
from assay.tasks.polylines import mean_line, thinned

MOST_CLASSES = 24
"""More classes than these are cut to the hardest; the CSV has them all."""


class Noun(NamedTuple):
    """What the curves are of."""

    one: str
    many: str
    against: str

    @property
    def mean(self) -> str:
        """In the place of a single one."""
        return say("mean of the {many} (macro)", many=say(self.many))


CLASS = Noun(later("class"), later("classes"), later("Each class against the rest"))
LABEL = Noun(later("label"), later("labels"), later("The images with a label against those without"))
WORDS = {"roc": later("ROC"), "precision_recall": later("Precision and recall")}
POINTS = 100
"""Of each line on the page."""


def group(subject: Subject, noun: Noun = CLASS) -> Group | None:
    """Both kinds of curves, and which classes have none."""
    drawn = list(figures(subject, noun))
    if not drawn:
        return None
    words: list[str | Name] = [
        say(
            "{against}, over the test images{several}; dashed: what chance would give. The area is under the pointer. "
            "Precision is drawn in steps, whose area is the average precision.",
            against=say(noun.against),
            several=say(", the mean of the seeds' curves") if subject.seeds > 1 else "",
        )
    ]
    words += listing(say(" Without a curve: "), missing(subject))
    parts: list[Part] = [Legend(subject.heading, subject.colors), Text(words), Grid(drawn)]
    return Group(say("ROC and precision–recall"), parts)


def figures(subject: Subject, noun: Noun = CLASS) -> Iterator[Figure]:
    """One figure for each kind of curve, where the runs measured them."""
    table = measured(subject, noun)
    if table.is_empty():
        return
    hard = table.filter(curve="roc").group_by("class").agg(pl.col("area").mean()).sort("area", "class")["class"]
    found = [name for name in table["class"].unique(maintain_order=True) if name != noun.mean]
    kept = set(hard.head(MOST_CLASSES + 1)) if len(found) > MOST_CLASSES else set(found)
    classes = [noun.mean, *(name for name in found if name in kept)]
    for kind in WORDS:
        frame = pl.concat(list(_lines(subject, table.filter(pl.col("class").is_in(classes), curve=kind))))
        variants = frame["variant"].n_unique()
        yield Figure(
            f"curves-{kind}",
            say(WORDS[kind]),
            "",
            plural(
                "{curve} curves of {n} variant for {count} {classes} and their mean; areas and points are in the CSV.",
                "{curve} curves of {n} variants for {count} {classes} and their mean; areas and points are in the CSV.",
                variants,
                curve=say(WORDS[kind]),
                count=len(classes) - 1,
                classes=say(noun.many),
            ),
            classes_curve_charts.curves(frame, kind, classes, subject.colors, say(noun.one)),
            frame,
            wide=False,
            legend=False,
        )


def measured(subject: Subject, noun: Noun = CLASS) -> pl.DataFrame:
    """The points of all finished runs."""
    table = subject.stacked("curves")
    if "curve" not in table.columns:
        return pl.DataFrame()
    return table.filter(pl.col("curve").is_not_null()).with_columns(pl.col("class").fill_null(noun.mean))


def missing(subject: Subject) -> list[str]:
    """The classes without a curve, and why: ``cat (no test image is of this class)``."""
    table = subject.stacked("curves")
    if "reason" not in table.columns:
        return []
    reasons = table.filter(pl.col("reason").is_not_null()).select("class", "reason").unique(maintain_order=True)
    return [f"{name} ({reason})" for name, reason in reasons.iter_rows()]


def _lines(subject: Subject, table: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """For each variant and class the mean of the seeds' lines, with the mean of their areas and the extremes."""
    rank = {name: i for i, name in enumerate(subject.order)}
    parts = {
        (str(variant), str(name)): own
        for (variant, name), own in table.group_by("variant", "class", maintain_order=True)
    }
    for (variant, name), own in sorted(parts.items(), key=lambda item: rank[item[0][0]]):
        seeds = [one for _, one in own.group_by("seed", maintain_order=True)]
        areas = np.array([one["area"][0] for one in seeds])
        x, y = thinned(mean_line([(one["x"].to_numpy(), one["y"].to_numpy()) for one in seeds]), POINTS, tolerance=2e-3)
        yield pl.DataFrame({"x": x.round(5), "y": y.round(5)}).select(
            pl.lit(subject.shown[variant]).alias("variant"),
            pl.lit(name).alias("class"),
            pl.int_range(pl.len()).alias("point"),
            "x",
            "y",
            pl.lit(float(areas.mean())).alias("area"),
            pl.lit(float(areas.min())).alias("low"),
            pl.lit(float(areas.max())).alias("high"),
            pl.lit(float(own["chance"].mean())).alias("chance"),  # type: ignore[arg-type]
        )
