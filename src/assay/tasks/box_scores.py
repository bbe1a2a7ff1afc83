"""Average precision and recall of detected boxes, as COCO counts them (Lin et al., ECCV 2014; pycocotools)."""

import numpy as np
from jaxtyping import Float64, Int64

from assay.errors import AssayError
from assay.tasks.box_matching import HIT, IGNORED, IOUS, Matches
from assay.tasks.scores import Drawn, PerDraw, Score, mean_of_existing, ratio_score

RECALLS = np.linspace(0.0, 1.0, 101)
"""Where precision is read."""
MOST = 100
"""So many detections an image and class count, those with the highest scores."""
BLOCK = 2**17
"""Draws × detections of a class at a time: 1 MB an array."""


def first(matches: Matches, most: int = MOST) -> Matches:
    """So many detections an image and class, which choose as if the others were not there."""
    own = matches.places < most
    fewer = {name: getattr(matches, name)[own] for name in ("rows", "images", "labels", "places")}
    return matches._replace(**fewer, outcomes=matches.outcomes[:, own], found=matches.found[:, own])


def map_score(matches: Matches, iou: float | None = None, label: int | None = None) -> Score:
    """COCO's AP: precision at 101 recalls, averaged over them, the overlaps from 0.5 to 0.95 and the classes.

    At one ``iou`` (0.5: AP50) or of one class only where given. Of ``MOST`` detections an image and class. Classes
    without an object are left out. Two detections of one score, image and class stay in their order, also where the
    image counts twice.
    """
    levels = np.arange(IOUS.size) if iou is None else np.flatnonzero(np.isclose(IOUS, iou))
    if levels.size == 0:
        raise AssayError(f"map_score: AP at an IoU of {iou}; expected one of 0.5, 0.55, … 0.95")
    labels = range(matches.objects.shape[1]) if label is None else [label]
    counted = first(matches)
    classes = [_one_class(counted, one, levels) for one in labels]
    return lambda weights: mean_of_existing(np.stack([score(weights) for score in classes], axis=1))


def recall_score(matches: Matches, most: int) -> Score:
    """COCO's AR: the share of the objects that is found by ``most`` detections an image and class, averaged over the
    overlaps from 0.5 to 0.95 and the classes. Classes without an object are left out."""
    hits = ((matches.outcomes == HIT) & (matches.places < most)).sum(axis=0)
    part = np.zeros(matches.objects.shape)
    np.add.at(part, (matches.images, matches.labels), hits)
    return ratio_score(part, IOUS.size * matches.objects)


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


def precision_at_recalls(matches: Matches, label: int, level: int = 0) -> Float64[np.ndarray, " recalls"]:
    """At each of ``RECALLS`` the highest precision at that recall or a higher one, 0 where it is not reached: the mean
    is the AP of the class at this one of ``IOUS``. Nan without an object."""
    total, counted = matches.objects[:, label].sum(), first(matches)
    if total == 0:
        return np.full(RECALLS.size, np.nan)
    outcomes = counted.outcomes[level, counted.labels == label]
    hits = (outcomes[outcomes != IGNORED] == HIT).cumsum()
    precision = hits / np.arange(1, hits.size + 1)
    highest = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return highest[np.searchsorted(hits / total, RECALLS)]
