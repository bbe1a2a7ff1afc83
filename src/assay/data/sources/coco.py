"""COCO's JSON: objects of categories as polygons or run lengths → a mask for each picture.

A pixel of no object is ``background``; where objects lie over each other the smaller one is seen; a crowd is void where
no single object lies on it. Categories are numbered in the order of their ids, which may have holes.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from posixpath import basename
from typing import Any

import numpy as np

from assay.data.images import Contents
from assay.data.mask_files import MaskFiles
from assay.data.own_masks import VOID, Mask
from assay.data.sources.class_list import MOST, ClassList
from assay.data.sources.ignored import code_of
from assay.data.sources.mask_pairs import in_one_place
from assay.data.sources.mask_pictures import Code
from assay.data.sources.regions import region
from assay.data.sources.split_names import split_in
from assay.data.sources.tree import Tree
from assay.errors import AssayError
from assay.recipe.data import Ignore, Layout, SplitName

BACKGROUND = "background"
_KEYS = {"images", "annotations", "categories"}


@dataclass(frozen=True)
class _Drawn:
    """A picture and its objects."""

    name: str
    size: tuple[int, int]
    objects: list[Mapping[str, Any]]
    split: SplitName


def coco_files(others: Collection[str]) -> list[str]:
    """Those that are called as COCO calls its objects: ``instances_val2017.json``, ``_annotations.coco.json``, or any
    JSON in a folder ``annotations``."""
    found = []
    for name in sorted(others):
        folder, _, file = name.lower().rpartition("/")
        if file.endswith(".json") and (
            "instances" in file or "coco" in file or "annotations" in (basename(folder), file.removesuffix(".json"))
        ):
            found.append(name)
    return found


def coco_contents(tree: Tree, stated: Layout | None, ignore: Ignore | None) -> Contents | None:
    """The pictures that COCO's files list; None where there is no such file, or the folders are or could be classes.

    ``stated`` is ``data.layout``, ``ignore`` is ``data.ignore``.

    Raises:
        AssayError: a file cannot be read, files have different categories, a picture is missing or in two splits, or
            no object has a segmentation; ``ignore`` has a number that no class has.
    """
    if stated in ("classes", "splits") or (stated is None and not in_one_place(tree.pictures)):
        return None
    files = {name: read for name in coco_files(tree.others) if (read := _read(tree, name)) is not None}
    if not files:
        return None
    listed, value_of = _categories(files)
    classes, code = code_of(listed, ignore)
    if absent := set(code.void) - {VOID}:
        raise AssayError(
            f"data.ignore: {min(absent)}, and {listed.where} numbers its classes 0 to {max(listed.values)}"
        )
    drawn, missing = _pictures(tree, files, dict(stated) if isinstance(stated, tuple) else {})
    if not any(each.objects for each in drawn):
        raise AssayError(f"{min(files)} of {tree.where} has objects without a segmentation, only boxes; masks need one")
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


def _read(tree: Tree, name: str) -> dict[str, Any] | None:
    """None of a JSON that holds something else."""
    try:
        found = json.loads(tree.read(name))
    except Exception as error:  # whatever a damaged zip or file meets
        raise AssayError(f"{name} of {tree.where} cannot be read as JSON ({error})") from error
    return found if isinstance(found, dict) and found.keys() >= _KEYS else None


def _categories(files: Mapping[str, dict[str, Any]]) -> tuple[ClassList, dict[int, int]]:
    """(the classes with the background before them; id → value)."""
    each = {name: {int(c["id"]): str(c["name"]) for c in found["categories"]} for name, found in files.items()}
    first, known = next(iter(each.items()))
    if other := next((name for name, categories in each.items() if categories != known), None):
        raise AssayError(f"{first} and {other} have different categories; expected the same ids with the same names")
    names = (BACKGROUND, *(known[number] for number in sorted(known) if known[number] != BACKGROUND))
    if not 2 <= len(names) <= MOST or len(set(names)) < len(names):
        raise AssayError(f"{first} has {len(names) - 1:,} categories, expected 1 to {MOST - 1} of different names")
    value = {number: names.index(name) for number, name in known.items()}
    return ClassList(first, names, tuple(range(len(names)))), value


def _pictures(
    tree: Tree, files: Mapping[str, dict[str, Any]], stated: Mapping[str, SplitName]
) -> tuple[list[_Drawn], list[tuple[str, str]]]:
    """(pictures in the order of their names; (name, reason) of those that are not there)."""
    by_file: dict[str, list[str]] = defaultdict(list)
    for name in tree.pictures:
        by_file[basename(name)].append(name)
    drawn: dict[str, _Drawn] = {}
    missing: list[tuple[str, str]] = []
    for file, found in files.items():
        split = _split(file, stated)
        objects = defaultdict(list)
        for each in found["annotations"]:
            if each.get("segmentation"):
                objects[each["image_id"]].append(each)
        for image in found["images"]:
            called = str(image["file_name"])
            if (place := _nearest(called, file, by_file)) is None:
                missing.append((called, f"{file} lists it, and there is no such picture"))
                continue
            if place in drawn and drawn[place].split != split:
                raise AssayError(f"{file} of {tree.where} lists {place}, which is in another split already")
            size = int(image["height"]), int(image["width"])
            drawn[place] = _Drawn(place, size, objects[image["id"]], split)
    return [drawn[name] for name in sorted(drawn)], missing


def _split(file: str, stated: Mapping[str, SplitName]) -> SplitName:
    """By the name of the file or of its folder: ``instances_val2017.json``, ``valid/_annotations.coco.json``."""
    parts = file.rsplit(".", 1)[0].split("/")
    return next((split for part in reversed(parts) if (split := stated.get(part) or split_in(part))), "train")


def _nearest(name: str, file: str, by_file: Mapping[str, list[str]]) -> str | None:
    """The picture of that name whose path ends alike, in the folder of the file if it can be."""
    found = [each for each in by_file.get(basename(name), []) if f"/{each}".endswith(f"/{name}")]
    split = split_in(file.rsplit(".", 1)[0].rpartition("/")[2]) or split_in(file.rpartition("/")[0])
    beside = [each for each in found if each.rpartition("/")[0] == file.rpartition("/")[0]]
    alike = [each for each in found if split and any(split_in(part) == split for part in each.split("/")[:-1])]
    return next(iter([*beside, *alike, *found]), None)


def _mask(drawn: _Drawn, value_of: Mapping[int, int], code: Code) -> Mask:
    mask = np.full(drawn.size, code.by_value[0], dtype=np.uint8)
    regions = [(bool(each.get("iscrowd")), region(each["segmentation"], *drawn.size), each) for each in drawn.objects]
    for is_crowd, inside, each in sorted(regions, key=lambda one: (not one[0], -int(one[1].sum()))):
        mask[inside] = VOID if is_crowd else code.by_value[value_of[each["category_id"]]]
    return mask
