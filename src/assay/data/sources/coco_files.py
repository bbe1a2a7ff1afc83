"""COCO's JSON files: which there are, and the pictures, categories and objects that they list."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from posixpath import basename
from typing import Any

from assay.data.geometry import Size
from assay.data.sources.json_numbers import is_finite
from assay.data.sources.split_names import split_in
from assay.data.sources.tree import Tree
from assay.errors import AssayError, shown
from assay.recipe.data import SplitName

_LISTS = {"images": ("id", "file_name"), "annotations": ("image_id", "category_id"), "categories": ("id", "name")}
"""What a file has lists of → what each in it must have."""


@dataclass(frozen=True)
class Listed:
    """A picture and its objects."""

    name: str
    file: str
    split: SplitName
    size: Size | None
    """Height and width, where the file says them."""
    objects: list[Mapping[str, Any]]


def coco_files(others: Collection[str]) -> list[str]:
    """Those that are called as COCO calls its objects: ``instances_val2017.json``, ``_annotations.coco.json``, or any
    JSON in a folder ``annotations``; only the first kind where there is one, for key points and captions lie beside."""
    found = []
    for name in sorted(others):
        folder, _, file = name.lower().rpartition("/")
        if file.endswith(".json") and (
            "instances" in file or "coco" in file or "annotations" in (basename(folder), file.removesuffix(".json"))
        ):
            found.append(name)
    return [name for name in found if "instances" in basename(name).lower()] or found


def read_files(tree: Tree, under_any_name: bool = False) -> dict[str, dict[str, Any]]:
    """COCO's files by their names; a JSON that holds something else is passed over. ``under_any_name``: where none is
    called as COCO's are, any JSON that lies there may be one.

    Raises:
        AssayError: one cannot be read, lacks what COCO has, or has one id twice; or they have different categories.
    """
    named = coco_files(tree.others)
    others = [name for name in sorted(tree.others) if name.lower().endswith(".json")] if under_any_name else []
    each = {name: _read(tree, name, bool(named)) for name in named or others}
    files = {name: read for name, read in each.items() if read is not None}
    for name, found in files.items():
        for key, needed in _LISTS.items():
            _check(f"{name} of {tree.where}", key, found[key], needed)
    known = {name: categories(found) for name, found in files.items()}
    first = next(iter(known), "")
    if other := next((name for name, those in known.items() if those != known[first]), None):
        raise AssayError(f"{first} and {other} have different categories; expected the same ids with the same names")
    return files


def categories(found: Mapping[str, Any]) -> dict[Any, str]:
    """Id → name of the categories in a file, by their ids, which may have holes."""
    in_order = sorted(found["categories"], key=lambda each: (isinstance(each["id"], str), each["id"]))
    return {each["id"]: str(each["name"]) for each in in_order}


def is_crowd(each: Mapping[str, Any], place: str) -> bool:
    """Whether an object stands for many. Raises ValueError for what is neither 0 nor 1."""
    found = each.get("iscrowd") or 0
    if found not in (0, 1):
        raise ValueError(f"{place} has the iscrowd {shown(found)}, expected 0 or 1")
    return bool(found)


def pictures(
    tree: Tree,
    files: Mapping[str, dict[str, Any]],
    stated: Mapping[str, SplitName],
    wanted: Callable[[Mapping[str, Any]], bool],
) -> tuple[list[Listed], list[tuple[str, str]]]:
    """(pictures in the order of their names, with the objects that are ``wanted``; (name, reason) of those that are
    not there, and of objects without a picture).

    ``stated`` says of files or their folders which split they are. Raises AssayError for a picture that is listed
    twice.
    """
    by_file: dict[str, list[str]] = defaultdict(list)
    for name in tree.pictures:
        by_file[basename(name)].append(name)
    listed: dict[str, Listed] = {}
    missing: list[tuple[str, str]] = []
    for file, found in files.items():
        split = _split(file, stated)
        objects, strays = _by_picture(file, found, wanted)
        missing += strays
        for image in found["images"]:
            called = _plain(str(image["file_name"]))
            if (place := _nearest(called, file, by_file)) is None:
                missing.append((called, f"{file} lists it, and there is no such picture"))
                continue
            if place in listed:
                again = "in another split already" if listed[place].split != split else "listed already"
                raise AssayError(f"{file} of {tree.where} lists {place}, which is {again}")
            listed[place] = Listed(place, file, split, _size(image), objects[image["id"]])
    return [listed[name] for name in sorted(listed)], missing


def _read(tree: Tree, name: str, is_named: bool) -> dict[str, Any] | None:
    """None of a JSON that holds something else, or cannot be read and has another name than COCO's."""
    try:
        found = json.loads(tree.read(name))
    except Exception as error:  # whatever a damaged zip or file meets
        if not is_named:
            return None
        raise AssayError(f"{name} of {tree.where} cannot be read as JSON ({error})") from error
    lists = {key: found[key] for key in _LISTS if isinstance(found.get(key), list)} if isinstance(found, dict) else {}
    if "categories" not in lists and any(
        isinstance(each, dict) and "bbox" in each for each in lists.get("annotations", ())
    ):
        raise AssayError(f"{name} of {tree.where} has boxes, and no list of categories that names their classes")
    if "images" in lists and (odd := next((key for key in _LISTS if key in found and key not in lists), None)):
        raise AssayError(f"{name} of {tree.where}: {odd} is {shown(found[odd])}, expected a list")
    return found if len(lists) == len(_LISTS) else None


