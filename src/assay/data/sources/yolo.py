"""YOLO's text files: one beside a picture, or in ``labels`` for those in ``images``, a box a line.

``class x y width height``, the middle and the sides as shares of the upright picture; or ``class x y x y x y …``, the
corners of a polygon, of which the bounds are taken. A picture without a file shows nothing.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from posixpath import basename, splitext

from assay.data.images import Contents
from assay.data.sources.box_classes import LISTS
from assay.data.sources.box_rows import Box, Told, box_contents
from assay.data.sources.mask_pairs import paired_with, split_by
from assay.data.sources.tree import Tree
from assay.data.sources.yolo_config import Config, config_in
from assay.errors import AssayError, amount
from assay.recipe.data import SplitName

ROUNDED = 1e-3
"""So far outside 0…1 a share may be."""
NO_FILE = "no box file, so taken to show nothing"
_OTHERS = re.compile(r"(readme.*|train|val|valid|test|trainval)\.txt", re.IGNORECASE)
"""Text files that hold something else, unless a picture is called so."""


def yolo_contents(tree: Tree, splits: Mapping[str, SplitName]) -> Contents | None:
    """The pictures with the boxes of their text files; None where none has one.

    ``splits`` says of folders which split they are; without it ``data.yaml`` does, else the names of the folders. The
    classes are those of ``data.yaml``, else of a list (``box_classes``).

    Raises:
        AssayError: as ``config_in``; the files are YOLO's and nothing names their classes; or no picture is left.
    """
    stems = {splitext(basename(name))[0] for name in tree.pictures}
    files = [name for name in tree.others if name.lower().endswith(".txt") and not _is_other(basename(name), stems)]
    found = paired_with(tree.pictures, files, splits, "box file")
    if not found.pairs:
        return None
    if (config := config_in(tree)) is None:
        if not _is_yolo(tree, found.pairs[0].mask):
            return None
        raise AssayError(
            f"{tree.where} has boxes in YOLO's files ({found.pairs[0].mask}) and nothing that names their classes: "
            "expected a data.yaml with names, or a classes.txt"
        )
    file_of = {pair.name: pair.mask for pair in found.pairs}
    split_of: dict[str, SplitName | None] = {name: split_by(name, splits) or "train" for name in found.unmasked}
    split_of |= {pair.name: pair.split for pair in found.pairs}
    if config.split_of and not splits:
        split_of = {name: config.split_of.get(name) or split_by(name, {}) for name in split_of}
    told, bad = [], [(name, "a box file without a picture") for name in found.unpictured]
    for name, split in split_of.items():
        if split is None:
            continue
        try:
            told.append(_told(tree, name, split, file_of.get(name), config))
        except Exception as error:  # whatever a damaged file meets
            bad.append((name, f"{file_of[name]}: {error}"))
    return box_contents(tree, config.classes, told, bad, sum(split is None for split in split_of.values()))


def _is_other(name: str, stems: Collection[str]) -> bool:
    """``stems`` are the names of the pictures without ending."""
    return name.lower() in LISTS or (_OTHERS.fullmatch(name) is not None and splitext(name)[0] not in stems)


def _is_yolo(tree: Tree, file: str) -> bool:
    """Whether a text holds numbers, five or more a line, and not words about a picture."""
    try:
        rows = [line.split() for line in tree.read(file).decode("utf-8-sig").splitlines() if line.strip()]
        return all(len([float(each) for each in row]) >= 5 for row in rows)
    except Exception:  # whatever is no number, or a damaged file meets
        return False


def _told(tree: Tree, name: str, split: SplitName, file: str | None, config: Config) -> Told:
    """Raises ValueError for a line that cannot be."""
    if file is None:
        return Told(name, split, name, (), notes=(NO_FILE,))
    try:
        lines = tree.read(file).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError("no text in UTF-8, expected a box a line") from None
    rows = [(f"line {k}", line.split()) for k, line in enumerate(lines, 1)]
    return Told(name, split, file, [_box(place, row, config) for place, row in rows if row], is_relative=True)


def _box(place: str, row: Sequence[str], config: Config) -> Box:
    if config.has_points:
        row = row[:5]
    if len(row) != 5 and (len(row) < 7 or len(row) % 2 == 0):
        raise ValueError(
            f"{place}: {amount(len(row), 'number')}, expected class, x, y, width and height, or a class and the "
            "corners of a polygon, with spaces between them"
        )
    try:
        number, *shares = map(float, row)
    except ValueError:
        raise ValueError(f"{place}: {' '.join(row)!r}, expected numbers") from None
    if not number.is_integer() or int(number) not in config.names:
        raise ValueError(f"{place}: class {row[0]}, and {config.where} names {_numbers(config.names)}")
    if strange := [text for text, share in zip(row[1:], shares, strict=True) if not -ROUNDED <= share <= 1 + ROUNDED]:
        raise ValueError(f"{place}: {strange[0]} is no share of the picture, expected 0 to 1")
    if len(row) > 5:
        return Box(place, config.names[int(number)], _bounds(shares))
    x, y, width, height = (min(max(share, 0.0), 1.0) for share in shares)
    edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return Box(place, config.names[int(number)], edges)


def _bounds(points: Sequence[float]) -> tuple[float, float, float, float]:
    x, y = points[0::2], points[1::2]
    return min(x), min(y), max(x), max(y)


def _numbers(names: Mapping[int, str]) -> str:
    there = sorted(names)
    is_whole = there == list(range(len(there)))
    return f"0 to {there[-1]}" if is_whole else ", ".join(map(str, there))
