"""A source in columns, by the keys of ``data``: which column has the pictures, which tells what is true of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from assay.data.images import Contents, Source
from assay.data.sources.packed.placed import boxes, masks, tree_of
from assay.data.sources.packed.rows import Packed, Place
from assay.data.sources.packed.splits import splits
from assay.data.sources.packed.truth import Rows, column_tags, listed_tags, numbers, told
from assay.data.targets import Targets
from assay.errors import AssayError, quoted
from assay.recipe import Data
from assay.recipe.packed import packed

IMAGES = ("image", "img", "picture", "photo", "pixel_values", "jpg", "png")
LABELS = ("label", "labels", "class", "cls", "category", "target", "fine_label", "species", "breed", "txt", "json")
MASKS = ("mask", "segmentation_mask", "segmentation", "annotation", "seg", "semantic_segmentation", "label", "labels")
"""Usual names: the first that is there, unless the study says which."""
_READ = 1
"""Counts the ways in which columns have been read."""
_KEYS = {"image", "label", "targets", "tags", "split", "ignore", "truth"}


def packed_source(data: Data, root: Path) -> Source:
    """The source in columns that ``data.source`` names, read as ``data`` says.

    Raises:
        AssayError: it is not there, is damaged, or what reads it is not installed.
    """
    place = _place(data.source, root)
    stated = data.model_dump(mode="json", include=_KEYS)
    identity = ["packed", _READ, place.identity, stated]
    return Source(place.where, identity, lambda: _contents(place.rows(), data, identity))


def _place(source: str, root: Path) -> Place:
    found = packed(source)
    assert found is not None
    form, where = found
    if form == "hf":
        from assay.data.sources.packed.hugging_face import hugging_face

        return hugging_face(where, root)
    if form == "parquet":
        from assay.data.sources.packed.parquet import parquet

        return parquet(where, root)
    from assay.data.sources.packed.webdataset import webdataset

    return webdataset(where, root)


def _contents(packed: Packed, data: Data, identity: list[object]) -> Contents:
    image = _image(packed, data.image)
    split = splits(packed, data)
    rows = np.flatnonzero(split != "")
    names = [name for name, there in zip(_names(packed, image), split != "", strict=True) if there]
    split = split[rows]
    column = None if data.targets or data.tags else _truth(packed, data, image)
    kind = None if column is None else packed.columns[column].kind
    if column is not None and kind in ("picture", "objects"):
        tree = tree_of(packed, identity, image, names, rows)
        if kind == "objects":
            return boxes(packed, column, tree, names, rows, split)
        return masks(packed, column, tree, names, rows, split, data.ignore)
    if data.ignore is not None:
        raise AssayError(f"data.ignore names classes of masks, and {packed.where} is read for no masks")
    classes, targets = _targets(packed, data, column, rows, names)
    return Contents(
        classes=classes,
        names=names,
        targets=targets,
        is_test=split == "test",
        is_validation=split == "validation",
        image=lambda i: packed.picture(image, int(rows[i])),
    )


def _targets(packed: Packed, data: Data, column: str | None, rows: Rows, names: list[str]) -> tuple[list[str], Targets]:
    """(classes or names of numbers, what is true of each row) of columns that hold neither masks nor boxes."""
    if column is not None:
        return told(packed, column, rows, names)
    if data.targets is not None:
        _check(packed, data.targets, "targets")
        return numbers(packed, data.targets, rows, names)
    assert data.tags is not None
    if isinstance(data.tags, str):
        _check(packed, [data.tags], "tags")
        return listed_tags(packed, data.tags, rows, names)
    _check(packed, data.tags, "tags")
    return column_tags(packed, data.tags, rows, names)


def _check(packed: Packed, columns: Sequence[str], key: str) -> None:
    for column in columns:
        packed.column(column, key)


def _image(packed: Packed, stated: str | None) -> str:
    pictures = packed.of_kind("picture")
    if stated is not None:
        if packed.column(stated, "image").kind != "picture":
            has = f"those that have are {quoted(pictures)}" if pictures else "no column has"
            raise AssayError(f"data.image: column {stated!r} of {packed.where} has no pictures; {has}")
        return stated
    if not pictures:
        raise AssayError(f"{packed.where} has no column of pictures; its columns are {quoted(list(packed.columns))}")
    usual = [name for name in IMAGES if name in pictures]
    others = [name for name in pictures if name not in MASKS]
    if not usual and len(others) != 1:
        raise AssayError(f"data.image is missing: {packed.where} has pictures in {quoted(pictures)}; say which")
    return (usual or others)[0]


def _truth(packed: Packed, data: Data, image: str) -> str:
    """The column that tells what is true: named, of objects where boxes are asked for, usual, or the only one."""
    if data.label is not None:
        packed.column(data.label, "label")
        if data.truth == "boxes" and packed.columns[data.label].kind != "objects":
            raise AssayError(f"data.label: column {data.label!r} of {packed.where} has no boxes; {_objects(packed)}")
        return data.label
    if data.truth == "boxes":
        if not (found := packed.of_kind("objects")):
            raise AssayError(f"{packed.where} has no boxes: {_objects(packed)}")
        return found[0]
    pictures = [name for name in packed.of_kind("picture") if name != image]
    named = [name for name, column in packed.columns.items() if column.kind == "class" and column.names]
    usual = [name for name in LABELS if name in packed.columns and name not in pictures]
    for found in (usual, named if len(named) == 1 else [], [name for name in MASKS if name in pictures]):
        if found:
            return found[0]
    if objects := packed.of_kind("objects"):
        return objects[0]
    others = [name for name in packed.columns if name != image]
    raise AssayError(
        f"data.label is missing: {packed.where} has none of the usual columns {', '.join(LABELS)}; say which of its "
        f"columns tells what is true of a picture: {quoted(others) if others else 'it has no other than the pictures'}"
    )


def _objects(packed: Packed) -> str:
    there = packed.of_kind("objects")
    return f"columns of objects are {quoted(there)}" if there else "no column has objects with bbox and category"


def _names(packed: Packed, image: str) -> list[str]:
    """``train/00017/dog.3.jpg``: part, row from 0, and what the picture was called as a file, where that is known."""
    places = [f"{part}/{k:05d}" for part, n in packed.parts.items() for k in range(n)]
    files = packed.files(image)
    return [f"{place}/{file}" if file else place for place, file in zip(places, files, strict=True)]
