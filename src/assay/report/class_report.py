"""The classification report of a variant: precision, recall, F1 and support of each class, and their means."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from assay.report.classes import MOST_MATRICES
from assay.report.curves import MACRO, measured
from assay.report.formats import plus_minus
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.statistics import mean_interval

MEASURES = {"precision": "precision (%)", "recall": "recall (%)", "f1": "F1 (%)"}
AREAS = {"roc_auc": "ROC AUC", "average_precision": "average precision"}
MEANS = {"macro": "mean of the classes (macro)", "weighted": "mean of the images (weighted)"}


def tables(subject: Subject) -> list[tuple[str, Table]]:
    """(variant on the page, its report), the best variant first; at most as many as there are matrices."""
    order = sorted(subject.order, key=lambda name: name != subject.best)
    found = ((subject.shown[name], _table(subject, name)) for name in order[:MOST_MATRICES])
    return [(shown, table) for shown, table in found if table is not None]


def _table(subject: Subject, variant: str) -> Table | None:
    measured_runs: list[tuple[list[str], dict[str, Any]]] = [
        (subject.results.data(run)["classes"], found)
        for run in subject.runs(variant)
        if "precision_per_class" in (found := subject.results.metrics(run))
    ]
    if not measured_runs:
        return None
    classes, metrics = measured_runs[0][0], [m for _, m in measured_runs]
    areas = _areas(subject, variant)
    rows: list[dict[str, Any]] = []
    for i, name in enumerate(classes):
        images = sum(m["support_per_class"][i] for m in metrics) / len(metrics)
        values = {one: [m[f"{one}_per_class"][i] for m in metrics] for one in MEASURES}
        rows.append({"class": name, "images": images} | _intervals(values | areas.get(name, {})))
    total = sum(row["images"] for row in rows)
    for mean, words in MEANS.items():
        values = {one: [m[f"{one}_{mean}"] for m in metrics] for one in MEASURES}
        own = areas.get(MACRO, {}) if mean == "macro" else {}
        rows.append({"class": words, "images": total} | _intervals(values | own))
    shown = MEASURES | (AREAS if areas else {})
    frame = pl.DataFrame(rows, infer_schema_length=None)
    lines = [list(_cells(row, shown, row["class"] not in MEANS.values())) for row in rows]
    columns = [Column("class", "left"), *(Column(heading) for heading in shown.values()), Column("test images")]
    spread = "Mean over seeds ± half of its 95 % t interval." if len(metrics) > 1 else "One seed: no intervals."
    position = list(subject.plan).index(variant) + 1
    stem = f"report-{position}-{subject.plan[variant].folder[:40].rstrip('. ')}"
    return Table(stem, f"{subject.shown[variant]}. {spread}", columns, lines, frame)


def _cells(row: dict[str, Any], shown: dict[str, str], is_class: bool) -> Iterator[Cell]:
    yield Cell(row["class"], is_name=is_class)
    for one in shown:
        ends = (row.get(one), row.get(f"{one}_low"), row.get(f"{one}_high"))
        yield Cell(plus_minus(*ends, metric=f"{one}_macro"))
    yield Cell(f"{row['images']:,.0f}".replace(",", "\u202f"))


def _areas(subject: Subject, variant: str) -> dict[str, dict[str, list[float]]]:
    """Class (or MACRO) → name of the area → a number for each seed."""
    table = measured(subject)
    if table.is_empty():
        return {}
    found: dict[str, dict[str, list[float]]] = {}
    words = {"roc": "roc_auc", "precision_recall": "average_precision"}
    own = table.filter(variant=variant).unique(["seed", "class", "curve"], maintain_order=True)
    for name, kind, area in own.select("class", "curve", "area").iter_rows():
        found.setdefault(name, {}).setdefault(words[kind], []).append(area)
    return found


def _intervals(values: dict[str, list[float]]) -> dict[str, float | None]:
    intervals = {name: mean_interval(numbers) for name, numbers in values.items()}
    return {
        f"{name}{end}": value
        for name, interval in intervals.items()
        for end, value in (("", interval.mean), ("_low", interval.low), ("_high", interval.high))
    }
