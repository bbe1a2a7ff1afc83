"""Which detected box finds which object, as COCO matches them (Lin et al., ECCV 2014; pycocotools).

Boxes are x1, y1, x2, y2 of pixel edges, ragged over the images: image i has the rows from starts[i] to starts[i + 1].
Objects with a flag (difficult, crowd) are crowds in COCO's sense: they need not be found, and what lies in one for the
most part counts neither for nor against.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int8, Int32, Int64, Integer

IOUS = np.linspace(0.5, 0.95, 10)
"""Overlaps from which a detection may count as a hit."""
MISS, HIT, IGNORED = 0, 1, 2
NONE = -1
"""In the place of an object that is not there."""
PAIRS = 2**17
"""A detection and an object each, whose overlaps are computed at once: 1 MB an array."""

Area = Literal["all", "small", "medium", "large"]
AREAS: dict[Area, tuple[float, float]] = {
    "all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10),
}  # fmt: skip
"""The least and the largest area, in pixels, of the objects that count; both ends belong to it."""

Rows = Int64[np.ndarray, " _"]


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
    """What became of the detections, a class after the other, from the highest score of a class."""

    objects: Int64[np.ndarray, "images classes"]
    """How many there are to find."""
    rows: Int64[np.ndarray, " detections"]
    """Where they stand among all detections."""
    images: Int64[np.ndarray, " detections"]
    labels: Int64[np.ndarray, " detections"]
    places: Int64[np.ndarray, " detections"]
    """Among the detections of its image and class, 0 for the one with the highest score."""
    outcomes: Int8[np.ndarray, "ious detections"]
    """MISS, HIT or IGNORED at each of ``IOUS``."""
    found: Int32[np.ndarray, "ious detections"]
    """The row of the object that it takes; NONE where it takes none."""


class Pairs(NamedTuple):
    """Detections and objects that overlap, by rows; a detection after the other."""

    detections: Rows
    objects: Rows
    overlaps: Float64[np.ndarray, " _"]


def match(truth: Objects, said: Detections, classes: int, area: Area = "all") -> Matches:
    """Give detections objects of their image and class, the highest score first: the free one that overlaps most.

    Of equal scores the first comes first, in the order of the images and within one, and of equal overlaps the last
    object: as in pycocotools. An object of another area is one with a flag, but can be taken once only; a detection of
    another area that takes none is ignored.
    """
    found = cells(said, classes)
    chosen = np.lexsort((-said.scores, found))
    places = _place_in_run(found[chosen])
    crowd = truth.flags != 0
    out = crowd | ~of_area(truth.edges, area)
    taken = _taken(pairs(truth, said, classes, chosen), found, out, crowd)
    kinds = np.array([HIT, IGNORED, MISS], np.int8)
    of_object = np.append(out, False).astype(np.int8)
    outcomes = np.where(taken == NONE, kinds[1 + of_area(said.edges, area)], kinds[of_object[taken]])
    images, labels = np.divmod(found[chosen], classes)
    order = np.lexsort((-said.scores[chosen], labels))
    rows = chosen[order]
    to_find = np.bincount(cells(truth, classes)[~out], minlength=(truth.starts.size - 1) * classes)
    return Matches(
        to_find.reshape(-1, classes),
        rows,
        images[order],
        labels[order],
        places[order],
        outcomes[:, rows],
        taken[:, rows],
    )


def pairs(truth: Objects, said: Detections, classes: int, rows: Rows, least: float = float(IOUS[0])) -> Pairs:
    """Those of the detections ``rows`` and of all objects that are of one image and class and overlap by ``least``.

    The overlap is the IoU; of an object with a flag the part of the detection that lies in it.
    """
    there, found = cells(truth, classes), cells(said, classes)[rows]
    by_cell = np.argsort(there, kind="stable")
    first, last = (np.searchsorted(there[by_cell], found, side=side) for side in ("left", "right"))
    parts = []
    for own in _blocks(last - first):
        each = np.repeat(np.arange(rows.size)[own], (last - first)[own])
        which = by_cell[first[each] + _place_in_run(each)]
        shared = overlaps(said.edges[rows[each]], truth.edges[which], truth.flags[which] != 0)
        near = shared >= least
        parts.append((rows[each[near]], which[near], shared[near]))
    return Pairs(*map(np.concatenate, zip(*parts, strict=True)))


def cells(boxes: Objects | Detections, classes: int) -> Int64[np.ndarray, " _"]:
    """The number of every box's image and class: boxes of one number may match."""
    return images_of(boxes) * classes + boxes.labels.astype(np.int64)


