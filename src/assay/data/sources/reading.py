"""Which folders of a source hold its classes, and which of its splits each of them is."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from assay.data.sources.split_names import split_called, split_in
from assay.errors import AssayError, nearest, quoted
from assay.recipe.data import Layout, SplitName


@dataclass(frozen=True)
class Part:
    """A folder with class folders in it, or that is one itself."""

    split: SplitName
    label: str | None = None
    """The class of its pictures; None: the folders in it are the classes."""


@dataclass(frozen=True)
class Folders:
    """The folders of a source by their paths, "" for the source itself."""

    children: Mapping[str, set[str]]
    direct: Counter[str]
    """Pictures directly in a folder."""
    pictures: Counter[str]
    """Pictures in a folder and below it."""

    @classmethod
    def of(cls, pictures: Collection[str], folders: Collection[str]) -> "Folders":
        """From posix paths; ``folders`` names every one, the empty ones too."""
        children: dict[str, set[str]] = defaultdict(set)
        for folder in folders:
            above, _, name = folder.rpartition("/")
            children[above].add(name)
        direct = Counter(picture.rpartition("/")[0] for picture in pictures)
        every: Counter[str] = Counter()
        for folder, number in direct.items():
            names = folder.split("/") if folder else []
            every.update({"/".join(names[:depth]): number for depth in range(len(names) + 1)})
        return cls(dict(children), direct, every)

    def below(self, folder: str) -> set[str]:
        """The names of the folders directly in a folder."""
        return self.children.get(folder, set())

    def filled(self, folder: str) -> set[str]:
        """Those of them that hold pictures."""
        return {name for name in self.below(folder) if self.pictures[join(folder, name)]}


def join(folder: str, name: str) -> str:
    """The path of what is called ``name`` in a folder."""
    return f"{folder}/{name}" if folder else name


def reading(where: str, there: Folders, stated: Layout | None) -> dict[str, Part]:
    """Folder → which part of the source it is; a single one where the source has no splits of its own.

    Raises:
        AssayError: what ``stated`` (``data.layout``) says is not there; or it is None, and the folders could be classes
            as well as parts of one set.
    """
    top = _single_top(there)
    if stated == "classes":
        return {top: Part("train")}
    if isinstance(stated, tuple):
        return {_folder(where, there, top, name): Part(split) for name, split in stated}
    parts = _splits(where, there, top, stated) or _splits_in_classes(there, top)
    if stated is None:
        _refuse_second_copy(where, there, top, parts)
    if parts or stated is None:
        parts = parts or {top: Part("train")}
        if stated is None:
            _refuse_parts_as_classes(where, there, top, parts)
        return parts
    names = sorted(there.below(top))
    raise AssayError(
        f"data.layout: splits, and {where} has no folder called train, with classes in it (found {quoted(names)}); "
        f"say which is which, as {_example(names)}"
    )


def _single_top(there: Folders) -> str:
    """The folder to go down to before anything branches: "" or for example ``cats-and-dogs``."""
    top = ""
    while len(there.below(top)) == 1 and not there.direct[top]:
        (name,) = there.below(top)
        if there.direct[join(top, name)]:
            break
        top = join(top, name)
    return top


def _splits(where: str, there: Folders, top: str, stated: Layout | None) -> dict[str, Part]:
    """The folders of ``top`` that are splits by their names; empty where they are not.

    Names that are a split's as a whole are believed; those that hold its word (``test_tube``) where what is called like
    a training split looks like one, with class folders in it and no pictures beside them.
    """
    names = there.below(top)
    whole = {name: split for name in names if (split := split_called(name))}
    if "train" in whole.values() and (len(whole) > 1 or whole.keys() == names):
        train = [name for name, split in whole.items() if split == "train"]
        if not any(there.filled(join(top, name)) for name in train):
            raise AssayError(f"{where} has a folder {min(train)!r} but no class folders with pictures in it")
        return _parts(there, top, whole)
    partly = {name: split for name in names if (split := split_in(name))}
    train = [join(top, name) for name, split in partly.items() if split == "train"]
    if not train or not all(there.filled(folder) and not there.direct[folder] for folder in train):
        return {}
    return _parts(there, top, partly) if stated == "splits" or len(set(partly.values())) > 1 else {}


def _parts(there: Folders, top: str, splits: Mapping[str, SplitName]) -> dict[str, Part]:
    return {_innermost(there, join(top, name), split): Part(split) for name, split in sorted(splits.items())}


def _innermost(there: Folders, folder: str, split: SplitName) -> str:
    """``seg_train/seg_train`` of ``seg_train``, where nothing else lies in it."""
    while len(there.below(folder)) == 1 and not there.direct[folder]:
        (name,) = there.below(folder)
        inner = join(folder, name)
        if not there.below(inner) or (split_in(name) != split and name != folder.rpartition("/")[2]):
            break
        folder = inner
    return folder


def _splits_in_classes(there: Folders, top: str) -> dict[str, Part]:
    """``class/train`` and ``class/test``, where every class has such folders and nothing beside them."""
    parts = {}
    for label in there.below(top):
        folder = join(top, label)
        for name in there.below(folder):
            split = split_called(name)
            if split is None or there.direct[folder]:
                return {}
            parts[join(folder, name)] = Part(split, label)
    trained = {part.label for part in parts.values() if part.split == "train"}
    return parts if trained == there.below(top) else {}


def _refuse_second_copy(where: str, there: Folders, top: str, parts: Mapping[str, Part]) -> None:
    """Raise AssayError where a folder beside the splits holds splits of the same names, as when a set was unpacked into
    itself."""
    splits = {name for name in there.below(top) if join(top, name) in parts}
    for name in sorted(there.below(top) - splits):
        twice = sorted(splits & there.filled(join(top, name)))
        if len(twice) > 1:
            outer = ", ".join(f"{split}: {parts[join(top, split)].split}" for split in twice)
            raise AssayError(
                f"{where} holds {quoted(twice)} twice, directly and in {join(top, name)!r}; remove one of them, or "
                f"have the outer ones read by data.layout: {{{outer}}} and data.on_bad_image: skip"
            )


def _folder(where: str, there: Folders, top: str, name: str) -> str:
    """A folder by its path, from ``top`` or from the source on."""
    for folder in (join(top, name), name):
        if there.pictures[folder]:
            return folder
    raise AssayError(f"data.layout: {where} has no folder {name!r} with pictures; {nearest(name, there.filled(top))}")


def _refuse_parts_as_classes(where: str, there: Folders, top: str, parts: Mapping[str, Part]) -> None:
    """Raise AssayError where the would-be classes look like parts of one set."""
    for folder in (folder for folder, part in parts.items() if part.label is None):
        names = sorted(there.filled(folder))
        if reason := _why_parts(there, {name: join(folder, name) for name in names}):
            paths = [join(folder, name).removeprefix(f"{top}/") for name in names]
            raise AssayError(
                f"{where}: the folders {quoted(paths)} could be classes, or parts of one set (splits, folds, cameras): "
                f"{reason}; say which, by data.layout: {'classes' if folder == top else 'splits'}, or by "
                f"{_example(paths)}"
            )


def _why_parts(there: Folders, folders: Mapping[str, str]) -> str | None:
    """Most of what lies in each folder is called alike in all; or one is called train and has class folders in it."""
    inside = {name: there.filled(folder) for name, folder in folders.items()}
    common = sorted(set.intersection(*inside.values())) if len(inside) > 1 else []
    direct = sum(there.direct[folder] for folder in folders.values())
    nested = sum(there.pictures[folder] for folder in folders.values()) - direct
    if len(common) > 1 and 2 * len(common) >= len(set.union(*inside.values())) and nested > direct:
        return f"in each lie {quoted(common)}"
    for name, folder in folders.items():
        if split_called(name) == "train" and len(inside[name]) > 1 and not there.direct[folder] and len(inside) > 1:
            return f"in {name!r} lie {quoted(sorted(inside[name]))}"
    return None


def _example(names: list[str]) -> str:
    """``data.layout: {fold_0: train, fold_2: test}``."""
    return f"data.layout: {{{names[0]}: train, {names[-1]}: test}}"
