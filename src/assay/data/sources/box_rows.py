"""Boxes as files tell them → boxes in the pixels of the upright pictures, looked through."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from assay.data.boxes import Boxes
from assay.data.geometry import Size
from assay.data.images import Contents
from assay.data.sources.tree import Tree
from assay.data.upright import Stored, stored, turned
from assay.errors import AssayError, unknown
from assay.recipe.data import SplitName

MOST = 10_000
"""Boxes of a picture at most: a network in training compares each with thousands of places."""
SLACK = 1.0
"""Pixels by which a box may reach beyond its picture without a word: the tools of the trade count from 0 and from 1."""

LEAST = 0.01
"""Pixels of a side; a box of less has no extent."""


@dataclass(frozen=True)
class Box:
    """One box, as its file has it."""

    place: str
    """In the file: ``line 3``, ``object 2``."""
    label: str
    edges: tuple[float, float, float, float]
    """x1, y1, x2, y2 of pixels' edges, or of shares of the picture's width and height."""
    flag: int = 0
    """``DIFFICULT``, ``CROWD`` or 0."""


@dataclass(frozen=True)
class Told:
    """What a file tells of a picture."""

    name: str
    split: SplitName
    file: str
    boxes: Sequence[Box]
    size: Size | None = None
    """Height and width that the file says the picture has."""
    is_relative: bool = False
    """Whether edges are shares."""
    notes: tuple[str, ...] = ()
    """What a reader should know of it."""


@dataclass(frozen=True)
class _Rows:
    edges: Float32[np.ndarray, "k 4"]
    boxes: Sequence[Box]
    notes: Sequence[str] = ()


def box_contents(
    tree: Tree, classes: Sequence[str], told: Sequence[Told], bad: Sequence[tuple[str, str]], unlisted: int
) -> Contents:
    """The pictures with their boxes; those that cannot be right are left out and stand among ``misplaced``, beside
    ``bad``, (name, reason). ``unlisted`` as in ``Contents``.

    Raises:
        AssayError: there is no picture.
    """
    told = sorted(told, key=lambda each: each.name)
    files = [stored(lambda name=each.name: tree.image(name)) for each in told]  # type: ignore[misc]
    as_stored = _drawn_as_stored(told, files)
    number = {name: k for k, name in enumerate(classes)}
    kept: list[tuple[Told, _Rows]] = []
    misplaced = list(bad)
    for each, file in zip(told, files, strict=True):
        try:
            kept.append((each, _rows(each, file, as_stored, number)))
        except ValueError as error:
            misplaced.append((each.name, f"{each.file}: {error}"))
    if not kept:
        more = f": {misplaced[0][0]} ({misplaced[0][1]})" if misplaced else ""
        raise AssayError(f"{tree.where} has no picture whose boxes can be read{more}")
    rows = [each for _, each in kept]
    return Contents(
        classes=list(classes),
        names=[each.name for each, _ in kept],
        targets=_boxes(rows, number),
        is_test=np.array([each.split == "test" for each, _ in kept], dtype=bool),
        is_validation=np.array([each.split == "validation" for each, _ in kept], dtype=bool),
        image=lambda i: tree.image(kept[i][0].name),
        misplaced=misplaced,
        unlisted=unlisted,
        notes=[(each.name, note) for each, of in kept for note in (*each.notes, *of.notes)],
    )


def _boxes(rows: Sequence[_Rows], number: dict[str, int]) -> Boxes:
    boxes = [box for each in rows for box in each.boxes]
    return Boxes(
        np.concatenate([np.empty((0, 4), np.float32), *(each.edges for each in rows)]),
        np.array([number[box.label] for box in boxes], dtype=np.int64),
        np.array([box.flag for box in boxes], dtype=np.uint8),
        np.cumsum([0, *(len(each.boxes) for each in rows)], dtype=np.int64),
    )


def _drawn_as_stored(told: Sequence[Told], files: Sequence[Stored | None]) -> bool:
    """By the first picture that is turned on its side, is no square and has its size told."""
    for each, file in zip(told, files, strict=True):
        if file and file.is_sideways and each.size in (file.size, file.upright):
            return each.size == file.size
    return False


def _rows(told: Told, file: Stored | None, as_stored: bool, number: dict[str, int]) -> _Rows:
    """The boxes of a picture; none of one that cannot be opened, of which decoding tells.

    Raises ValueError for what cannot be right.
    """
    if file is None:
        return _Rows(np.empty((0, 4), np.float32), ())
    if len(told.boxes) > MOST:
        raise ValueError(f"{len(told.boxes):,} boxes, and at most {MOST:,} of a picture are taken")
    if told.size is not None and told.size not in (file.size, file.upright):
        raise ValueError(f"it is of a picture of {_by(told.size)} pixels, and this one has {_by(file.upright)}")
    for box in told.boxes:
        _check(box, number)
    edges = np.array([box.edges for box in told.boxes], dtype=np.float64).reshape(-1, 4)
    if told.is_relative:
        edges = edges * np.tile(file.upright[::-1], 2)
    elif file.turn is not None and (told.size == file.size if file.is_sideways and told.size else as_stored):
        edges = turned(edges, file)
    return _cut(edges, told.boxes, file.upright)


def _check(box: Box, number: dict[str, int]) -> None:
    x1, y1, x2, y2 = box.edges
    if not np.isfinite(box.edges).all():
        raise ValueError(f"{box.place}: a box at {_text(box)}, expected numbers")
    if x2 < x1 or y2 < y1:
        raise ValueError(f"{box.place}: an inverted box, from {x1:g}, {y1:g} to {x2:g}, {y2:g}")
    if box.label not in number:
        raise ValueError(f"{box.place}: {unknown('class', box.label, number)}")


def _cut(edges: Float64[np.ndarray, "k 4"], boxes: Sequence[Box], size: Size) -> _Rows:
    """Boxes cut at the picture's border, without those of no extent. ValueError for one that lies outside."""
    right_below = np.array(size[::-1], dtype=np.float64)
    inside = edges.clip(0, np.tile(right_below, 2)).astype(np.float32)
    beyond = np.abs(edges - inside).max(axis=1, initial=0) > SLACK
    is_empty = np.asarray((inside[:, 2:] - inside[:, :2] < LEAST).any(axis=1))
    is_outside = ((edges[:, :2] > right_below) | (edges[:, 2:] < 0)).any(axis=1)
    if is_outside.any():
        box = boxes[int(is_outside.argmax())]
        raise ValueError(f"{box.place}: a box at {_text(box)} outside the picture of {_by(size)} pixels")
    counts = {"of no extent, left out": int(is_empty.sum()), "beyond the picture, cut": int((beyond & ~is_empty).sum())}
    notes = [f"{n} box{'es' * (n > 1)} {text}" for text, n in counts.items() if n]
    return _Rows(inside[~is_empty], [box for box, empty in zip(boxes, is_empty, strict=True) if not empty], notes)


def _by(size: Size) -> str:
    return f"{size[1]}×{size[0]}"


def _text(box: Box) -> str:
    return ", ".join(f"{edge:g}" for edge in box.edges)
