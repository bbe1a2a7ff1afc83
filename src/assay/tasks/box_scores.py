"""Average precision of detected boxes, counted as COCO counts it (Lin et al., ECCV 2014; pycocotools).

Boxes are x1, y1, x2, y2 of pixel edges, ragged over the images: image i has the rows from starts[i] to starts[i + 1].
Objects with a flag (difficult, crowd) are crowds in COCO's sense: they need not be found, and what lies in one for the
most part counts neither for nor against.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int64, Integer

from assay.errors import AssayError
from assay.tasks.scores import Drawn, PerDraw, Score, mean_of_existing

IOUS = np.linspace(0.5, 0.95, 10)
"""Overlaps from which a detection may count as a hit."""
RECALLS = np.linspace(0.0, 1.0, 101)
"""Where precision is read."""
MOST = 100
"""So many detections an image and class count, those with the highest scores."""
MISS, HIT, IGNORED = 0, 1, 2
BLOCK = 2**17
"""Draws × detections of a class at a time: 1 MB an array."""


class Objects(NamedTuple):
    """What is there."""

    edges: Float32[np.ndarray, "objects 4"]
    labels: Integer[np.ndarray, " objects"]
    flags: Integer[np.ndarray, " objects"]
    starts: Integer[np.ndarray, " images+1"]


class Detections(NamedTuple):
    """What a network says is there."""

    edges: Float32[np.ndarray, "detections 4"]
    labels: Integer[np.ndarray, " detections"]
    scores: Float32[np.ndarray, " detections"]
    starts: Integer[np.ndarray, " images+1"]


class Matches(NamedTuple):
    """What became of the detections that count, a class after the other, from the highest score of a class."""

    objects: Int64[np.ndarray, "images classes"]
    """How many there are to find."""
    rows: Int64[np.ndarray, " detections"]
    """Where they stand among all detections."""
    images: Int64[np.ndarray, " detections"]
    labels: Int64[np.ndarray, " detections"]
    outcomes: Int8[np.ndarray, "ious detections"]
    """MISS, HIT or IGNORED at each of ``IOUS``."""


def match(truth: Objects, said: Detections, classes: int) -> Matches:
    """Give detections objects of their image and class, the highest score first: the free one that overlaps most.

    Of equal scores the first comes first, in the order of the images and within one: as in pycocotools.
    """
    there, found = _cells(truth, classes), _cells(said, classes)
    by_cell = np.argsort(there, kind="stable")
    chosen = np.lexsort((-said.scores, found))
    chosen = chosen[_place_in_run(found[chosen]) < MOST]
    there, found = there[by_cell], found[chosen]
    outcomes = np.full((IOUS.size, chosen.size), MISS, dtype=np.int8)
    for objects, detections in _shared(there, found):
        crowd = truth.flags[by_cell[objects]] != 0
        overlaps = _overlaps(said.edges[chosen[detections]], truth.edges[by_cell[objects]], crowd)
        outcomes[:, detections] = _outcomes(overlaps, crowd)
    to_find = np.bincount(there[truth.flags[by_cell] == 0], minlength=(truth.starts.size - 1) * classes)
    order = np.lexsort((-said.scores[chosen], found % classes))
    images, labels = np.divmod(found[order], classes)
    return Matches(to_find.reshape(-1, classes), chosen[order], images, labels, outcomes[:, order])


def map_score(matches: Matches, iou: float | None = None, label: int | None = None) -> Score:
    """COCO's AP: precision at 101 recalls, averaged over them, the overlaps from 0.5 to 0.95 and the classes.

    At one ``iou`` (0.5: AP50) or of one class only where given. Classes without an object are left out. Two detections
    of one score, image and class stay in their order, also where the image counts twice.
    """
    levels = np.arange(IOUS.size) if iou is None else np.flatnonzero(np.isclose(IOUS, iou))
    if levels.size == 0:
        raise AssayError(f"map_score: AP at an IoU of {iou}; expected one of 0.5, 0.55, … 0.95")
    labels = range(matches.objects.shape[1]) if label is None else [label]
    classes = [_one_class(matches, one, levels) for one in labels]
    return lambda weights: mean_of_existing(np.stack([score(weights) for score in classes], axis=1))


def _one_class(matches: Matches, label: int, levels: Int64[np.ndarray, " levels"]) -> Score:
    rows = np.flatnonzero(matches.labels == label)
    images, outcomes = matches.images[rows], matches.outcomes[np.ix_(levels, rows)]
    objects = matches.objects[:, label].astype(np.float64)
    hits = [np.flatnonzero(outcome == HIT) for outcome in outcomes]
    ignored = [np.flatnonzero(outcome == IGNORED) for outcome in outcomes]

    def block(weights: PerDraw) -> Drawn:
        total = weights @ objects
        total[total == 0] = np.nan
        passed = weights[:, images].cumsum(axis=1)
        precision = np.zeros(total.size)
        for hit, neither in zip(hits, ignored, strict=True):
            counted = passed[:, hit]
            if neither.size:
                running = weights[:, images[neither]].cumsum(axis=1)
                counted -= np.pad(running, ((0, 0), (1, 0)))[:, np.searchsorted(neither, hit)]
            precision += _interpolated(weights[:, images[hit]].cumsum(axis=1), counted, total)
        return precision / levels.size

    def score(weights: PerDraw) -> Drawn:
        step = max(1, BLOCK // max(1, rows.size))
        return np.concatenate([block(weights[i : i + step]) for i in range(0, len(weights), step)])

    return score


def _interpolated(
    hits: Float64[np.ndarray, "draws hits"],
    counted: Float64[np.ndarray, "draws hits"],
    total: Drawn,
) -> Drawn:
    """Mean over ``RECALLS`` of the highest precision at that recall or a higher one, zero where it is not reached.

    Precision is highest at a hit and recall grows there only, so the hits are all that need be looked at: each gives
    its precision to the recalls that it is the first to reach.
    """
    precision = hits / np.maximum(counted, np.spacing(1.0))  # before all that counts: 0 of 0
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    reached = np.searchsorted(RECALLS, hits / total[:, None], side="right")
    mean: Drawn = (highest * np.diff(reached, axis=1, prepend=0)).sum(axis=1) / RECALLS.size
    return np.where(np.isnan(total), np.nan, mean)


def _cells(boxes: Objects | Detections, classes: int) -> Int64[np.ndarray, " boxes"]:
    """The number of every box's image and class: boxes of one number may match."""
    images = np.repeat(np.arange(boxes.starts.size - 1), np.diff(boxes.starts))
    return images * classes + boxes.labels.astype(np.int64)


