"""Pascal VOC's XML: a file beside a picture, or in ``Annotations``, with its boxes.

Corners are pixels counted from 1 and belong to the box: its left edge lies at ``xmin`` − 1, its right one at ``xmax``.
A box whose corners share a column or a row of pixels has no extent, for nobody draws one that is one pixel wide; nor
has one whose last pixel lies just before its first.
"""

from collections.abc import Mapping
from posixpath import basename, splitext
from xml.etree import ElementTree

from assay.data.boxes import DIFFICULT
from assay.data.geometry import Size
from assay.data.images import Contents
from assay.data.sources.box_classes import listed_classes
from assay.data.sources.box_rows import Box, Told, box_contents
from assay.data.sources.mask_pairs import Pair, paired_with
from assay.data.sources.tree import Tree
from assay.data.sources.voc import listed, voc_lists
from assay.recipe.data import SplitName

NO_SIZE = "no size in its box file, so boxes of another picture would not be noticed"


def voc_contents(tree: Tree, splits: Mapping[str, SplitName]) -> Contents | None:
    """The pictures with the boxes of their XML; None where no picture has one.

    ``splits`` says of folders, or of VOC's lists, which split they are. The classes are those of a list that lies
    there (``box_classes``), else all that occur, in the order of the alphabet.

    Raises:
        AssayError: a list cannot be read, or has a picture in two splits; or no picture is left.
    """
    found = paired_with(
        tree.pictures, [name for name in tree.others if name.lower().endswith(".xml")], splits, "box file"
    )
    if not any(_is_voc(tree, pair.mask) for pair in found.pairs):
        return None
    absent: list[tuple[str, str]] = []
    unlisted = 0
    if lists := voc_lists(tree.others, "Main"):
        found, absent, unlisted = listed(tree, found, lists, splits)
    there = {splitext(basename(name))[0]: name for name in tree.pictures}
    told, bad = [], absent + found.misplaced
    for pair in found.pairs:
        try:
            told.append(_told(pair, tree.read(pair.mask), there))
        except Exception as error:  # whatever a damaged file meets
            bad.append((pair.name, f"{pair.mask}: {error}"))
    occurring = sorted({box.label for each in told for box in each.boxes})
    classes = listed_classes(tree) or occurring
    return box_contents(tree, classes, told, bad, unlisted)


def _is_voc(tree: Tree, name: str) -> bool:
    """Whether a file is VOC's, or might be if it could be read."""
    try:
        return ElementTree.fromstring(tree.read(name)).tag == "annotation"
    except Exception:
        return True


def _told(pair: Pair, data: bytes, there: Mapping[str, str]) -> Told:
    """What the XML of a picture says; ``there`` are all pictures by their names without ending.

    Raises ValueError for what it does not say.
    """
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise ValueError(f"it cannot be read as XML ({error})") from error
    if root.tag != "annotation":
        raise ValueError(f"its outermost element is {root.tag!r}, expected 'annotation'")
    stem = splitext(basename((root.findtext("filename") or "").strip().replace("\\", "/")))[0]
    if stem in there and stem != splitext(basename(pair.name))[0]:
        raise ValueError(f"it says that it is of {there[stem]}")
    boxes = [_box(each, f"object {k}") for k, each in enumerate(root.findall("object"), start=1)]
    size = _size(root)
    return Told(pair.name, pair.split, pair.mask, boxes, size, notes=() if size else (NO_SIZE,))


def _size(root: ElementTree.Element) -> Size | None:
    """Height and width; None where they are missing, 0 as some tools leave them, or no number."""
    try:
        height, width = (int(float(root.findtext(f"size/{key}", "0"))) for key in ("height", "width"))
    except (ValueError, OverflowError):
        return None
    return (height, width) if height > 0 and width > 0 else None


def _box(each: ElementTree.Element, place: str) -> Box:
    name, corners = (each.findtext("name") or "").strip(), []
    if not name:
        raise ValueError(f"{place} has no name")
    for key in ("xmin", "ymin", "xmax", "ymax"):
        text = each.findtext(f"bndbox/{key}", "")
        try:
            corners.append(float(text))
        except ValueError:
            raise ValueError(f"{place}: {key} is {text!r}, expected a number") from None
    x1, y1, x2, y2 = corners
    if x1 > x2 + 1 or y1 > y2 + 1:
        raise ValueError(f"{place}: an inverted box, from {x1:g}, {y1:g} to {x2:g}, {y2:g}")
    difficult = (each.findtext("difficult") or "0").strip()
    edges = (x1 - 1 if x1 != x2 else x1, y1 - 1 if y1 != y2 else y1, x2, y2)
    return Box(place, name, edges, DIFFICULT if difficult in ("1", "true", "True") else 0)
