"""The pictures that a run keeps for its report: a sample, false alarms, misses, boxes nearest to the threshold."""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Float64, Int64

from assay.data.batches import ImageData
from assay.data.boxes import NO_BOX
from assay.tasks.box_matching import HIT, IGNORED, NONE, Detections, Objects, images_of, match, overlaps, pairs, sides
from assay.tasks.pictures import Rows, inside, sample, thumbnail

COUNT = 12
"""Of each kind but the sample."""
SIDE = 224
"""Pixels of the longer side, at most."""
LEAST = 0.05
"""Boxes with a lower score are kept nowhere."""


class Compared(NamedTuple):
    """Boxes beside the objects, matched at an overlap of one half."""

    ious: Float64[np.ndarray, " boxes"]
    """With the object that it hits, else with the one that it overlaps most."""
    on: Int64[np.ndarray, " boxes"]
    """The class of that object; -1: it overlaps none."""
    hits: Bool[np.ndarray, " boxes"]
    forgiven: Bool[np.ndarray, " boxes"]
    """Not a hit, and no false alarm: it lies on an object with a flag."""
    found: Float32[np.ndarray, " objects"]
    """The score of the box that hits it; 0: none does."""


class Kept(NamedTuple):
    """Why a picture is shown, and which box of it."""

    cost: float
    """The lower, the sooner it is shown."""
    image: int
    box: int


def gallery(
    truth: Objects,
    said: Detections,
    indices: Int64[np.ndarray, " n"],
    sizes: Int64[np.ndarray, "n 2"],
    thresholds: Float64[np.ndarray, " classes"],
    data: ImageData,
    seed: int,
) -> pl.DataFrame:
    """Up to 25 pictures of the kind "sample", drawn by the seed, and up to 12 of three more, a picture at most once.

    "false_alarm": the highest scores of boxes that hit nothing; "miss": objects that no box of their class hits above
    its threshold, those first that none hits at all, of these the largest; "near": scores nearest to the threshold of
    their class. Boxes are in the pixels of the source; ``sizes`` are heights and widths, ``thresholds`` of each class.

    Columns: kind, name, png; focus (the box, of a miss the object, it is shown for; null in a sample); height, width;
    boxes, classes, scores, ious, on, hits (of every box with a score of 0.05 or more, the highest first; on: the class
    of the object that the IoU is with, -1 for none); true_boxes, true_classes, flags, found (the score of the box that
    hits it).
    """
    said = _sure(said)
    compared = _compared(truth, said, len(thresholds))
    kinds = {
        "sample": [Kept(0.0, row, -1) for row in sample(len(indices), seed).tolist()],
        "false_alarm": _dearest(_false_alarms(said, compared, thresholds)),
        "miss": _dearest(_misses(truth, compared, thresholds, sizes)),
        "near": _dearest(_near(said, thresholds)),
    }
    pictures = [
        {
            "kind": kind,
            "name": data.images.names[i],
            "png": thumbnail(inside(data.images, i), SIDE),
            "focus": None if one.box < 0 else one.box,
            "height": int(sizes[one.image, 0]),
            "width": int(sizes[one.image, 1]),
            **_boxes(truth, said, compared, one.image),
        }
        for kind, those in kinds.items()
        for one in those
        for i in [int(indices[one.image])]
    ]
    return pl.DataFrame(pictures, schema_overrides=SCHEMA)


SCHEMA: dict[str, Any] = {
    "focus": pl.Int64,
    **dict.fromkeys(("boxes", "true_boxes"), pl.List(pl.Array(pl.Float32, 4))),
    **dict.fromkeys(("scores", "ious", "found"), pl.List(pl.Float32)),
    **dict.fromkeys(("classes", "on", "true_classes", "flags"), pl.List(pl.Int64)),
    "hits": pl.List(pl.Boolean),
}


def _sure(said: Detections) -> Detections:
    """The boxes that are kept, of each image those with the highest scores first."""
    images = images_of(said)
    order = np.lexsort((-said.scores, images))
    order = order[said.scores[order] >= LEAST]
    counts = np.bincount(images[order], minlength=said.starts.size - 1)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Detections(said.edges[order], said.labels[order], said.scores[order], starts)


