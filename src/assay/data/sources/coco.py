"""COCO's JSON: objects of categories as polygons or run lengths → a mask for each picture.

A pixel of no object is ``background``; where objects lie over each other the smaller one is seen; a crowd is void where
no single object lies on it. Categories are numbered in the order of their ids, which may have holes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.data.images import Contents
from assay.data.mask_files import MaskFiles
from assay.data.own_masks import VOID, Mask
from assay.data.sources.class_list import MOST, ClassList
from assay.data.sources.coco_files import Listed, categories, is_crowd, pictures, read_files
from assay.data.sources.ignored import code_of, refuse_unnumbered
from assay.data.sources.mask_pairs import in_one_place
from assay.data.sources.mask_pictures import Code
from assay.data.sources.regions import region
from assay.data.sources.tree import Tree
from assay.errors import AssayError
from assay.recipe.data import Ignore, Layout

BACKGROUND = "background"


def coco_contents(tree: Tree, stated: Layout | None, ignore: Ignore | None) -> Contents | None:
    """The pictures that COCO's files list; None where there is no such file, the folders are or could be classes, or no
    object has a segmentation and masks are not ``stated``.

    ``stated`` is ``data.layout``, ``ignore`` is ``data.ignore``.

    Raises:
        AssayError: as ``read_files`` and ``pictures``; no object has a segmentation; ``ignore`` has a number that no
            class has.
    """
    if stated in ("classes", "splits") or (stated is None and not in_one_place(tree.pictures)):
        return None
    files = read_files(tree)
    if not files:
        return None
    drawn, missing = pictures(tree, files, dict(stated) if isinstance(stated, tuple) else {}, _has_region)
    if not any(each.objects for each in drawn):
        if stated != "masks":
            return None
        raise AssayError(f"{min(files)} of {tree.where} has objects without a segmentation, only boxes; masks need one")
    listed, value_of = _classes(files)
    classes, code = code_of(listed, ignore)
    refuse_unnumbered(listed, code)
    return Contents(
        classes=classes,
        names=[each.name for each in drawn],
        targets=MaskFiles(lambda i: _mask(drawn[i], value_of, code), len(drawn)),
        is_test=np.array([each.split == "test" for each in drawn], dtype=bool),
        is_validation=np.array([each.split == "validation" for each in drawn], dtype=bool),
        image=lambda i: tree.image(drawn[i].name),
        misplaced=missing,
        unlisted=len(tree.pictures) - len(drawn),
    )


def _has_region(each: Mapping[str, Any]) -> bool:
    return bool(each.get("segmentation"))


def _classes(files: Mapping[str, dict[str, Any]]) -> tuple[ClassList, dict[Any, int]]:
    """(the classes with the background before them; id → value)."""
    first, found = next(iter(files.items()))
    known = categories(found)
    names = (BACKGROUND, *(name for name in known.values() if name != BACKGROUND))
    if not 2 <= len(names) <= MOST or len(set(names)) < len(names):
        raise AssayError(f"{first} has {len(names) - 1:,} categories, expected 1 to {MOST - 1} of different names")
    return ClassList(first, names, tuple(range(len(names)))), {key: names.index(name) for key, name in known.items()}


def _mask(drawn: Listed, value_of: Mapping[Any, int], code: Code) -> Mask:
    if drawn.size is None:
        raise ValueError(f"{drawn.file} says no height and width of it")
    if strange := [each["category_id"] for each in drawn.objects if each["category_id"] not in value_of]:
        raise ValueError(f"{drawn.file} has an object of category {strange[0]!r}, which is not listed")
    size = drawn.size
    mask = np.full(size, code.by_value[0], dtype=np.uint8)
    regions = [(is_crowd(each, "an object"), region(each["segmentation"], *size), each) for each in drawn.objects]
    for is_void, inside, each in sorted(regions, key=lambda one: (not one[0], -int(one[1].sum()))):
        mask[inside] = VOID if is_void else code.by_value[value_of[each["category_id"]]]
    return mask
