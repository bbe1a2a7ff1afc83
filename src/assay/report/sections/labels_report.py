"""Tables of the labels: how well each is found by a variant, and which are said in the place of which."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from assay.language.script import as_name
from assay.language.speech import later, say
from assay.report.section import Group
from assay.report.sections.classes_confusion import MOST_MATRICES
from assay.report.sections.spreads import over_seeds
from assay.report.sections.variants import first_of
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.results.formats import fixed, grouped, plus_minus
from assay.results.metrics import bounds
from assay.results.statistics.intervals import mean_interval

MEASURES = {
    "average_precision": later("average precision"),
    "f1": later("F1 (%)"),
    "precision": later("precision (%)"),
    "recall": later("recall (%)"),
}
COUNTS = {
    "trained": later("training images"),
    "images": later("test images"),
    "missed": later("missed"),
    "false_alarms": later("false alarms"),
}
MOST_PAIRS = 10
"""Of labels that are mixed up, in the table of the page; the CSV has all."""


def reports(subject: Subject, table: pl.DataFrame) -> Group | None:
    """The labels by the best variant, those by others folded away."""
    order = sorted(subject.order, key=lambda name: name != subject.best)
    found = [(name, table.filter(pl.col("variant") == name)) for name in order] if not table.is_empty() else []
    tables = [(subject.shown[name], _report(subject, name, own)) for name, own in found if own.height][:MOST_MATRICES]
    return first_of(say("Every label"), tables)


def _report(subject: Subject, variant: str, own: pl.DataFrame) -> Table:
    rows = list(_rows(subject, variant, own))
    columns = [Column(say("label"), "left"), *(Column(say(words)) for words in [*MEASURES.values(), *COUNTS.values()])]
    lines = [
        [
            Cell(row["label"], is_name=True),
            *(Cell(plus_minus(row[m], row[f"{m}_low"], row[f"{m}_high"], f"{m}_macro")) for m in MEASURES),
            *(Cell(_count(row[key])) for key in COUNTS),
        ]
        for row in rows
    ]
    caption = f"{as_name(subject.shown[variant])}. {over_seeds(own['seed'].n_unique() > 1)}"
    caption += say(" Missed: there and not said; false alarms: said and not there.")
    return Table(f"labels-{subject.stem(variant)}", caption, columns, lines, pl.DataFrame(rows), fixed=False)


def _rows(subject: Subject, variant: str, own: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """A row a label: its training images, the means of its counts and measures, and the ends of their intervals."""
    trained = [subject.results.data(run)["train_per_class"] for run in subject.runs(variant)]
    for i, (label,) in enumerate(own.select("label").unique(maintain_order=True).iter_rows()):
        one = own.filter(pl.col("label") == label)
        one = one.with_columns(trained=sum(each[i] for each in trained) / len(trained))
        row = {"label": label, **{key: one[key].mean() for key in COUNTS}}
        for measure in MEASURES:
            found = mean_interval(one[measure].drop_nulls().to_list(), within=bounds(f"{measure}_macro"))
            row |= {measure: found.mean, f"{measure}_low": found.low, f"{measure}_high": found.high}
        yield row


def mixed_up(subject: Subject) -> Group | None:
    """Which labels the best variant says in the place of which."""
    table = subject.stacked("mixed_up")
    if table.is_empty() or subject.best is None:
        return None
    seeds = len(subject.runs(subject.best))
    summed = (
        table.filter(pl.col("variant") == subject.best)
        .group_by("missed", "said", maintain_order=True)
        .agg(pl.col("images").sum() / seeds)
        .sort("images", descending=True, maintain_order=True)
    )
    if summed.is_empty():
        return None
    lines = [
        [Cell(missed, is_name=True), Cell(said, is_name=True), Cell(_count(images))]
        for missed, said, images in summed.head(MOST_PAIRS).iter_rows()
    ]
    columns = [Column(say("missed"), "left"), Column(say("said, and not there"), "left"), Column(say("test images"))]
    caption = say(
        "{name}: in how many test images one was missed and the other said{several}.",
        name=as_name(subject.shown[subject.best]),
        several=say(", mean over {n} seeds", n=seeds) if seeds > 1 else "",
    )
    if summed.height > MOST_PAIRS:
        caption += say(" The {n} most frequent of {pairs} pairs; the CSV has all.", n=MOST_PAIRS, pairs=summed.height)
    return Group(say("Mixed up"), [Table("mixed-up", caption, columns, lines, summed)])


def _count(number: float) -> str:
    return grouped(number) if number == round(number) else fixed(number, 1)
