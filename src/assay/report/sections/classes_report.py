"""The classification report of a variant: precision, recall, F1 and support of each class, and their means."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from assay.language.script import as_name
from assay.language.speech import later, say
from assay.report.section import Group
from assay.report.sections.classes_confusion import MOST_MATRICES
from assay.report.sections.classes_curves import CLASS, measured
from assay.report.sections.variants import first_of
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.results.formats import grouped, plus_minus
from assay.results.metrics import bounds
from assay.results.statistics.intervals import mean_interval

MEASURES = {"precision": later("precision (%)"), "recall": later("recall (%)"), "f1": later("F1 (%)")}
AREAS = {"roc_auc": later("ROC AUC"), "average_precision": later("average precision")}
COUNTS = {"trained": later("training images"), "tested": later("test images")}

Areas = dict[str, dict[str, list[float]]]
"""Class (or the mean of all) → name of the area → a number for each seed."""


def group(subject: Subject) -> Group | None:
    """The report of the best variant, those of others folded away."""
    return first_of(say("Classification report"), tables(subject))


def tables(subject: Subject) -> list[tuple[str, Table]]:
    """(variant on the page, its report), the best variant first; at most as many as there are matrices."""
    areas = _areas(measured(subject))
    order = sorted(subject.order, key=lambda name: name != subject.best)
    found = ((subject.shown[name], _table(subject, name, areas.get(name, {}))) for name in order[:MOST_MATRICES])
    return [(shown, table) for shown, table in found if table is not None]


def _table(subject: Subject, variant: str, areas: Areas) -> Table | None:
    runs = [(subject.results.data(run), subject.results.metrics(run)) for run in subject.runs(variant)]
    runs = [(about, metrics) for about, metrics in runs if "precision_per_class" in metrics]
    if not runs:
        return None
    rows = list(_rows(runs, areas))
    shown = MEASURES | (AREAS if areas else {})
    counts = {key: heading for key, heading in COUNTS.items() if rows[0][key] is not None}
    lines = [[Cell(row["class"], is_name=True), *_numbers(row, shown, counts)] for row in rows]
    columns = [Column(say("class"), "left"), *(Column(say(heading)) for heading in [*shown.values(), *counts.values()])]
    one = say("One seed: no intervals.")
    spread = say("Mean over seeds ± half of its 95 % t interval, cut at 0 and 100 %.") if len(runs) > 1 else one
    frame = pl.DataFrame(rows, infer_schema_length=None)
    means = say("Means over classes are over those with test images.")
    caption = f"{as_name(subject.shown[variant])}. {spread} {means}"
    return Table(f"report-{subject.stem(variant)}", caption, columns, lines, frame, fixed=False)


def _rows(runs: list[tuple[dict[str, Any], dict[str, Any]]], areas: Areas) -> Iterator[dict[str, Any]]:
    """A row per class, then one per mean: its images, and each measure with the ends of its interval over the seeds.

    Runs from before ``data.json`` had the training images of each class do not say how many there were.
    """
    classes = runs[0][0]["classes"]
    trained = _mean([about.get("train_per_class") for about, _ in runs], len(classes))
    tested = _mean([metrics["support_per_class"] for _, metrics in runs], len(classes))
    for i, name in enumerate(classes):
        there = [metrics for _, metrics in runs if metrics["support_per_class"][i]]
        values = {one: [metrics[f"{one}_per_class"][i] for metrics in there] for one in MEASURES}
        counts = {"trained": trained and trained[i], "tested": tested and tested[i]}
        yield {"class": name, **counts, **_intervals(values | areas.get(name, {}))}
    for mean, words in (("macro", CLASS.mean), ("weighted", say("mean of the images (weighted)"))):
        values = {one: [metrics[f"{one}_{mean}"] for _, metrics in runs] for one in MEASURES}
        counts = {"trained": trained and sum(trained), "tested": tested and sum(tested)}
        yield {"class": words, **counts, **_intervals(values | (areas.get(words, {}) if mean == "macro" else {}))}


def _mean(counts: list[list[int] | None], classes: int) -> list[float] | None:
    known = [each for each in counts if each is not None]
    return [sum(each[i] for each in known) / len(known) for i in range(classes)] if len(known) == len(counts) else None


def _intervals(values: dict[str, list[float]]) -> dict[str, float | None]:
    intervals = {name: mean_interval(numbers, within=bounds(f"{name}_macro")) for name, numbers in values.items()}
    return {
        f"{name}{end}": value
        for name, interval in intervals.items()
        for end, value in (("", interval.mean), ("_low", interval.low), ("_high", interval.high))
    }


def _numbers(row: dict[str, Any], shown: dict[str, str], counts: dict[str, str]) -> Iterator[Cell]:
    for one in shown:
        ends = (row.get(one), row.get(f"{one}_low"), row.get(f"{one}_high"))
        yield Cell(plus_minus(*ends, metric=f"{one}_macro"))
    for key in counts:
        yield Cell(grouped(row[key]))


def _areas(table: pl.DataFrame) -> dict[str, Areas]:
    """By variant."""
    found: dict[str, Areas] = {}
    if table.is_empty():
        return found
    names = dict(zip(("roc", "precision_recall"), AREAS, strict=True))
    once = table.unique(["variant", "seed", "class", "curve"], maintain_order=True)
    for variant, one, kind, area in once.select("variant", "class", "curve", "area").iter_rows():
        found.setdefault(variant, {}).setdefault(one, {}).setdefault(names[kind], []).append(area)
    return found
