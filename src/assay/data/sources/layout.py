"""Which class and which split a picture belongs to, told from the folders around it.

``class/…``, or ``train/class/…`` and ``test/class/…``, or ``class/train/…`` and ``class/test/…``; all may lie below one
single top folder, and a split in a folder of its own name (``seg_train/seg_train/class/…``). Folders within a class
folder belong to that class. ``reading`` tells the folders apart.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from assay.data.sources.alike import alike, hardly_differ
from assay.data.sources.reading import Folders, Part, join, reading
from assay.errors import AssayError, quoted
from assay.recipe.data import Layout, SplitName


@dataclass(frozen=True)
class Placed:
    """A picture's name inside its source, its class, and its split; of a source without splits, ``train``."""

    name: str
    label: str
    split: SplitName


@dataclass(frozen=True)
class Laid:
    """Every picture's place, in the order of the names."""

    classes: list[str]
    placed: list[Placed]
    misplaced: list[tuple[str, str]]
    """(name, reason) of the pictures that lie in no class."""


def layout(where: str, pictures: Collection[str], folders: Collection[str], stated: Layout | None = None) -> Laid:
    """Place all ``pictures`` (posix paths, at least one) by their folders; ``folders`` names also the empty ones.

    ``stated`` is how the folders are to be read, ``data.layout``; None: by their names.

    Raises:
        AssayError: no class or only one, a class folder without a picture, a class with test pictures and none to
            train on, folders that could be classes or parts of one set, or classes whose names hardly differ.
    """
    there = Folders.of(pictures, folders)
    parts = reading(where, there, stated)
    placed: list[Placed] = []
    misplaced: list[tuple[str, str]] = []
    for name in sorted(pictures):
        found = _place(name, parts)
        if isinstance(found, Placed):
            placed.append(found)
        else:
            misplaced.append((name, found))
    if not placed:
        raise AssayError(
            f"{where} has pictures but no class folders around them (expected class/picture, or images/ and masks/ "
            "with files of equal names, or with data.layout masks a mask beside each picture, as a.jpg and a_mask.png)"
        )
    classes = sorted({p.label for p in placed})
    if stated is None:
        _check_names(where, classes, parts)
    _check_classes(where, placed, classes, _class_folders(there, parts))
    return Laid(classes, placed, misplaced)


def _place(name: str, parts: dict[str, Part]) -> Placed | str:
    """The picture by the innermost part that it lies in, or why it has no place."""
    folders = name.split("/")[:-1]
    for depth in range(len(folders), -1, -1):
        part = parts.get("/".join(folders[:depth]))
        if part is None:
            continue
        if part.label is None and depth == len(folders):
            return "lies in no class folder"
        return Placed(name, part.label or folders[depth], part.split)
    return "lies in neither the train nor the test folder"


def _class_folders(there: Folders, parts: dict[str, Part]) -> Iterator[tuple[str, str]]:
    """(folder, class) of every class folder, with pictures in it or without."""
    for folder, part in parts.items():
        if part.label is not None:
            yield folder, part.label
        else:
            yield from ((join(folder, name), name) for name in sorted(there.below(folder)))


def _check_names(where: str, classes: list[str], parts: dict[str, Part]) -> None:
    if families := alike(classes):
        are = "classes" if len(parts) == 1 else "splits"
        raise AssayError(
            f"{where}: the classes {hardly_differ(families)}; rename the folders, or set data.layout: {are} "
            "if they are different classes"
        )


def _check_classes(where: str, placed: list[Placed], classes: list[str], folders: Iterable[tuple[str, str]]) -> None:
    if empty := [folder for folder, name in folders if name not in classes]:
        raise AssayError(f"class folder {quoted(empty)} of {where} has no picture")
    train = {p.label for p in placed if p.split != "test"}
    if untrained := [name for name in classes if name not in train]:
        raise AssayError(f"class {quoted(untrained)} of {where} has test pictures but none to train on")
    if len(classes) < 2:
        raise AssayError(f"{where} has only one class, {classes[0]!r}; at least two are needed")
