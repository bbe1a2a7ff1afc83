"""What values the masks of a set hold, where no list of classes says so, or one that can be read in two ways."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from assay.data.publish import entry_folder, make, touch
from assay.data.sources.class_list import ClassList
from assay.data.sources.mask_pictures import opened, raw
from assay.data.sources.tree import Tree
from assay.data.targets import VOID
from assay.errors import AssayError, enumerated

_VERSION = 1
_MOST = 64
"""More values than this, or higher ones beside 255, are no classes that a list would not name."""
_LOOKED_AT = 32
"""Masks that are looked at to see which values all hold."""
_HOW = "name the classes in a file classes.txt beside the folders, in lines 'index name' or 'index name R G B'"


def settled(tree: Tree, masks: Sequence[str], listed: ClassList | None) -> ClassList | None:
    """The list of classes, without its colours where these are gray and the masks hold its values.

    Raises:
        AssayError: the masks hold 0 and 255 and nothing else, and nothing says what they are: then 255 is hardly void.
    """
    if listed is not None and VOID in listed.values:
        return listed
    few = np.unique(np.linspace(0, len(masks) - 1, _LOOKED_AT).astype(int))
    seen = set().union(*(_values_or_reason(tree, masks[i])[0] or () for i in few))
    if listed is not None and listed.has_grays:
        grays = {colour[0] for colour in listed.colours or ()}
        return listed if seen <= grays else replace(listed, colours=None)
    if seen == {0, VOID}:
        raise AssayError(
            f"the masks of {tree.where} hold 0 and 255 only, as {masks[0]}: say which class is which in a file "
            "classes.txt beside the folders, with the lines '0 background' and '255 nucleus' for example (255 means "
            "void where no class has it)"
        )
    return listed


def by_values(tree: Tree, masks: Sequence[str]) -> ClassList:
    """A class for each value that occurs in any mask but 255, called by its number. Every mask is read, once for all
    time: what they hold is kept in the cache.

    Raises:
        AssayError: a mask holds colours, or the values are fewer than two or more than 64, with the reason why the
            first mask of those that cannot be read is none; or 255 stands beside others that are as high as levels
            of gray, so that it is hardly void.
    """
    folder = entry_folder("masks", json.dumps([_VERSION, tree.identity, list(masks)]))
    seen, reasons = _kept(folder) or make(folder, lambda place: _keep(place, *_held(tree, masks)), _kept)
    values = sorted(seen - {VOID})
    if len(values) < 2:
        hold = f"hold the value {enumerated([str(value) for value in sorted(seen)])} only" if seen else "cannot be read"
        unread = f"; {len(reasons):,} of {len(masks):,} cannot be read: {reasons[0]}" if reasons else ""
        raise AssayError(f"the masks of {tree.where} {hold}; expected two classes at least{unread}")
    if VOID in seen and values[-1] > _MOST:
        raise AssayError(
            f"the masks of {tree.where} hold 255, which is void, beside {enumerated(list(map(str, values)), 8)}: "
            f"levels of gray, as after a smooth resize, or a class of which 255 is the colour? {_HOW}"
        )
    return ClassList(f"the masks of {tree.where}", tuple(map(str, values)), tuple(values))


def _held(tree: Tree, masks: Sequence[str]) -> tuple[set[int], list[str]]:
    """The values in any mask, and why some cannot be read."""
    seen: set[int] = set()
    reasons: list[str] = []
    for name in masks:
        new, reason = _values_or_reason(tree, name)
        if new is None:
            raise AssayError(f"{name} is a mask of colours, and nothing says what they mean; {_HOW}")
        seen |= new
        reasons += [reason] if reason else []
        if len(seen) > _MOST:
            raise AssayError(
                f"the masks of {tree.where} hold more than {_MOST} values, the last of them in {name}: levels of gray, "
                f"or so many classes? {_HOW}"
            )
    return seen, reasons


def _keep(folder: Path, seen: set[int], reasons: list[str]) -> None:
    (folder / "held.json").write_text(json.dumps([sorted(seen), reasons]), encoding="utf-8")


def _kept(folder: Path) -> tuple[set[int], list[str]] | None:
    touch(folder)
    try:
        seen, reasons = json.loads((folder / "held.json").read_text(encoding="utf-8"))
        return set(seen), list(reasons)
    except (OSError, ValueError, TypeError):
        return None


def refuse_absent(tree: Tree, masks: Sequence[str], void: Sequence[int]) -> None:
    """Raise AssayError where a value of ``void``, those that ``data.ignore`` names and no class has, is in no mask."""
    absent, seen = set(void) - {VOID}, set[int]()
    for name in masks:
        if not absent:
            return
        new = _values_or_reason(tree, name)[0] or set()
        seen, absent = seen | new, absent - new
    if absent:
        there = f"they have {enumerated([str(value) for value in sorted(seen)])}" if seen else "they have colours"
        raise AssayError(f"data.ignore: {min(absent)}, and no mask of {tree.where} has that value; {there}")


def values_of(tree: Tree, name: str) -> set[int] | None:
    """The values that occur in a mask; None in one of colours. ValueError where it cannot be read."""
    with opened(tree, name) as image:
        values, _ = raw(image, name)
    if values.ndim == 3:
        if (values != values[..., :1]).any():
            return None
        values = values[..., 0]
    return set(np.flatnonzero(np.bincount(values.ravel(), minlength=VOID + 1)).tolist())


def _values_or_reason(tree: Tree, name: str) -> tuple[set[int] | None, str | None]:
    """As ``values_of``; of a mask that cannot be read nothing, and why, for that is told when it meets its picture."""
    try:
        return values_of(tree, name), None
    except ValueError as error:
        return set(), str(error)
