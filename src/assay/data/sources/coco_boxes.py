"""COCO's JSON: objects of categories, each with its ``bbox`` of x, y, width and height, or the bounds of its region."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.data.boxes import CROWD
from assay.data.geometry import Size
from assay.data.images import Contents
from assay.data.sources.box_classes import checked
from assay.data.sources.box_rows import Box, Told, box_contents
from assay.data.sources.coco_files import Listed, categories, is_crowd, pictures, read_files
from assay.data.sources.json_numbers import numbers
from assay.data.sources.regions import polygons, region
from assay.data.sources.tree import Tree
from assay.errors import shown
from assay.recipe.data import SplitName


def coco_boxes(tree: Tree, splits: Mapping[str, SplitName]) -> Contents | None:
    """The pictures that COCO's files list, with their boxes; None where there is no such file.

    ``splits`` says of files or their folders which split they are. The classes are the categories in the order of their
    ids, without a heading: one that is another's ``supercategory`` and that no object has.

    Raises:
        AssayError: as ``read_files`` and ``pictures``; there is no category, or two of one name; no picture is left.
    """
    files = read_files(tree, under_any_name=True)
    if not files:
        return None
    listed, bad = pictures(tree, files, splits, lambda each: True)
    first, found = next(iter(files.items()))
    known, headings = categories(found), _headings(files)
    classes = checked(f"{first} of {tree.where}", [name for number, name in known.items() if number not in headings])
    told = []
    for each in listed:
        try:
            boxes = [_box(one, each, known) for one in each.objects]
            told.append(Told(each.name, each.split, each.file, boxes, each.size))
        except Exception as error:  # whatever a damaged file meets
            bad.append((each.name, f"{each.file}: {error}"))
    return box_contents(tree, classes, told, bad, len(tree.pictures) - len(listed))


def _headings(files: Mapping[str, dict[str, Any]]) -> set[Any]:
    """Ids of the categories that name only what others have in common."""
    used = {each["category_id"] for found in files.values() for each in found["annotations"]}
    listed = [each for found in files.values() for each in found["categories"]]
    above = [each.get("supercategory") for each in listed if each.get("supercategory") != each["name"]]
    return {each["id"] for each in listed if each["name"] in above and each["id"] not in used}


def _box(each: Mapping[str, Any], listed: Listed, known: Mapping[Any, str]) -> Box:
    """Raises ValueError for a box that cannot be read."""
    place = f"object {each['id']}" if "id" in each else "an object"
    if each["category_id"] not in known:
        raise ValueError(f"{place} is of category {each['category_id']!r}, which is not listed")
    found = each.get("bbox") or _bounds(each.get("segmentation"), listed.size, place)
    if (corner_and_sides := numbers(found)) is None or len(corner_and_sides) != 4:
        raise ValueError(f"{place} has the bbox {shown(found)}, expected x, y, width, height")
    x, y, width, height = corner_and_sides
    flag = CROWD if is_crowd(each, place) else 0
    return Box(place, known[each["category_id"]], (x, y, x + width, y + height), flag)


def _bounds(segmentation: Any, size: Size | None, place: str) -> list[float]:
    """x, y, width, height of the region of an object."""
    if not segmentation or size is None:
        raise ValueError(f"{place} has no bbox")
    try:
        if isinstance(segmentation, list):
            points = np.concatenate(polygons(segmentation))
            return [*points.min(axis=0).tolist(), *np.ptp(points, axis=0).tolist()]
        rows, columns = np.nonzero(region(segmentation, *size))
    except ValueError as error:
        raise ValueError(f"{place} has {error}") from error
    if not len(rows):
        return [0.0, 0.0, 0.0, 0.0]
    x, y = float(columns.min()), float(rows.min())
    return [x, y, float(columns.max()) + 1 - x, float(rows.max()) + 1 - y]
