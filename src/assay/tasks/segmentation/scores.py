"""The metrics of label maps as functions of image weights, from a confusion matrix an image.

What is called mIoU in one place is another number in the next. Here ``miou`` is that over the set, as
mmsegmentation, torchvision's references and SegNet's authors report it; the others stand beside it under their names.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64

from assay.tasks.scores import Drawn, PerDraw, Score, ratio_score

Matrices = Int64[np.ndarray, "images classes classes"]
"""Rows true, columns said."""
Counts = Int64[np.ndarray, "images classes"]


def hits(matrices: Matrices) -> Counts:
    """Pixels of each class that were given it."""
    return np.asarray(np.diagonal(matrices, axis1=1, axis2=2))


def true(matrices: Matrices) -> Counts:
    """Pixels of each class."""
    return np.asarray(matrices.sum(axis=2))


def said(matrices: Matrices) -> Counts:
    """Pixels that were given each class."""
    return np.asarray(matrices.sum(axis=1))


def union(matrices: Matrices) -> Counts:
    """Pixels that are of each class, or were given it."""
    return np.asarray(true(matrices) + said(matrices) - hits(matrices))


def iou_score(matrices: Matrices) -> Score:
    """Mean over classes of Σ w·hits / Σ w·union; a class that is neither in the truth nor said is left out."""
    return ratio_score(hits(matrices), union(matrices))


def dice_score(matrices: Matrices) -> Score:
    """The same of 2·hits / (true + said): F1 of the pixels."""
    return ratio_score(2 * hits(matrices), true(matrices) + said(matrices))


def pooled_iou_score(matrices: Matrices) -> Score:
    """Σ hits / Σ union over all classes together, which is accuracy / (2 − accuracy) of the pixels."""
    return ratio_score(_together(hits(matrices)), _together(union(matrices)))


def accuracy_score(matrices: Matrices) -> Score:
    """The share of all pixels that are right."""
    return ratio_score(_together(hits(matrices)), _together(true(matrices)))


def class_accuracy_score(matrices: Matrices) -> Score:
    """Mean over the classes in the truth of their share of right pixels."""
    return ratio_score(hits(matrices), true(matrices))


def frequency_weighted_iou_score(matrices: Matrices) -> Score:
    """Mean of the classes' IoU, each by its share of the true pixels: Long et al., arXiv:1411.4038, section 5."""
    part, whole, there = (of(matrices).astype(np.float64) for of in (hits, union, true))

    def score(weights: PerDraw) -> Drawn:
        pixels = weights @ there
        ious = (weights @ part) / np.maximum(weights @ whole, 1)
        total = pixels.sum(axis=1)
        return np.where(total > 0, (pixels * ious).sum(axis=1) / np.maximum(total, 1), np.nan)

    return score


def image_iou_score(matrices: Matrices) -> Score:
    """Mean over images of the mean IoU of the classes that the image has, or was said to have."""
    ious, exists = of_pairs(matrices)
    classes = exists.sum(axis=1)
    return ratio_score(_column(ious.sum(axis=1) / np.maximum(classes, 1)), _column(classes > 0))


def pair_iou_score(matrices: Matrices) -> Score:
    """Mean over pairs of an image and a class that it has, or was said to have, of the IoU there."""
    ious, exists = of_pairs(matrices)
    return ratio_score(_column(ious.sum(axis=1)), _column(exists.sum(axis=1)))


def of_pairs(matrices: Matrices) -> tuple[Float64[np.ndarray, "images classes"], Bool[np.ndarray, "images classes"]]:
    """The IoU of each class in each image, 0 where it is not, and where it is, in the truth or the answer."""
    whole = union(matrices)
    return hits(matrices) / np.maximum(whole, 1), whole > 0


SCORES: dict[str, Callable[[Matrices], Score]] = {
    "miou": iou_score,
    "miou_per_image": image_iou_score,
    "miou_per_pair": pair_iou_score,
    "iou_micro": pooled_iou_score,
    "dice_macro": dice_score,
    "pixel_accuracy": accuracy_score,
    "class_accuracy": class_accuracy_score,
    "frequency_weighted_iou": frequency_weighted_iou_score,
}


def of_class(matrices: Matrices, classes: Sequence[str], metric: str) -> Score | None:
    """``iou_<class>`` or ``dice_<class>``; None for another name."""
    name, _, label = metric.partition("_")
    if name not in ("iou", "dice") or label not in classes:
        return None
    column = [list(classes).index(label)]
    part, both = hits(matrices)[:, column], true(matrices)[:, column] + said(matrices)[:, column]
    return ratio_score(part, both - part) if name == "iou" else ratio_score(2 * part, both)


def _together(counts: Counts) -> Int64[np.ndarray, "images 1"]:
    return np.asarray(counts.sum(axis=1, keepdims=True))


def _column(values: np.ndarray) -> np.ndarray:
    return values[:, None]
