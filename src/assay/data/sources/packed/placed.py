"""Cells → boxes or masks, by the ways in which folders have them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from assay.data.boxes import CROWD, DIFFICULT
from assay.data.images import Contents
from assay.data.mask_files import MaskFiles
from assay.data.own_masks import VOID, Mask
from assay.data.sources.box_rows import Box, Told, box_contents
from assay.data.sources.class_list import ClassList
from assay.data.sources.ignored import code_of
from assay.data.sources.mask_pictures import Code, opened, read_mask
from assay.data.sources.mask_values import by_values, refuse_absent, values_of
from assay.data.sources.packed.features import BOX, CATEGORIES
from assay.data.sources.packed.rows import Packed
from assay.data.sources.packed.splits import Splits
from assay.data.sources.packed.truth import Rows, classes_of
from assay.data.sources.tree import Tree
from assay.errors import AssayError
from assay.recipe.data import Ignore

_MASK = ", mask"
_LOOKED_AT = 32


def tree_of(packed: Packed, identity: list[Any], image: str, names: Sequence[str], rows: Rows) -> Tree:
    """The pictures as a folder would have them."""
    row = dict(zip(names, rows.tolist(), strict=True))
    return Tree(
        packed.where, identity, list(names), [], [], lambda name: b"", lambda name: packed.picture(image, row[name])
    )


def boxes(packed: Packed, column: str, tree: Tree, names: list[str], rows: Rows, splits: Splits) -> Contents:
    """The pictures with the boxes of a column of objects. AssayError where an object has no class."""
    cells, known = packed.cells(column), packed.columns[column].names
    objects = [_objects(cells[row]) for row in rows]
    labels = [[_label(each, known) for each in own] for own in objects]
    if bad := [name for name, own in zip(names, labels, strict=True) if None in own]:
        packed.refuse(column, "an object without a class", f"a class as {', '.join(CATEGORIES)}", bad)
    classes = list(known) or classes_of({str(label) for own in labels for label in own}, ())
    if not classes:
        raise AssayError(f"{packed.where}, column {column!r} has no box anywhere")
    told = [
        Told(name, split, f"column {column!r}", [_box(k, *each) for k, each in enumerate(zip(own, said, strict=True))])
        for name, split, own, said in zip(names, splits.tolist(), objects, labels, strict=True)
    ]
    return box_contents(tree, classes, told, [], 0)


def _objects(cell: Any) -> list[Mapping[str, Any]]:
    """Those of a row, a list of them or lists side by side."""
    if cell is None:
        return []
    if isinstance(cell, Mapping):
        return [dict(zip(cell, each, strict=True)) for each in zip(*cell.values(), strict=True)]
    return list(cell)


def _label(each: Mapping[str, Any], known: Sequence[str]) -> str | None:
    found = next((each[key] for key in CATEGORIES if each.get(key) is not None), None)
    if known and isinstance(found, int):
        return known[found] if 0 <= found < len(known) else None
    return None if found is None else str(found)


def _box(k: int, each: Mapping[str, Any], label: str | None) -> Box:
    edges = [float("nan") if value is None else float(value) for value in each.get(BOX) or ()]
    x, y, width, height = edges if len(edges) == 4 else [float("nan")] * 4
    flag = CROWD if each.get("iscrowd") or each.get("is_crowd") else DIFFICULT if each.get("difficult") else 0
    return Box(f"object {k}", str(label), (x, y, x + width, y + height), flag)


def masks(
    packed: Packed, column: str, pictures: Tree, names: list[str], rows: Rows, splits: Splits, ignore: Ignore | None
) -> Contents:
    """The pictures with the masks of another column of pictures: each value that occurs is a class, 255 void unless
    nothing but it and 0 is there. AssayError as of folders of masks, without ``classes.txt``."""
    called = [name + _MASK for name in names]
    tree = tree_of(packed, [*pictures.identity, column], column, called, rows)
    classes, code = code_of(_listed(tree, called), ignore)
    refuse_absent(tree, called, code.void)
    return Contents(
        classes=classes,
        names=names,
        targets=MaskFiles(lambda i: _mask(tree, called[i], code), len(names)),
        is_test=splits == "test",
        is_validation=splits == "validation",
        image=lambda i: _opened(pictures, names[i]),
    )


def _opened(tree: Tree, name: str) -> Image.Image:
    return tree.image(name)


def _listed(tree: Tree, called: Sequence[str]) -> ClassList:
    few = np.unique(np.linspace(0, len(called) - 1, _LOOKED_AT).astype(int))
    seen: set[int] = set()
    for k in few:
        try:
            seen |= values_of(tree, called[k]) or set()
        except ValueError:
            continue
    if seen == {0, VOID}:
        return ClassList(f"the masks of {tree.where}", ("0", str(VOID)), (0, VOID))
    return by_values(tree, called)


def _mask(tree: Tree, name: str, code: Code) -> Mask:
    with opened(tree, name) as image:
        return read_mask(image, name, code)
