"""The section on the classes: precision and recall of each, the classification report, curves, confusion matrices."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from assay.language.speech import say
from assay.report.figures import Figure
from assay.report.section import Part, Section, Text, listing
from assay.report.sections import classes_charts, classes_confusion, classes_curves, classes_report
from assay.report.sections.classes_curves import MOST_CLASSES
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.results.formats import grouped, value


def section(subject: Subject) -> Section | None:
    """Of what the measures classification and curves found, what there is."""
    groups = (part.group(subject) for part in (classes_report, classes_curves, classes_confusion))
    parts: list[Part] = [*figures(subject), *untested(subject), *(group for group in groups if group is not None)]
    table = per_class(subject)
    return Section("classes", say("Classes"), "", parts, beside=[] if table is None else [table]) if parts else None


def figures(subject: Subject) -> Iterator[Figure]:
    """Precision and recall of every class."""
    frame = class_frame(subject)
    if frame.is_empty() or subject.best is None:
        return
    classes = list(dict.fromkeys(frame["class"]))
    by_class = frame.filter(pl.col("measure") != "f1").group_by("class", maintain_order=True)
    hard = by_class.agg(pl.col("mean").mean()).sort("mean", nulls_last=True, maintain_order=True)
    shown = classes
    title, note = say("Precision and recall of every class"), ""
    if len(classes) > MOST_CLASSES:
        shown = hard["class"].head(MOST_CLASSES).to_list()
        title = say(
            "Precision and recall of the {n} hardest of {classes} classes", n=MOST_CLASSES, classes=len(classes)
        )
        note = say(
            "Sorted by the mean of precision and recall over all variants, the hardest first; the CSV has every class."
        )
    bars = frame.filter(pl.col("measure") != "f1", pl.col("class").is_in(shown))
    whiskers = say("Whiskers: from the lowest to the highest seed.") if subject.seeds > 1 else ""
    yield Figure(
        "per-class",
        title,
        " ".join(filter(None, [say("Test images, mean over seeds."), whiskers, note])),
        say("Precision and recall of {n} classes, {shown}.", n=len(shown), shown=subject.menu),
        classes_charts.classes(bars, shown, subject.menu),
        frame,
    )


def untested(subject: Subject) -> Iterator[Text]:
    """Which classes have no test image, and what follows."""
    frame = class_frame(subject)
    absent = [] if frame.is_empty() else frame.filter(images=0)["class"].unique(maintain_order=True).to_list()
    if absent:
        before = say("Without a test image, so without precision, recall and F1 and in no mean over classes: ")
        yield Text(listing(before, absent))


def per_class(subject: Subject) -> Table | None:
    """Precision, recall and F1 of each class and variant; only for the files."""
    frame = class_frame(subject)
    if frame.is_empty():
        return None
    wide = frame.pivot("measure", index=["variant", "class", "images"], values="mean", maintain_order=True)
    columns = [Column("variant", "left"), Column("class", "left"), Column("images")]
    columns += [Column(f"{m} (%)") for m in ("precision", "recall", "F1")]
    lines = [
        [Cell(row["variant"]), Cell(row["class"]), Cell(grouped(row["images"]))]
        + [Cell(value(row[m], "")) for m in ("precision", "recall", "f1")]
        for row in wide.iter_rows(named=True)
    ]
    return Table("per-class", "Mean over seeds.", columns, lines, subject.full_names(frame))


def class_frame(subject: Subject) -> pl.DataFrame:
    """A row per variant, class and measure (precision, recall, f1): mean, low, high over seeds in percent; images.

    Null for a class without a test image.
    """
    rows: list[dict[str, Any]] = []
    for name in subject.order:
        measured = [(subject.results.data(run)["classes"], subject.results.metrics(run)) for run in subject.runs(name)]
        measured = [(classes, m) for classes, m in measured if "precision_per_class" in m]
        for measure in ("precision", "recall", "f1") if measured else ():
            support = np.mean([m["support_per_class"] for _, m in measured], axis=0)
            for i, one in enumerate(measured[0][0]):
                there = [m[f"{measure}_per_class"][i] for _, m in measured if m["support_per_class"][i]]
                numbers = {"mean": np.mean(there), "low": min(there), "high": max(there)} if there else {}
                shared = {"variant": subject.shown[name], "class": one, "measure": measure}
                rows.append(shared | {k: 100 * float(v) for k, v in numbers.items()} | {"images": float(support[i])})
    floats = dict.fromkeys(("mean", "low", "high"), pl.Float64) if rows else None
    return pl.DataFrame(rows, schema_overrides=floats, infer_schema_length=None)
