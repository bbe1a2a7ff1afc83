"""ROC and precision-recall curves over the test images, those of a class against the others, with their areas.

The area under the precision-recall curve is the average precision, Σ (R_n − R_{n−1}) P_n: precision is drawn as the
steps that this sum is the area of, not joined by lines, which would flatter it (Davis & Goadrich, ICML 2006).
``macro`` is the mean over the classes. A class without a test image, or with all of them, has no curve, and the macro
mean is over the others. Where each image is of one of two classes, both areas under the ROC curve are equal.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32
from sklearn.metrics import precision_recall_curve, roc_curve

from assay.recipe import CurvesMeasure
from assay.tasks.contract import Trained, Value
from assay.tasks.polylines import Line, area, mean_line, thinned

SCHEMA = {
    "class": pl.String,
    "curve": pl.String,
    "x": pl.Float64,
    "y": pl.Float64,
    "area": pl.Float64,
    "chance": pl.Float64,
    "reason": pl.String,
}


def measure(trained: Trained, options: CurvesMeasure) -> dict[str, Value]:
    """``roc_auc_macro``, ``average_precision_macro`` and the table ``curves`` of the test images.

    An area that the answers of the task have as a metric of their own is left to the task's measure.
    """
    test = trained.predictions["test"]
    found = curves(test.truth, test.probabilities, trained.data.classes)
    return {name: value for name, value in found.items() if test.evidence(name) is None}


def curves(
    truth: Bool[np.ndarray, "n classes"], probabilities: Float32[np.ndarray, "n classes"], classes: list[str]
) -> dict[str, Value]:
    """``truth`` says which images are of which classes, each of one or of any number.

    The table has the points of each curve, at most 200: class (null: macro), curve ("roc": x false positive rate, y
    true positive rate; "precision_recall": x recall, y precision), x, y, area (under the whole curve), and chance, the
    area by chance: a half, or the class's share of the test images.

    A class without a curve has one row, with the reason in place of points. The macro areas are left out where no class
    has a curve.
    """
    rows: list[pl.DataFrame] = []
    lines: dict[str, list[Line]] = {"roc": [], "precision_recall": []}
    shares: list[float] = []
    for label, name in enumerate(classes):
        own = truth[:, label]
        if own.all() or not own.any():
            reason = f"{'all test images have' if own.all() else 'no test image has'} it"
            rows.append(pl.DataFrame({"class": [name], "reason": [reason]}))
            continue
        scores = probabilities[:, label]
        shares.append(float(own.mean()))
        for kind, line in (("roc", roc(own, scores)), ("precision_recall", precision_recall(own, scores))):
            lines[kind].append(line)
            rows.append(_points(name, kind, line, shares[-1:]))
    values: dict[str, Value] = {}
    for kind, metric in (("roc", "roc_auc_macro"), ("precision_recall", "average_precision_macro")):
        if lines[kind]:
            rows.append(_points(None, kind, mean_line(lines[kind]), shares))
            values[metric] = float(np.mean([area(line) for line in lines[kind]]))
    empty = pl.DataFrame(schema=SCHEMA)
    return values | {"curves": pl.concat([empty, *rows], how="diagonal_relaxed")}


def roc(own: Bool[np.ndarray, " n"], scores: Float32[np.ndarray, " n"]) -> Line:
    """(false positive rate, true positive rate) as the threshold falls."""
    false, true, _ = roc_curve(own, scores)
    return false, true


def precision_recall(own: Bool[np.ndarray, " n"], scores: Float32[np.ndarray, " n"]) -> Line:
    """(recall, precision) in steps, each as wide as the recall that its threshold adds."""
    precision, recall, _ = precision_recall_curve(own, scores)
    precision, recall = precision[::-1], recall[::-1]
    steps = np.flatnonzero(np.diff(recall) > 0) + 1
    ends = np.column_stack([recall[steps - 1], recall[steps]])
    return ends.ravel(), np.repeat(precision[steps], 2)


def _points(name: str | None, kind: str, line: Line, shares: list[float]) -> pl.DataFrame:
    x, y = thinned(line)
    chance = 0.5 if kind == "roc" else float(np.mean(shares))
    return pl.DataFrame({"x": x, "y": y}).select(
        pl.lit(name, pl.String).alias("class"),
        pl.lit(kind).alias("curve"),
        "x",
        "y",
        pl.lit(area(line)).alias("area"),
        pl.lit(chance).alias("chance"),
    )