def _check(where: str, key: str, each: Iterable[Any], needed: tuple[str, ...]) -> None:
    for place, one in enumerate(each):
        for name in needed:
            if not isinstance(one, dict) or not isinstance(one.get(name), int | str):
                raise AssayError(f"{where}: {key}[{place}] has no {name} that is a whole number or a text")
    ids = Counter(str(one["id"]) for one in each if "id" in one)
    if twice := next((number for number, times in ids.items() if times > 1), None):
        raise AssayError(f"{where} has the id {twice} twice among its {key}")


def _by_picture(
    file: str, found: Mapping[str, Any], wanted: Callable[[Mapping[str, Any]], bool]
) -> tuple[dict[Any, list[Mapping[str, Any]]], list[tuple[str, str]]]:
    """(image id → its objects; (name, reason) of those of no image)."""
    known, objects = {image["id"] for image in found["images"]}, defaultdict(list)
    strays = []
    for place, each in enumerate(found["annotations"]):
        if each["image_id"] not in known:
            strays.append((f"annotations[{place}]", f"{file} has no image {each['image_id']!r}, of which it is"))
        elif wanted(each):
            objects[each["image_id"]].append(each)
    return objects, strays


def _size(image: Mapping[str, Any]) -> Size | None:
    """None where it is missing, 0 or no number."""
    height, width = image.get("height", 0), image.get("width", 0)
    is_size = is_finite(height) and is_finite(width) and height >= 1 and width >= 1
    return (int(height), int(width)) if is_size else None


def _split(file: str, stated: Mapping[str, SplitName]) -> SplitName:
    """By the name of the file or of its folder: ``instances_val2017.json``, ``valid/_annotations.coco.json``."""
    parts = file.rsplit(".", 1)[0].split("/")
    return next((split for part in reversed(parts) if (split := stated.get(part) or split_in(part))), "train")


def _plain(path: str) -> str:
    """A path from another machine without what leads out of its folder."""
    return "/".join(part for part in path.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def _nearest(name: str, file: str, by_file: Mapping[str, list[str]]) -> str | None:
    """The picture of that name whose path ends alike, in the folder of the file if it can be."""
    found = [each for each in by_file.get(basename(name), []) if f"/{each}".endswith(f"/{name}")]
    split = split_in(file.rsplit(".", 1)[0].rpartition("/")[2]) or split_in(file.rpartition("/")[0])
    beside = [each for each in found if each.rpartition("/")[0] == file.rpartition("/")[0]]
    alike = [each for each in found if split and any(split_in(part) == split for part in each.split("/")[:-1])]
    return next(iter([*beside, *alike, *found]), None)