def _place_in_run(cells: Int64[np.ndarray, " boxes"]) -> Int64[np.ndarray, " boxes"]:
    return np.arange(cells.size) - np.searchsorted(cells, cells)


def _shared(
    there: Int64[np.ndarray, " objects"], found: Int64[np.ndarray, " detections"]
) -> Iterator[tuple[slice, slice]]:
    """The rows of objects and of detections of every cell that has both; cells are sorted."""
    cells = np.intersect1d(there, found)
    ends = [np.searchsorted(x, cells, side=side).tolist() for x in (there, found) for side in ("left", "right")]
    for first, last, start, stop in zip(*ends, strict=True):
        yield slice(first, last), slice(start, stop)


def _overlaps(
    detections: Float32[np.ndarray, "detections 4"],
    objects: Float32[np.ndarray, "objects 4"],
    crowd: Bool[np.ndarray, " objects"],
) -> Float64[np.ndarray, "detections objects"]:
    """IoU; of a crowd the part of the detection that lies in it."""
    a, b = detections.astype(np.float64)[:, None], objects.astype(np.float64)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    inside = sides.clip(0).prod(axis=2)
    of_a, of_b = ((x[..., 2:] - x[..., :2]).prod(axis=2) for x in (a, b))
    whole = np.where(crowd, of_a, of_a + of_b - inside)
    shares: Float64[np.ndarray, "detections objects"] = inside / np.where(inside > 0, whole, 1.0)
    return shares


def _outcomes(
    overlaps: Float64[np.ndarray, "detections objects"], crowd: Bool[np.ndarray, " objects"]
) -> Int8[np.ndarray, "ious detections"]:
    """Of one image and class: detections from the highest score, crowds after the other objects.

    Only where no object is left does one take a crowd, which can be taken again. Of equal overlaps the last is taken.
    """
    outcomes = np.full((IOUS.size, len(overlaps)), MISS, dtype=np.int8)
    free = np.ones((IOUS.size, crowd.size), dtype=bool)
    every = np.arange(IOUS.size)
    for number in np.flatnonzero((overlaps >= IOUS[0]).any(axis=1)):
        overlap = overlaps[number]
        able = free & (overlap >= IOUS[:, None])
        able[:, crowd] &= ~able[:, ~crowd].any(axis=1, keepdims=True)
        best = crowd.size - 1 - np.where(able, overlap, -1.0)[:, ::-1].argmax(axis=1)
        taken = able[every, best]
        outcomes[taken, number] = np.where(crowd[best[taken]], IGNORED, HIT)
        free[every[taken], best[taken]] = crowd[best[taken]]
    return outcomes
