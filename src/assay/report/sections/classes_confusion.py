"""The confusion matrices: a figure for each of the first variants, and all of them as one sheet."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from assay.language.script import as_name
from assay.language.speech import plural, say
from assay.report.figures import Figure
from assay.report.section import Folded, Grid, Group, Part, Sheet, Text
from assay.report.sections import classes_charts
from assay.report.sections.variants import more
from assay.report.subject import Subject

OPEN = 2
"""Matrices that are shown before somebody asks."""
MOST_MATRICES = 12
MOST_CELLS = 20_000
"""So many confusion matrices, of so many cells together, are drawn; at least the best variant's and the base's."""


def group(subject: Subject, counted: str = "images") -> Group | None:
    """The matrices of the best variant and the base, those of others folded away where there are many."""
    drawn = list(figures(subject, counted))
    if not drawn:
        return None
    many = len(subject.order) > 4
    shown, folded = (drawn[:OPEN], drawn[OPEN:]) if many else (drawn, [])
    words = say(
        "Rows are the true classes. A cell shows the percentage of its row or, by the menu, the number of {counted}, "
        "summed over seeds. Blue: correct; orange: mistaken. Every matrix as numbers: ",
        counted=say(counted),
    )
    parts: list[Part] = [Text((words, Sheet("confusion", matrices(subject)))), Grid(shown)]
    if folded:
        parts.append(Folded(more(len(folded)), [Grid(folded)]))
    return Group(say("Confusion matrices"), parts)


def matrices(subject: Subject) -> pl.DataFrame:
    """Every confusion matrix, summed over seeds, a row per variant and pair of classes."""
    parts = [(name, confusion_frame(subject, name)) for name in subject.finished]
    frames = [
        frame.select(pl.lit(name).alias("variant"), "true", "predicted", "count", "share")
        for name, frame in parts
        if not frame.is_empty()
    ]
    return pl.concat(frames) if frames else pl.DataFrame()


def figures(subject: Subject, counted: str) -> Iterator[Figure]:
    """A matrix for each variant, summed over seeds, first those of the best and of the base (or the worst)."""
    first = list(dict.fromkeys(n for n in (subject.best, subject.base, subject.worst) if n in subject.finished))[:OPEN]
    others = [name for name in subject.order if name not in first]
    cells = 0
    for i, name in enumerate([*first, *others][:MOST_MATRICES]):
        frame = confusion_frame(subject, name)
        cells += frame.height
        if frame.is_empty() or (i >= OPEN and cells > MOST_CELLS):
            continue
        classes = list(dict.fromkeys(frame["true"]))
        yield Figure(
            f"confusion-{subject.stem(name)}",
            as_name(subject.shown[name]),
            "",
            plural(
                "Confusion matrix of {name}: {classes} true by {classes} predicted classes, {predictions} predictions "
                "over {n} seed.",
                "Confusion matrix of {name}: {classes} true by {classes} predicted classes, {predictions} predictions "
                "over {n} seeds.",
                len(subject.runs(name)),
                name=subject.shown[name],
                classes=len(classes),
                predictions=int(frame["count"].sum()),
            ),
            classes_charts.confusion(
                frame.filter(pl.col("count") > 0) if len(classes) > 40 else frame, classes, counted
            ),
            frame,
            wide=len(classes) > 12,
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
