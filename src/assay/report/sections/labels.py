"""The section on the labels: average precision and F1 of each, what is missed and said wrongly, curves."""

from collections.abc import Iterator

import polars as pl

from assay.report.figures import Figure
from assay.report.section import Grid, Group, Legend, Name, Part, Section, Text, listing
from assay.report.sections import classes_curves, labels_charts, labels_report
from assay.report.sections.classes_curves import LABEL, MOST_CLASSES
from assay.report.sections.spreads import spread
from assay.report.subject import Subject
from assay.results.metrics import factor

TITLES = {"average_precision": "Average precision", "f1": "F1"}


def section(subject: Subject) -> Section | None:
    """Of what the measures multilabel and curves found, what there is."""
    table = subject.stacked("labels")
    curves = classes_curves.group(subject, LABEL)
    parts: list[Part] = []
    if not table.is_empty():
        drawn = list(figures(subject, table))
        parts = [Legend(subject.key, subject.colors), Text(words(subject, table)), Grid(drawn)]
    found: list[Group | None] = [labels_report.reports(subject, table), curves, labels_report.mixed_up(subject)]
    parts += [group for group in found if group is not None]
    return Section("labels", "Labels", "", parts) if parts else None


def words(subject: Subject, table: pl.DataFrame) -> list[str | Name]:
    """How to read the figures, and which labels cannot be judged."""
    said = "Test images; a label is said where its probability is above one half."
    if subject.seeds > 1:
        said += " Marks: mean over seeds; lines: from the lowest to the highest seed."
    if table["label"].n_unique() > MOST_CLASSES:
        said += f" The {MOST_CLASSES} labels with the lowest average precision; the CSV has every label."
    absent = table.filter(pl.col("images") == 0)["label"].unique(maintain_order=True)
    return [said, *listing(" Without a test image, so without scores and in no mean over labels: ", absent)]


def figures(subject: Subject, table: pl.DataFrame) -> Iterator[Figure]:
    """Each measure of every label, all variants side by side."""
    labels = table["label"].unique(maintain_order=True).to_list()
    shown = labels
    if len(labels) > MOST_CLASSES:
        mean = table.group_by("label", maintain_order=True).agg(pl.col("average_precision").mean())
        hard = mean.sort("average_precision", nulls_last=True, maintain_order=True)
        shown = hard["label"].head(MOST_CLASSES).to_list()
    for measure, title in TITLES.items():
        value = pl.col(measure) * factor(f"{measure}_macro")
        frame = spread(subject, table, "label", value, "images")
        seen = frame.filter(pl.col("label").is_in(shown))
        yield Figure(
            f"labels-{measure.replace('_', '-')}",
            f"{title} of every label" if shown == labels else f"{title} of the {len(shown)} hardest labels",
            "",
            f"{title} of {len(shown)} labels for {frame['variant'].n_unique()} variants; the numbers are in the CSV.",
            labels_charts.by_label(seen, shown, labels_report.MEASURES[measure], subject.colors),
            frame,
            wide=False,
            legend=False,
        )
