"""Which labelled boxes a trained network speaks against: missing, shifted and swapped ones.

In the spirit of ObjectLab (Tkachenko et al. 2023, arXiv:2309.00832), by other scores.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from assay.language.speech import later
from assay.tasks.box_matching import NONE, Detections, Objects, match, overlaps, pairs
from assay.tasks.detection.errors import BACKGROUND, BOTH, CLASS, PLACE, errors

KINDS = (later("missing"), later("shifted"), later("swapped"))
MISSING, SHIFTED, SWAPPED = range(3)
LEAST = 0.3
"""Suspicion below which nothing is listed."""
NOTHING = 0.05
"""What a score is weighed against beside the label's own, so that two faint boxes do not count as a sure one."""
ONE = 0.5
"""The overlap from which two boxes are taken for one that is missing."""


class Doubts(NamedTuple):
    """The most suspicious first."""

    suspicions: Float64[np.ndarray, " doubts"]
    """From 0 to 1."""
    kinds: Int64[np.ndarray, " doubts"]
    images: Int64[np.ndarray, " doubts"]
    detections: Int64[np.ndarray, " doubts"]
    """The row of the box that the network would put there."""
    objects: Int64[np.ndarray, " doubts"]
    """The row of the labelled box; NONE where one is missing."""


def doubts(truth: Objects, said: Detections, classes: int) -> Doubts:
    """The score of what is not labelled, as a share of it, the label's own and ``NOTHING``; a label at most once.

    A box where no object is, or none of its class and place: one may be missing. On an object of another class:
    swapped. Beside one of its class: shifted. A labelled box has the best score of a box of its class that overlaps it
    by one half. Objects with a flag are beyond doubt.
    """
    matches = match(truth, said, classes)
    found = errors(truth, said, matches)
    kinds = np.select(
        [(found.kinds == BACKGROUND) | (found.kinds == BOTH), found.kinds == PLACE, found.kinds == CLASS],
        [MISSING, SHIFTED, SWAPPED],
        NONE,
    )
    objects = np.where(kinds == MISSING, NONE, found.objects)
    scores = said.scores[matches.rows].astype(np.float64)
    own = np.append(support(truth, said, classes), 0.0)[objects]  # nothing supports what is missing, NONE
    suspicions = scores / (scores + own + NOTHING)
    order = np.argsort(-suspicions, kind="stable")
    order = order[(kinds[order] != NONE) & (suspicions[order] >= LEAST)]
    order = order[_first_of_each(objects[order], matches.images[order], said.edges[matches.rows[order]])]
    return Doubts(suspicions[order], kinds[order], matches.images[order], matches.rows[order], objects[order])


def support(truth: Objects, said: Detections, classes: int) -> Float32[np.ndarray, " objects"]:
    """Of each object the best score of the boxes of its class that overlap it by one half; 0 without any."""
    near = pairs(truth, said, classes, np.arange(said.scores.size))
    best = np.zeros(truth.flags.size, np.float32)
    np.maximum.at(best, near.objects, said.scores[near.detections])
    return best


def _first_of_each(
    objects: Int64[np.ndarray, " _"], images: Int64[np.ndarray, " _"], edges: Float32[np.ndarray, "_ 4"]
) -> list[int]:
    """Those that are the first about their object, or the first of the boxes that may be the same missing one."""
    kept: list[int] = []
    seen: set[int] = set()
    missing: dict[int, list[np.ndarray]] = {}
    for row, (own, image) in enumerate(zip(objects.tolist(), images.tolist(), strict=True)):
        there = missing.setdefault(image, [])
        if own == NONE:
            if there and overlaps(edges[row], np.stack(there)).max() >= ONE:
                continue
            there.append(edges[row])
        elif own in seen:
            continue
        seen.add(own)
        kept.append(row)
    return kept
