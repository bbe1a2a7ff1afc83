"""Objects and detections, written down an image at a time."""

import numpy as np

from assay.tasks.box_matching import Detections, Objects

SQUARE = (0, 0, 0, 10, 10)
FAR = (50, 50, 60, 60)


def objects(*images, flags=None):
    """Every image a list of (label, x1, y1, x2, y2)."""
    rows = np.array([box for image in images for box in image], dtype=np.float32).reshape(-1, 5)
    marks = np.zeros(len(rows), dtype=np.uint8) if flags is None else np.array(flags, dtype=np.uint8)
    return Objects(rows[:, 1:], rows[:, 0].astype(np.int64), marks, np.cumsum([0, *map(len, images)]))


def detections(*images):
    """Every image a list of (score, label, x1, y1, x2, y2)."""
    rows = np.array([box for image in images for box in image], dtype=np.float32).reshape(-1, 6)
    return Detections(rows[:, 2:], rows[:, 1].astype(np.int64), rows[:, 0], np.cumsum([0, *map(len, images)]))


def value(score, weights):
    """The metric under the weights of the images."""
    return float(score(np.array(weights, dtype=np.float64)[None])[0])
