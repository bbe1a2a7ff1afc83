"""COCO's panoptic JSON: the segments of a picture are numbered by the colours of a PNG → a mask for each picture.

The PNG files lie in a folder that is called as the JSON (``panoptic_val2017``). What is of no segment is void.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from posixpath import basename, dirname
from typing import Any

import numpy as np

from assay.data.images import Contents
from assay.data.mask_files import MaskFiles
from assay.data.own_masks import VOID, Mask
from assay.data.sources.class_list import MOST, ClassList
from assay.data.sources.coco_files import Listed, categories, pictures
from assay.data.sources.ignored import code_of, refuse_unnumbered
from assay.data.sources.mask_pictures import Code, opened, raw
from assay.data.sources.tree import Tree
from assay.errors import AssayError
from assay.recipe.data import Ignore, Layout


def panoptic_files(others: Collection[str]) -> list[str]:
    """Those that are called so: ``annotations/panoptic_val2017.json``."""
    return [name for name in sorted(others) if name.lower().endswith(".json") and "panoptic" in basename(name).lower()]


def panoptic_contents(tree: Tree, stated: Layout | None, ignore: Ignore | None) -> Contents | None:
    """The pictures that panoptic files list; None where no such file has its PNG files, or folders are classes.

    Raises:
        AssayError: a file cannot be read or has other categories than the first, or as ``pictures`` and ``code_of``.
    """
    masks = {name: place for name in panoptic_files(tree.others) if (place := _masks_of(tree, name))}
    if not masks or stated in ("classes", "splits"):
        return None
    files = {name: _read(tree, name) for name in masks}
    listed, value_of = _classes(files)
    drawn_in = {place for each in masks.values() for place in each.values()}
    photographs = replace(tree, pictures=[name for name in tree.pictures if name not in drawn_in])
    splits = dict(stated) if isinstance(stated, tuple) else {}
    drawn, missing = pictures(photographs, files, splits, lambda each: str(each["file_name"]) in masks[each["file"]])
    there = [each for each in drawn if each.objects]
    classes, code = code_of(listed, ignore)
    refuse_unnumbered(listed, code)
    return Contents(
        classes=classes,
        names=[each.name for each in there],
        targets=MaskFiles(lambda i: _mask(tree, there[i], masks, value_of, code), len(there)),
        is_test=np.array([each.split == "test" for each in there], dtype=bool),
        is_validation=np.array([each.split == "validation" for each in there], dtype=bool),
        image=lambda i: tree.image(there[i].name),
        misplaced=missing + [(each.name, f"{each.file} has no PNG of it") for each in drawn if not each.objects],
        unlisted=len(photographs.pictures) - len(drawn),
    )


def _masks_of(tree: Tree, file: str) -> dict[str, str]:
    """Name of a PNG in a panoptic file → its place."""
    folder = basename(file).rpartition(".")[0]
    return {basename(name): name for name in tree.pictures if basename(dirname(name)) == folder}


def _read(tree: Tree, name: str) -> dict[str, Any]:
    try:
        found = json.loads(tree.read(name))
        known = list(categories(found).items())
        each = [{"image_id": a["image_id"], "file_name": a["file_name"], "file": name, "segments": dict(_of(a))}
                for a in found["annotations"]]  # fmt: skip
        images = [{"id": image["id"], "file_name": image["file_name"]} for image in found["images"]]
    except Exception as error:  # whatever a damaged file meets
        reason = f"{type(error).__name__}: {error}"
        raise AssayError(f"{name} of {tree.where} cannot be read as COCO's panoptic JSON ({reason})") from error
    return {"categories": known, "annotations": each, "images": images}


def _of(annotation: Mapping[str, Any]) -> Iterator[tuple[int, Any]]:
    """(number of a segment, id of its category)."""
    for segment in annotation["segments_info"]:
        yield segment["id"], segment["category_id"]


def _classes(files: Mapping[str, dict[str, Any]]) -> tuple[ClassList, dict[Any, int]]:
    """(the classes in the order of their ids; id → value)."""
    first, found = next(iter(files.items()))
    known = found["categories"]
    if other := next((name for name, each in files.items() if each["categories"] != known), None):
        raise AssayError(f"{first} and {other} have different categories; expected the same ids with the same names")
    names = tuple(name for _, name in known)
    if not 2 <= len(names) <= MOST or len(set(names)) < len(names):
        raise AssayError(f"{first} has {len(names):,} categories, expected 2 to {MOST} of different names")
    return ClassList(first, names, tuple(range(len(names)))), {key: k for k, (key, _) in enumerate(known)}


def _mask(
    tree: Tree, drawn: Listed, masks: Mapping[str, Mapping[str, str]], value_of: Mapping[Any, int], code: Code
) -> Mask:
    annotation = drawn.objects[0]
    place = masks[drawn.file][str(annotation["file_name"])]
    with opened(tree, place) as image:
        colours, _ = raw(image, place)
    if colours.ndim != 3:
        raise ValueError(f"{place} is no picture of colours, whose red + 256·green + 65,536·blue number the segments")
    numbers, inverse = np.unique(colours.astype(np.int64) @ (1, 256, 65_536), return_inverse=True)
    segments = annotation["segments"]
    known = {0, *(number for number, category in segments.items() if category in value_of)}
    if strange := [number for number in numbers.tolist() if number not in known]:
        raise ValueError(f"{place} has segment {strange[0]}, which {drawn.file} lists under no category")
    of_number = [code.by_value[value_of[segments[n]]] if n else VOID for n in numbers.tolist()]
    return np.array(of_number, np.uint8)[inverse].reshape(colours.shape[:2])
