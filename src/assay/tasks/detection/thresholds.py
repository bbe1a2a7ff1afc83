"""Boxes above a score for each class: which score is best, and how many of them are right."""

from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Float64, Int64

from assay.tasks.box_matching import HIT, IGNORED, Matches
from assay.tasks.scores import MeanScore, Score, mean_score, ratio_score

THRESHOLD = 0.5
"""Of a class for which no validation images choose one."""
POINTS = np.linspace(0, 1, 101)
"""Thresholds of the curves."""

Counts = Int64[np.ndarray, "images classes"]
Scores = Float32[np.ndarray, " _"]


class Counted(NamedTuple):
    """Boxes above the threshold of their class, at an overlap of one half."""

    objects: Counts
    said: Counts
    """Those that count: none in an object with a flag."""
    hits: Counts


def counted(matches: Matches, kept: Bool[np.ndarray, " _"]) -> Counted:
    """What is found by those of all detections that are ``kept``, the highest scores of every class."""
    outcomes, own = matches.outcomes[0], kept[matches.rows]
    said, hits = np.zeros_like(matches.objects), np.zeros_like(matches.objects)
    for counts, which in ((said, own & (outcomes != IGNORED)), (hits, own & (outcomes == HIT))):
        np.add.at(counts, (matches.images[which], matches.labels[which]), 1)
    return Counted(matches.objects, said, hits)


def precision_score(boxes: Counted) -> Score:
    """Mean over the classes that have objects of hits / said; 0 where nothing is said."""
    return ratio_score(boxes.hits, boxes.said, boxes.objects)


def recall_score(boxes: Counted) -> Score:
    """Mean over the classes that have objects of hits / objects."""
    return ratio_score(boxes.hits, boxes.objects)


def f1_score(boxes: Counted) -> Score:
    """Mean over the classes that have objects of 2·hits / (said + objects)."""
    return ratio_score(2 * boxes.hits, boxes.said + boxes.objects, boxes.objects)


def count_error_score(boxes: Counted) -> MeanScore:
    """Mean over images of the difference between the numbers of boxes said and true, of all classes together."""
    return mean_score(np.abs(boxes.said.sum(axis=1) - boxes.objects.sum(axis=1)))


def chosen(matches: Matches, scores: Scores) -> Float64[np.ndarray, " classes"]:
    """Of each class the score from which its F1 is highest, of equals the highest; ``THRESHOLD`` where none is hit.

    ``scores`` are those of all detections.
    """
    found = np.full(matches.objects.shape[1], THRESHOLD)
    for label in range(found.size):
        own, hits = ranked(matches, scores, label)
        last = np.append(np.diff(own) != 0, True)[: own.size]  # of equal scores all are above a threshold, or none
        f1 = np.where(last, 2 * hits / (np.arange(1, own.size + 1) + matches.objects[:, label].sum()), 0.0)
        if f1.any():
            found[label] = own[f1.argmax()]
    return found


def ranked(matches: Matches, scores: Scores, label: int) -> tuple[Scores, Int64[np.ndarray, " _"]]:
    """The scores of a class from the highest, but for detections in objects with a flag, and the hits down to each."""
    which = (matches.labels == label) & (matches.outcomes[0] != IGNORED)
    return scores[matches.rows[which]], (matches.outcomes[0, which] == HIT).cumsum()


def over_thresholds(matches: Matches, scores: Scores, classes: tuple[str, ...]) -> pl.DataFrame:
    """A row a class and threshold: class, threshold (0, 0.01, … 1), precision, recall, f1; null where there is none."""
    parts = []
    for label, name in enumerate(classes):
        own, cumulated = ranked(matches, scores, label)
        said = np.searchsorted(-own, -POINTS, side="right")
        hits, objects = np.append(0, cumulated)[said], matches.objects[:, label].sum()
        with np.errstate(invalid="ignore"):
            shares = {
                "precision": hits / said,
                "recall": hits / np.full(POINTS.size, objects),
                "f1": 2 * hits / (said + objects),
            }
        parts.append(pl.DataFrame({"class": [name] * POINTS.size, "threshold": POINTS, **shares}))
    return pl.concat(parts).with_columns(pl.col("precision", "recall", "f1").fill_nan(None))
