"""Which class is said for which, with the background: boxes where nothing is, and objects that no box finds."""

from typing import TypeVar

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from assay.language.speech import later
from assay.tasks.box_matching import HIT, MISS, Detections, Matches, Objects, match

BACKGROUND = later("background")
Ragged = TypeVar("Ragged", Objects, Detections)


def confusion(
    truth: Objects, said: Detections, matches: Matches, kept: Bool[np.ndarray, " detections"]
) -> Int64[np.ndarray, "classes_and_background classes_and_background"]:
    """Boxes that are ``kept``, the highest scores of every class, at an overlap of one half; rows true, columns said.

    A box that hits an object of its class has found it. Of what is left each box, the highest score first, takes the
    object of another class that it overlaps most; a box without one is said of the background, an object that is left
    is taken for it. The last row and column are the background's.
    """
    classes = matches.objects.shape[1]
    hit, wrong = (kept[matches.rows] & (matches.outcomes[0] == outcome) for outcome in (HIT, MISS))
    found, alarm = np.zeros(truth.flags.size, dtype=bool), np.zeros(said.scores.size, dtype=bool)
    found[matches.found[0, hit]], alarm[matches.rows[wrong]] = True, True
    there, boxes = np.flatnonzero(~found), np.flatnonzero(alarm)
    left = match(_of_any(truth, there), _of_any(said, boxes), 1)
    taken = left.outcomes[0] == HIT
    names = truth.labels[there[left.found[0, taken]]], said.labels[boxes[left.rows[taken]]]
    counts = np.zeros((classes + 1, classes + 1), np.int64)
    np.add.at(counts, (matches.labels[hit], matches.labels[hit]), 1)
    np.add.at(counts, names, 1)
    alone = left.outcomes[0] == MISS
    np.add.at(counts[classes], said.labels[boxes[left.rows[alone]]], 1)
    counts[:classes, classes] = matches.objects.sum(axis=0) - counts[:classes].sum(axis=1)
    return counts


def table(counts: Int64[np.ndarray, "n n"], classes: tuple[str, ...]) -> pl.DataFrame:
    """A row a pair: true, said, count; the background stands in brackets where a class is called so."""
    background = BACKGROUND
    while background in classes:
        background = f"({background})"
    names = [*classes, background]
    true, told = np.repeat(names, len(names)).tolist(), names * len(names)
    return pl.DataFrame({"true": true, "said": told, "count": counts.ravel()})


def _of_any(boxes: Ragged, rows: Int64[np.ndarray, " _"]) -> Ragged:
    """Some of the boxes, all of one class."""
    starts = np.searchsorted(rows, boxes.starts)
    parts = {name: part[rows] for name, part in boxes._asdict().items() if name != "starts"}
    return boxes._replace(**parts | {"labels": np.zeros(rows.size, np.int64), "starts": starts})
