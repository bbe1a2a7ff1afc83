"""Figures of the classes: precision and recall, confusion matrices."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from assay.report import charts
from assay.report.figures import Figure
from assay.report.subject import Subject

MOST_CLASSES = 24
"""More classes than these are cut to the hardest in the bar chart; the CSV has them all."""
MOST_MATRICES = 12
MOST_CELLS = 20_000
"""So many confusion matrices, of so many cells together, are drawn; at least the best variant's and the base's."""


def per_class(subject: Subject) -> Iterator[Figure]:
    """Precision and recall of every class."""
    frame = class_frame(subject)
    if frame.is_empty() or subject.best is None:
        return
    classes = list(dict.fromkeys(frame["class"]))
    hard = frame.filter(pl.col("measure") != "f1").group_by("class").agg(pl.col("mean").mean()).sort("mean")
    shown, best = classes, subject.shown[subject.best]
    title, note = "Precision and recall of every class", ""
    if len(classes) > MOST_CLASSES:
        shown = hard["class"].head(MOST_CLASSES).to_list()
        title = f"Precision and recall of the {MOST_CLASSES} hardest of {len(classes)} classes"
        note = (
            " Sorted by the mean of precision and recall over all variants, the hardest first; the CSV has every class."
        )
    bars = frame.filter(pl.col("measure") != "f1", pl.col("class").is_in(shown))
    whiskers = " Whiskers: from the lowest to the highest seed." if subject.seeds > 1 else ""
    variants = [subject.shown[name] for name in subject.order]
    yield Figure(
        "per-class",
        title,
        f"Test images, mean over seeds.{whiskers}{note}",
        f"Precision and recall of {len(shown)} classes, one variant at a time, first {best}.",
        charts.classes(bars, shown, variants, best, subject.key),
        frame,
    )


def class_frame(subject: Subject) -> pl.DataFrame:
    """A row per variant, class and measure (precision, recall, f1): mean, low, high over seeds in percent; images."""
    rows: list[dict[str, Any]] = []
    for name in subject.order:
        measured = [(subject.results.data(run)["classes"], subject.results.metrics(run)) for run in subject.runs(name)]
        measured = [(classes, m) for classes, m in measured if "precision_per_class" in m]
        for measure in ("precision", "recall", "f1") if measured else ():
            values = 100 * np.array([m[f"{measure}_per_class"] for _, m in measured])
            support = np.mean([m["support_per_class"] for _, m in measured], axis=0)
            for i, one in enumerate(measured[0][0]):
                column = values[:, i]
                numbers = {"mean": float(column.mean()), "low": float(column.min()), "high": float(column.max())}
                shared = {"variant": subject.shown[name], "class": one, "measure": measure}
                rows.append(shared | numbers | {"images": float(support[i])})
    return pl.DataFrame(rows, infer_schema_length=None)


def confusion(subject: Subject) -> Iterator[Figure]:
    """A matrix for each variant, summed over seeds: the best and the base (or the worst) open, the others folded."""
    first = list(dict.fromkeys(n for n in (subject.best, subject.base, subject.worst) if n in subject.finished))[:2]
    others = [name for name in subject.order if name not in first]
    keep_open = len(subject.order) <= 4
    cells = 0
    for i, name in enumerate([*first, *others][:MOST_MATRICES]):
        frame = confusion_frame(subject, name)
        cells += frame.height
        if frame.is_empty() or (i >= 2 and cells > MOST_CELLS):
            continue
        classes = list(dict.fromkeys(frame["true"]))
        seeds = len(subject.runs(name))
        position = list(subject.plan).index(name) + 1
        yield Figure(
            f"confusion-{position}-{subject.plan[name].folder[:40].rstrip('. ')}",
            subject.shown[name],
            "",
            f"Confusion matrix of {subject.shown[name]}: {len(classes)} true by {len(classes)} predicted classes, "
            f"{int(frame['count'].sum())} predictions over {seeds} seed{'s' * (seeds != 1)}.",
            charts.confusion(frame.filter(pl.col("count") > 0) if len(classes) > 40 else frame, classes),
            frame,
            wide=len(classes) > 12,
            folded=name in others and not keep_open,
        )


def confusion_frame(subject: Subject, variant: str) -> pl.DataFrame:
    """A row per pair of classes: true, predicted, count (summed over seeds), share and percent of the true class.

    Also the count as a share of the largest one (most), and whether the prediction is right.
    """
    total, classes = None, []
    for run in subject.runs(variant):
        matrix = subject.results.metrics(run).get("confusion_matrix")
        if matrix is not None:
            classes = subject.results.data(run)["classes"]
            total = np.array(matrix) + (0 if total is None else total)
    if total is None:
        return pl.DataFrame()
    share = total / np.maximum(total.sum(axis=1, keepdims=True), 1)
    n = len(classes)
    return pl.DataFrame(
        {
            "true": np.repeat(classes, n).tolist(),
            "predicted": list(classes) * n,
            "count": total.ravel().tolist(),
            "share": share.ravel().round(6).tolist(),
            "percent": (100 * share).ravel().round(4).tolist(),
            "most": (total / max(total.max(), 1)).ravel().round(6).tolist(),
            "right": np.eye(n, dtype=bool).ravel().tolist(),
        }
    )