def _compared(truth: Objects, said: Detections, classes: int) -> Compared:
    matches = match(truth, said, classes)
    outcomes, taken = np.empty(said.scores.size, np.int8), np.full(said.scores.size, NONE)
    outcomes[matches.rows], taken[matches.rows] = matches.outcomes[0], matches.found[0]
    hits, found = outcomes == HIT, np.zeros(truth.flags.size, np.float32)
    found[taken[hits]] = said.scores[hits]
    beside = np.where(hits, taken, _nearest(truth, said))
    ious, on = np.zeros(said.scores.size), np.full(said.scores.size, NO_BOX)
    there = beside != NONE
    ious[there] = overlaps(said.edges[there], truth.edges[beside[there]])
    on[there] = truth.labels[beside[there]]
    return Compared(ious, on, hits, outcomes == IGNORED, found)


def _nearest(truth: Objects, said: Detections) -> Int64[np.ndarray, " boxes"]:
    """The object, of any class and with a flag too, that each box overlaps most; NONE where it overlaps none."""
    of_any = truth._replace(labels=np.zeros_like(truth.labels), flags=np.zeros_like(truth.flags))
    boxes = said._replace(labels=np.zeros_like(said.labels))
    near = pairs(of_any, boxes, 1, np.arange(said.scores.size), np.finfo(np.float64).tiny)
    order = np.argsort(near.overlaps, kind="stable")
    nearest = np.full(said.scores.size, NONE)
    nearest[near.detections[order]] = near.objects[order]  # of equal ones the last stays
    return nearest


def _false_alarms(said: Detections, compared: Compared, thresholds: Float64[np.ndarray, " classes"]) -> list[Kept]:
    wrong = ~compared.hits & ~compared.forgiven & (said.scores >= thresholds[said.labels])
    return _cheapest(images_of(said)[wrong], -said.scores[wrong].astype(np.float64), _places(said)[wrong])


def _misses(
    truth: Objects,
    compared: Compared,
    thresholds: Float64[np.ndarray, " classes"],
    sizes: Int64[np.ndarray, "n 2"],
) -> list[Kept]:
    images = images_of(truth)
    share = sides(truth.edges).prod(axis=1) / sizes.prod(axis=1)[images]
    cost = np.where(compared.found > 0, compared.found, -share)
    missed = np.flatnonzero((compared.found < thresholds[truth.labels]) & (truth.flags == 0))
    return _cheapest(images[missed], cost[missed], _places(truth)[missed])


def _near(said: Detections, thresholds: Float64[np.ndarray, " classes"]) -> list[Kept]:
    images = images_of(said)
    away = np.abs(said.scores - thresholds[said.labels])
    return _cheapest(images, away, _places(said))


def _places(boxes: Objects | Detections) -> Rows:
    """Of each box: how many of its image stand before it."""
    return np.asarray(np.arange(boxes.labels.size) - boxes.starts[images_of(boxes)])


def _cheapest(images: Rows, costs: Float64[np.ndarray, " _"], boxes: Rows) -> list[Kept]:
    """Of every image the box of the least cost."""
    order = np.lexsort((boxes, costs, images))
    first = order[np.unique(images[order], return_index=True)[1]]
    return [
        Kept(*each) for each in zip(costs[first].tolist(), images[first].tolist(), boxes[first].tolist(), strict=True)
    ]


def _dearest(kept: list[Kept]) -> list[Kept]:
    return sorted(kept)[:COUNT]


def _boxes(truth: Objects, said: Detections, compared: Compared, image: int) -> dict[str, Any]:
    there, found = (slice(*each.starts[image : image + 2]) for each in (truth, said))
    return {
        "boxes": said.edges[found].tolist(),
        "classes": said.labels[found].tolist(),
        "scores": said.scores[found].tolist(),
        "ious": compared.ious[found].tolist(),
        "on": compared.on[found].tolist(),
        "hits": compared.hits[found].tolist(),
        "true_boxes": truth.edges[there].tolist(),
        "true_classes": truth.labels[there].tolist(),
        "flags": truth.flags[there].tolist(),
        "found": compared.found[there].tolist(),
    }
