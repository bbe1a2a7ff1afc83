"""The section on the labels: average precision and F1 of each, what is missed and said wrongly, curves."""

from collections.abc import Iterator

import polars as pl

from assay.language.speech import later, say
from assay.report.figures import Figure
from assay.report.section import Grid, Group, Legend, Name, Part, Section, Text, listing
from assay.report.sections import classes_curves, labels_charts, labels_report
from assay.report.sections.classes_curves import LABEL, MOST_CLASSES
from assay.report.sections.spreads import marks, spread
from assay.report.subject import Subject
from assay.results.metrics import factor

TITLES = {
    "average_precision": later("Average precision of every label"),
    "f1": later("F1 of every label"),
}
HARDEST = {
    "average_precision": later("Average precision of the {n} hardest labels"),
    "f1": later("F1 of the {n} hardest labels"),
}
READ = {
    "average_precision": later("Average precision of {n} labels for {variants} variants; the numbers are in the CSV."),
    "f1": later("F1 of {n} labels for {variants} variants; the numbers are in the CSV."),
}


def section(subject: Subject) -> Section | None:
    """Of what the measures multilabel and curves found, what there is."""
    table = subject.stacked("labels")
    curves = classes_curves.group(subject, LABEL)
    parts: list[Part] = []
    if not table.is_empty():
        drawn = list(figures(subject, table))
        parts = [Legend(subject.heading, subject.colors), Text(words(subject, table)), Grid(drawn)]
    found: list[Group | None] = [labels_report.reports(subject, table), curves, labels_report.mixed_up(subject)]
    parts += [group for group in found if group is not None]
    return Section("labels", say("Labels"), "", parts) if parts else None


def words(subject: Subject, table: pl.DataFrame) -> list[str | Name]:
    """How to read the figures, and which labels cannot be judged."""
    said = say("Test images; a label is said where its probability is above one half.") + marks(subject)
    if table["label"].n_unique() > MOST_CLASSES:
        said += say(" The {n} labels with the lowest average precision; the CSV has every label.", n=MOST_CLASSES)
    absent = table.filter(pl.col("images") == 0)["label"].unique(maintain_order=True)
    return [said, *listing(say(" Without a test image, so without scores and in no mean over labels: "), absent)]


def figures(subject: Subject, table: pl.DataFrame) -> Iterator[Figure]:
    """Each measure of every label, all variants side by side."""
    labels = table["label"].unique(maintain_order=True).to_list()
    shown = labels
    if len(labels) > MOST_CLASSES:
        mean = table.group_by("label", maintain_order=True).agg(pl.col("average_precision").mean())
        hard = mean.sort("average_precision", nulls_last=True, maintain_order=True)
        shown = hard["label"].head(MOST_CLASSES).to_list()
    for measure in TITLES:
        value = pl.col(measure) * factor(f"{measure}_macro")
        frame = spread(subject, table, "label", value, "images")
        seen = frame.filter(pl.col("label").is_in(shown))
        yield Figure(
            f"labels-{measure.replace('_', '-')}",
            say(TITLES[measure]) if shown == labels else say(HARDEST[measure], n=len(shown)),
            "",
            say(READ[measure], n=len(shown), variants=frame["variant"].n_unique()),
            labels_charts.by_label(
                seen, shown, say(labels_report.MEASURES[measure]), subject.colors, say("test images")
            ),
            frame,
            wide=False,
            legend=False,
        )
