"""How far the scores of boxes may be believed, and whether the number of boxes is right."""

import polars as pl

from assay.language.speech import later, plural, say
from assay.report.figures import Figure
from assay.report.section import Grid, Group, Legend, Part, Text
from assay.report.sections import boxes_charts
from assay.report.sections.variants import variants_table
from assay.report.subject import Subject

METRICS = ("ece", "ece_tempered", "temperature", "count_error")
FEWEST = 10
"""Boxes of a bin that the diagram draws; the CSV has every bin."""
WORDS = later(
    "Of the boxes of a score, how many hit an object of their class at an IoU of 0.5{together}. Below the diagonal the "
    "scores promise more than they keep. Larger marks: more boxes; fewer than {fewest} are not drawn."
)
CAPTION = later(
    "ECE: how far, on average, a score is from the share that hits; tempered: after one temperature, tuned on "
    "validation images. Count error: how many boxes an image are too many or too few above the thresholds, on average."
)


def group(subject: Subject) -> Group | None:
    """The diagram and the numbers."""
    table = subject.stacked("box_calibration")
    if table.is_empty():
        return None
    parts: list[Part] = [
        Legend(subject.heading, subject.colors),
        Text(say(WORDS, together=say(", all seeds together") if subject.seeds > 1 else "", fewest=FEWEST)),
        Grid([_figure(subject, table)]),
    ]
    if metrics := [metric for metric in METRICS if metric in subject.results.metric_names]:
        parts.append(variants_table(subject, "calibration", say(CAPTION), metrics))
    return Group(say("Scores"), parts)


def calibration_frame(subject: Subject, table: pl.DataFrame) -> pl.DataFrame:
    """Columns: variant (on the page), bin, confidence and precision in percent over all seeds' boxes, boxes."""
    rank = {name: i for i, name in enumerate(subject.order)}
    boxes = pl.col("count").sum()
    return (
        table.filter(pl.col("count") > 0)
        .group_by("variant", "bin")
        .agg(
            confidence=100 * (pl.col("confidence") * pl.col("count")).sum() / boxes,
            precision=100 * (pl.col("precision") * pl.col("count")).sum() / boxes,
            boxes=boxes,
        )
        .sort(pl.col("variant").replace_strict(rank, return_dtype=pl.Int64), "bin")
        .with_columns(pl.col("variant").replace(subject.shown))
    )


def _figure(subject: Subject, table: pl.DataFrame) -> Figure:
    frame = calibration_frame(subject, table)
    variants = frame["variant"].n_unique()
    return Figure(
        "reliability",
        say("Hits by score"),
        "",
        plural(
            "The share of boxes that hit, by their score, of {n} variant; the numbers are in the CSV.",
            "The share of boxes that hit, by their score, of {n} variants; the numbers are in the CSV.",
            variants,
        ),
        boxes_charts.reliability(frame.filter(pl.col("boxes") >= FEWEST), subject.colors),
        frame,
        legend=False,
    )
