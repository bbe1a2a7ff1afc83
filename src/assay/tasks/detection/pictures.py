"""The pictures that a run keeps for its report: a sample, false alarms, misses, boxes nearest to the threshold."""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torchvision.ops import box_iou

from assay.data.batches import ImageData
from assay.data.boxes import NO_BOX
from assay.tasks.box_matching import Detections, Objects
from assay.tasks.pictures import inside, sample, thumbnail

COUNT = 12
"""Of each kind but the sample."""
SIDE = 224
"""Pixels of the longer side, at most."""
LEAST = 0.05
"""Boxes with a lower score are kept nowhere."""
HIT = 0.5
"""The overlap from which a box has found an object."""


class Compared(NamedTuple):
    """The boxes of one image beside its objects, at an overlap of ``HIT``."""

    ious: Float32[np.ndarray, " boxes"]
    """With the object that it hits, else with the one that it overlaps most."""
    on: Int64[np.ndarray, " boxes"]
    """The class of that object; -1: it overlaps none."""
    hits: Bool[np.ndarray, " boxes"]
    """The best of the boxes that overlap an object of their class."""
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
    compared = [_compared(*_one(truth, said, row)) for row in range(len(indices))]
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
            **_boxes(*_one(truth, said, one.image), compared[one.image]),
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
    images = np.repeat(np.arange(said.starts.size - 1), np.diff(said.starts))
    order = np.lexsort((-said.scores, images))
    order = order[said.scores[order] >= LEAST]
    counts = np.bincount(images[order], minlength=said.starts.size - 1)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Detections(said.edges[order], said.labels[order], said.scores[order], starts)


def _one(truth: Objects, said: Detections, row: int) -> tuple[Objects, Detections]:
    there, found = (slice(each.starts[row], each.starts[row + 1]) for each in (truth, said))
    return (
        Objects(truth.edges[there], truth.labels[there], truth.flags[there], truth.starts[:0]),
        Detections(said.edges[found], said.labels[found], said.scores[found], said.starts[:0]),
    )


def _compared(truth: Objects, said: Detections) -> Compared:
    """Each box, the highest score first, takes the free object of its class that it overlaps most."""
    overlaps = box_iou(torch.as_tensor(said.edges), torch.as_tensor(truth.edges)).numpy()
    of_class = np.where(said.labels[:, None] == truth.labels[None], overlaps, 0.0)
    object_of, found = np.full(len(said.labels), -1), np.zeros(len(truth.labels), np.float32)
    flagged = truth.flags != 0
    for box, overlap in enumerate(of_class):
        able = np.where((found > 0) | flagged, 0.0, overlap)
        if able.size and able.max() >= HIT:
            object_of[box] = able.argmax()
            found[object_of[box]] = said.scores[box]
    hits = object_of >= 0
    forgiven = ~hits & (_inside(said.edges, truth.edges, of_class)[:, flagged].max(axis=1, initial=0.0) >= HIT)
    if not len(truth.labels):
        return Compared(np.zeros(len(hits), np.float32), object_of, hits, forgiven, found)
    nearest = np.where(hits, object_of, overlaps.argmax(axis=1))
    ious = overlaps[np.arange(len(hits)), nearest]
    return Compared(ious, np.where(ious > 0, truth.labels[nearest], NO_BOX), hits, forgiven, found)


def _inside(
    boxes: Float32[np.ndarray, "boxes 4"],
    objects: Float32[np.ndarray, "objects 4"],
    ious: Float32[np.ndarray, "boxes objects"],
) -> Float32[np.ndarray, "boxes objects"]:
    """The share of each box that lies in an object, from their IoU."""
    of_box, of_object = ((each[:, 2:] - each[:, :2]).prod(axis=1) for each in (boxes, objects))
    shared = (of_box[:, None] + of_object[None]) * ious / (1 + ious)
    return np.asarray(shared / np.maximum(of_box[:, None], np.finfo(np.float32).tiny))


def _false_alarms(
    said: Detections, compared: list[Compared], thresholds: Float64[np.ndarray, " classes"]
) -> list[Kept]:
    kept = []
    for row, one in enumerate(compared):
        own = slice(said.starts[row], said.starts[row + 1])
        wrong = ~one.hits & ~one.forgiven & (said.scores[own] >= thresholds[said.labels[own]])
        if wrong.any():  # the first has the highest score
            box = int(wrong.argmax())
            kept.append(Kept(-float(said.scores[own][box]), row, box))
    return kept


def _misses(
    truth: Objects,
    compared: list[Compared],
    thresholds: Float64[np.ndarray, " classes"],
    sizes: Int64[np.ndarray, "n 2"],
) -> list[Kept]:
    kept = []
    for row, one in enumerate(compared):
        own = slice(truth.starts[row], truth.starts[row + 1])
        missed = (one.found < thresholds[truth.labels[own]]) & (truth.flags[own] == 0)
        if missed.any():
            edges = truth.edges[own]
            share = (edges[:, 2:] - edges[:, :2]).prod(axis=1) / sizes[row].prod()
            cost = np.where(missed, np.where(one.found > 0, one.found, -share), np.inf)
            kept.append(Kept(float(cost.min()), row, int(cost.argmin())))
    return kept


def _near(said: Detections, thresholds: Float64[np.ndarray, " classes"]) -> list[Kept]:
    away = np.abs(said.scores - thresholds[said.labels])
    bounds = zip(said.starts[:-1].tolist(), said.starts[1:].tolist(), strict=True)
    own = [(row, away[first:last]) for row, (first, last) in enumerate(bounds) if last > first]
    return [Kept(float(each.min()), row, int(each.argmin())) for row, each in own]


def _dearest(kept: list[Kept]) -> list[Kept]:
    return sorted(kept)[:COUNT]


def _boxes(there: Objects, found: Detections, compared: Compared) -> dict[str, Any]:
    return {
        "boxes": found.edges.tolist(),
        "classes": found.labels.tolist(),
        "scores": found.scores.tolist(),
        "ious": compared.ious.tolist(),
        "on": compared.on.tolist(),
        "hits": compared.hits.tolist(),
        "true_boxes": there.edges.tolist(),
        "true_classes": there.labels.tolist(),
        "flags": there.flags.tolist(),
        "found": compared.found.tolist(),
    }
