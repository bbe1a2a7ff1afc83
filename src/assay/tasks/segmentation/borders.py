"""Answers near the borders of the classes, where most mistakes are and most of an image is not.

Distances are chessboard ones: within d pixels is within the square of 2·d + 1 pixels. Void pixels are in no count and
make no border, so that it does not matter what is said of them.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64
from scipy.ndimage import maximum_filter, minimum_filter

from assay.data.targets import VOID
from assay.tasks.segmentation.confusion import confusion
from assay.tasks.segmentation.maps import LabelMap
from assay.tasks.segmentation.metrics import DILATION, NEAR


class Borders(NamedTuple):
    """Of each picture."""

    confusion: Int64[np.ndarray, "images classes classes"]
    """Of the pixels near a border of the truth: rows true, columns said."""
    intersection: Int64[np.ndarray, "images classes"]
    """Pixels of each class in both bands inside its border, that of the truth and that of the answer …"""
    union: Int64[np.ndarray, "images classes"]
    """… and in one of the two or both."""


def borders_of(truth: LabelMap, said: LabelMap, classes: int, border: int | None = None) -> Borders:
    """Of one picture: a boundary of ``said`` is that with the void pixels of the truth left out.

    Boundary IoU: Cheng et al., CVPR 2021, arXiv:2103.16562. The band of a class are its pixels that are within d of
    another class or of the image's rim. d is the ``border`` in pixels, and where that is None ``DILATION`` of the
    diagonal, at least 1, while counted are the pixels within ``NEAR`` of a border.
    """
    width = border or max(1, round(DILATION * float(np.hypot(*truth.shape))))
    known = truth != VOID
    answer = np.where(known, said, np.uint8(VOID))
    true, given = (near_border(labels, width, rim=True) & known for labels in (truth, answer))
    hits = np.bincount(truth[true & given & (truth == answer)], minlength=classes)
    areas = np.bincount(truth[true], minlength=classes) + np.bincount(answer[given], minlength=classes)
    near = near_border(truth, border or NEAR)
    return Borders(confusion(truth[near], said[near], classes)[None], hits[None], (areas - hits)[None])


def near_border(labels: LabelMap, distance: int, rim: bool = False) -> Bool[np.ndarray, "height width"]:
    """Where two classes lie within the ``distance`` of a pixel, or where the ``rim`` of the image does."""
    size, shown = 2 * distance + 1, labels.astype(np.int16)
    greatest = maximum_filter(np.where(labels == VOID, -1, shown), size, mode="nearest")
    found: Bool[np.ndarray, "height width"] = minimum_filter(shown, size, mode="nearest") < greatest
    if rim:
        inner = np.zeros_like(found)
        inner[distance:-distance, distance:-distance] = True
        found |= ~inner
    return found