def images_of(boxes: Objects | Detections) -> Int64[np.ndarray, " _"]:
    """The image of every box."""
    return np.repeat(np.arange(boxes.starts.size - 1), np.diff(boxes.starts))


def _taken(
    near: Pairs, cell: Rows, out: Bool[np.ndarray, " objects"], crowd: Bool[np.ndarray, " objects"]
) -> Int32[np.ndarray, "ious detections"]:
    """The object that each detection takes, at each of ``IOUS``.

    Detections of different images and classes do not compete, so the first of every cell choose together, then the
    second. Objects that are ``out`` are taken where no other is left, crowds again and again.
    """
    taken = np.full((IOUS.size, cell.size), NONE, dtype=np.int32)
    free = np.ones((IOUS.size, out.size), dtype=bool)
    every = np.arange(IOUS.size)[:, None]
    for turn in _turns(near.detections, cell):
        detections, objects, overlaps = (part[turn] for part in near)
        preferred = np.lexsort((objects, overlaps, ~out[objects], detections))
        detections, objects, overlaps = detections[preferred], objects[preferred], overlaps[preferred]
        starts = np.flatnonzero(np.diff(detections, prepend=NONE))
        able = free[:, objects] & (overlaps >= IOUS[:, None])
        last = np.maximum.reduceat(np.where(able, np.arange(objects.size), NONE), starts, axis=1)
        best = np.where(last == NONE, NONE, objects[last])
        taken[:, detections[starts]] = best
        level, which = np.broadcast_to(every, best.shape)[best != NONE], best[best != NONE]
        free[level, which] = crowd[which]
    return taken


def _turns(detections: Rows, cell: Rows) -> Iterator[Rows]:
    """Which pairs are of the first detection of its cell, of the second, and so on."""
    begins = np.diff(detections, prepend=NONE) != 0
    place = _place_in_run(cell[detections[begins]])[begins.cumsum() - 1]
    order = np.argsort(place, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(place[order])) + 1) if order.size else ()


def _place_in_run(numbers: Rows) -> Rows:
    """Of numbers that rise: how many equal ones stand before each."""
    return np.arange(numbers.size) - np.searchsorted(numbers, numbers)


def _blocks(counts: Rows) -> Iterator[slice]:
    """Runs of so many pairs each that ``PAIRS`` hold them, or of one; at least one run."""
    ends = counts.cumsum()
    first = 0
    while True:
        before = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + PAIRS, side="right")))
        yield slice(first, last)
        if last >= counts.size:
            return
        first = last


def of_area(edges: Float32[np.ndarray, "_ 4"], area: Area) -> Bool[np.ndarray, " _"]:
    """Which boxes are of a size; one of just 32² or 96² pixels is of both."""
    least, most = AREAS[area]
    of_each = sides(edges).prod(axis=1)
    return np.asarray((of_each >= least) & (of_each <= most))


def sides(edges: Float[np.ndarray, "*shape 4"]) -> Float64[np.ndarray, "*shape 2"]:
    """Width and height."""
    wide = edges.astype(np.float64)
    return np.asarray(wide[..., 2:] - wide[..., :2])


def have_extent(edges: Float32[np.ndarray, "_ 4"]) -> Bool[np.ndarray, " _"]:
    """Whether there is a pixel, or part of one, in each."""
    return np.asarray((sides(edges) > 0).all(axis=1))


def overlaps(
    boxes: Float[np.ndarray, "*#shape 4"],
    others: Float[np.ndarray, "*#shape 4"],
    crowd: Bool[np.ndarray, " _"] | None = None,
) -> Float64[np.ndarray, "*shape"]:
    """IoU of each with the one beside it, 0 of boxes without area; of a ``crowd`` the part of the box in it."""
    a, b = boxes.astype(np.float64), others.astype(np.float64)
    shared = (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).clip(0).prod(axis=-1)
    of_a, of_b = sides(a).prod(axis=-1), sides(b).prod(axis=-1)
    whole = of_a + of_b - shared if crowd is None else np.where(crowd, of_a, of_a + of_b - shared)
    return np.asarray(shared / np.where(shared > 0, whole, 1.0))
