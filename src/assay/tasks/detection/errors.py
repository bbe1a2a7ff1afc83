"""What is wrong with each box that hits nothing, and what AP50 would be were one kind of error put right.

The six kinds of TIDE (Bolya et al. 2020, arXiv:2008.08115). A box is judged by the object that it overlaps most, of
whatever class; objects with a flag are none.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int8, Int64

from assay.tasks.box_matching import HIT, IGNORED, IOUS, MISS, NONE, Detections, Matches, Objects, images_of, pairs
from assay.tasks.box_scores import map_score
from assay.tasks.scores import Drawn, PerDraw, Score, mean_of_existing

KINDS = ("class", "place", "both", "copy", "background", "missed")
"""On an object of another class; of its class, but beside it; both; on one that a better box has found; where none is;
and objects that no box finds, nor any of the first two kinds."""
CLASS, PLACE, BOTH, COPY, BACKGROUND, MISSED = range(6)
BESIDE = 0.1
"""The overlap from which a box is beside an object; from one half it is on it."""


class Errors(NamedTuple):
    """Of the detections of some ``Matches``, in their order."""

    kinds: Int8[np.ndarray, " detections"]
    """The number of the kind; NONE where nothing is wrong, or the box is ignored."""
    objects: Int64[np.ndarray, " detections"]
    """The object that it overlaps most; NONE where it is background or nothing is wrong."""
    missed: Bool[np.ndarray, " objects"]


def errors(truth: Objects, said: Detections, matches: Matches) -> Errors:
    """The kind of every error at an overlap of one half."""
    wrong = np.flatnonzero(matches.outcomes[0] == MISS)
    kinds, objects = np.full(matches.rows.size, NONE, np.int8), np.full(matches.rows.size, NONE)
    kinds[wrong] = BACKGROUND
    place, nearest, overlaps = _nearest(truth, said, matches.rows[wrong])
    on, same = overlaps >= IOUS[0], said.labels[matches.rows[wrong[place]]] == truth.labels[nearest]
    kinds[wrong[place]] = np.select([on & same, on, same], [COPY, CLASS, PLACE], BOTH)
    objects[wrong[place]] = nearest
    found = np.zeros(truth.flags.size, dtype=bool)
    found[matches.found[0, matches.outcomes[0] == HIT]] = True
    found[objects[(kinds == CLASS) | (kinds == PLACE)]] = True
    return Errors(kinds, objects, ~found & (truth.flags == 0))


def cost_score(truth: Objects, said: Detections, matches: Matches, found: Errors, kind: int) -> Score:
    """AP50 with the errors of one kind put right, less AP50. A class of which no object is left then has an AP of 1."""
    after, labels = put_right(truth, said, matches, found, kind), range(matches.objects.shape[1])
    each = [(map_score(matches, 0.5, label), map_score(after, 0.5, label)) for label in labels]

    def score(weights: PerDraw) -> Drawn:
        gains = [np.nan_to_num(better(weights), nan=1.0) - plain(weights) for plain, better in each]
        return mean_of_existing(np.stack(gains, axis=1))

    return score


def put_right(truth: Objects, said: Detections, matches: Matches, found: Errors, kind: int) -> Matches:
    """What had become of the detections without the errors of one kind.

    A box on an object of another class gets its class, one beside its object is moved onto it, and of several that then
    hit one object that of the highest score stays. Boxes of the other kinds go. Objects that are missed are not there.
    """
    if kind == MISSED:
        objects = matches.objects.copy()
        np.subtract.at(objects, (images_of(truth)[found.missed], truth.labels[found.missed]), 1)
        return matches._replace(objects=objects)
    outcomes, own = matches.outcomes.copy(), found.kinds == kind
    outcomes[0, own] = IGNORED
    if kind not in (CLASS, PLACE):
        return matches._replace(outcomes=outcomes)
    hits = np.flatnonzero(own | (outcomes[0] == HIT))
    taken = np.where(own, found.objects, matches.found[0])[hits]
    best = np.lexsort((-said.scores[matches.rows[hits]], taken))
    first = np.diff(taken[best], prepend=NONE) != 0
    outcomes[0, hits] = IGNORED
    outcomes[0, hits[best[first]]] = HIT
    labels = matches.labels.copy()
    labels[own] = truth.labels[found.objects[own]]
    order = np.lexsort((-said.scores[matches.rows], labels))
    moved = {name: getattr(matches, name)[order] for name in ("rows", "images", "places")}
    return matches._replace(**moved, labels=labels[order], outcomes=outcomes[:, order], found=matches.found[:, order])


def _nearest(
    truth: Objects, said: Detections, rows: Int64[np.ndarray, " _"]
) -> tuple[Int64[np.ndarray, " _"], Int64[np.ndarray, " _"], np.ndarray]:
    """(place among the detections ``rows``, object, overlap) of those that overlap one by ``BESIDE`` at least: the
    object that each overlaps most, of equal ones of its own class."""
    of_any = [boxes._replace(labels=np.zeros_like(boxes.labels)) for boxes in (truth, said)]
    found = pairs(of_any[0], of_any[1], 1, rows, BESIDE)  # type: ignore[arg-type]
    real = truth.flags[found.objects] == 0
    detections, objects, overlaps = (part[real] for part in found)
    same = said.labels[detections] == truth.labels[objects]
    order = np.lexsort((same, overlaps, detections))
    last = order[np.append(np.diff(detections[order]) != 0, True)[: order.size]]
    by_row = np.argsort(rows, kind="stable")
    place = by_row[np.searchsorted(rows[by_row], detections[last])]
    return place, objects[last], overlaps[last]
