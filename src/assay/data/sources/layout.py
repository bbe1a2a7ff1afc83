"""Which class and which split a picture belongs to, told from the names of the folders around it.

``class/…``, or ``train/class/…`` and ``test/class/…``; all may lie below one single top folder. ``val``, ``valid`` or
``validation`` beside ``train`` counts as training images: what validates is the recipe's to say. Folders within a
class folder belong to that class.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from assay.errors import AssayError

TRAIN = {"train", "training"}
VALIDATION = {"val", "valid", "validation"}
TEST = {"test", "testing"}


@dataclass(frozen=True)
class Placed:
    """A picture's name inside its source, its class, and whether it is in the source's test split."""

    name: str
    label: str
    is_test: bool


@dataclass(frozen=True)
class Layout:
    """Every picture's place, in the order of the names."""

    classes: list[str]
    placed: list[Placed]
    misplaced: list[tuple[str, str]]
    """(name, reason) of the pictures that lie in no class."""


def layout(where: str, pictures: Collection[str], folders: Collection[str]) -> Layout:
    """Place all ``pictures`` (posix paths, at least one) by their folders; ``folders`` names also the empty ones.

    Raises:
        AssayError: no class or only one, a class folder without a picture or a class without any to
            train on.
    """
    top = _single_top(pictures, folders)
    splits = _splits(where, pictures, folders, top)
    depth = len(top) + bool(splits)
    placed: list[Placed] = []
    misplaced: list[tuple[str, str]] = []
    for name in sorted(pictures):
        parts = name.split("/")
        if splits and parts[len(top)] not in splits:
            misplaced.append((name, "lies in neither the train nor the test folder"))
        elif len(parts) < depth + 2:
            misplaced.append((name, "lies in no class folder"))
        else:
            placed.append(Placed(name, parts[depth], bool(splits) and parts[len(top)].lower() in TEST))
    if not placed:
        raise AssayError(f"{where} has pictures but no class folders around them (expected class/picture)")
    classes = sorted({p.label for p in placed})
    _check_classes(where, placed, classes, _class_folders(folders, top, splits))
    return Layout(classes, placed, misplaced)


def _single_top(pictures: Collection[str], folders: Collection[str]) -> list[str]:
    """The folders to go down before anything branches: ``[]`` or for example ``["cats-and-dogs"]``."""
    top: list[str] = []
    shallowest = min(name.count("/") for name in pictures)
    while True:
        names = _below(folders, top)
        if len(names) != 1 or shallowest <= len(top) + 1 or {n.lower() for n in names} & TRAIN:
            return top
        top = [*top, *names]


def _splits(where: str, pictures: Collection[str], folders: Collection[str], top: list[str]) -> set[str]:
    """The split folders below ``top``; empty when the folders there are classes."""
    names = _below(folders, top)
    found = {name for name in names if name.lower() in TRAIN | VALIDATION | TEST}
    train = {name for name in found if name.lower() in TRAIN}
    if not train or (len(found) == 1 and found != names):
        return set()
    paths = (p.split("/") for p in pictures)
    if not any(parts[len(top)] in train and len(parts) >= len(top) + 3 for parts in paths):
        raise AssayError(f"{where} has a folder {min(train)!r} but no class folders with pictures in it")
    return found


def _below(folders: Collection[str], top: list[str]) -> set[str]:
    """The names of the folders directly below ``top``."""
    parts = (folder.split("/") for folder in folders)
    return {p[-1] for p in parts if len(p) == len(top) + 1 and p[:-1] == top}


def _class_folders(folders: Collection[str], top: list[str], splits: set[str]) -> Iterator[tuple[str, str]]:
    """(folder, class) of every class folder, with pictures in it or without."""
    for folder in sorted(folders):
        parts = folder.split("/")
        if len(parts) == len(top) + bool(splits) + 1 and (not splits or parts[len(top)] in splits):
            yield folder, parts[-1]


def _check_classes(where: str, placed: list[Placed], classes: list[str], folders: Iterator[tuple[str, str]]) -> None:
    for folder, name in folders:
        if name not in classes:
            raise AssayError(f"class folder {folder!r} of {where} has no picture")
    train = {p.label for p in placed if not p.is_test}
    for name in classes:
        if name not in train:
            raise AssayError(f"class {name!r} of {where} has test pictures but none to train on")
    if len(classes) < 2:
        raise AssayError(f"{where} has only one class, {classes[0]!r}; at least two are needed")
