"""How often which class was said of pixels of which: all that most metrics of segmentation follow from."""

import numpy as np
from jaxtyping import Int64, UInt8

from assay.data.targets import VOID


def confusion(
    truth: UInt8[np.ndarray, "*pixels"], said: UInt8[np.ndarray, "*pixels"], classes: int
) -> Int64[np.ndarray, "classes classes"]:
    """Counts of pixels, rows true, columns said; those that are void in the truth are left out."""
    known = truth != VOID
    places = truth[known].astype(np.int64) * classes + said[known]
    return np.bincount(places, minlength=classes * classes).reshape(classes, classes)
