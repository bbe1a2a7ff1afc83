"""Labels that the nearest images speak against."""

import numpy as np
from jaxtyping import Int64

from assay.tools.inspection.copies import Copies

Indices = Int64[np.ndarray, " _"]


def sample_scores(copies: Copies, labels: Indices) -> Indices:
    """How many of an image's nearest share its label before the first that does not, or minus how many do not.

    The sample score of arXiv:1906.05156 (``assay.separation.sample_scores``), on the pixels that copies are found by,
    counted up to the 50 neighbours that are known.
    """
    agree = labels[copies.neighbors] == labels[:, None]
    first = agree[:, 0]
    breaks = agree != first[:, None]
    length = np.where(breaks.any(axis=1), breaks.argmax(axis=1), agree.shape[1])
    scores: Indices = np.where(first, length, -length).astype(np.int64)
    return scores


def most_doubtful(copies: Copies, scores: Indices) -> Indices:
    """The images with a negative score, the lowest first; of equals, those whose nearest image is closest."""
    order = np.lexsort((copies.closeness[:, 0], scores))
    return np.asarray(order[scores[order] < 0])


def conflicts(copies: Copies, labels: Indices) -> Int64[np.ndarray, "m 2"]:
    """Pairs of copies with different labels, the closest first: one of the two labels is wrong, or both apply."""
    i, j = copies.pairs.T
    pairs = copies.pairs[labels[i] != labels[j]]
    closest = np.argsort(copies.closeness_of(pairs[:, 0], pairs[:, 1]), kind="stable")
    return np.asarray(pairs[closest])
