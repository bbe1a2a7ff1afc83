"""Pascal VOC's lists, ``ImageSets/Segmentation/train.txt`` of masks and ``ImageSets/Main/train.txt`` of boxes: which
pictures belong to the set, and to which split."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from posixpath import basename, dirname, splitext
from typing import Literal, NamedTuple

from assay.data.sources.class_list import ClassList, Colour
from assay.data.sources.mask_pairs import Pair, Paired
from assay.data.sources.tree import Tree
from assay.errors import AssayError
from assay.recipe.data import SplitName

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


def bit_colour(number: int) -> Colour:
    """Of the class of that number: its bits dealt out to red, green and blue, as in VOC's development kit."""
    red, green, blue = (
        sum((number >> (3 * place + channel) & 1) << (7 - place) for place in range(3)) for channel in range(3)
    )
    return red, green, blue


VOC = ClassList("Pascal VOC", CLASSES, tuple(range(len(CLASSES))), palette=tuple(map(bit_colour, range(len(CLASSES)))))
"""Of the years 2007 to 2012, whose archives hold no list of classes."""
_SPLITS: dict[str, SplitName] = {"train": "train", "val": "validation", "test": "test", "trainval": "train"}
Lists = Literal["Segmentation", "Main"]


def voc_lists(others: Collection[str], folder_of: Lists = "Segmentation") -> list[str]:
    """The files that list pictures, of every year that lies there; a year's ``trainval.txt`` only where neither of its
    halves has a list."""
    found = [name for name in sorted(others) if _stem(name) in _SPLITS and name.endswith(".txt")]
    found = [name for name in found if dirname(name).endswith(f"ImageSets/{folder_of}")]
    halved = {dirname(name) for name in found if _stem(name) in ("train", "val")}
    return [name for name in found if _stem(name) != "trainval" or dirname(name) not in halved]


class Listed(NamedTuple):
    """What lists say of a set."""

    found: Paired
    """The pairs that they name, with their splits."""
    absent: list[tuple[str, str]]
    """(name, reason) of what they name and is not there."""
    unlisted: int
    """How many pictures none of them names."""


def listed(tree: Tree, found: Paired, lists: Collection[str], stated: Mapping[str, SplitName]) -> Listed:
    """What the lists say of the pairs that were found.

    ``stated`` says of a list, by its name, which split it is.

    Raises:
        AssayError: a list cannot be read, or names one picture for two splits.
    """
    there = {(_year_of(pair.name, lists), _stem(pair.name)): pair for pair in found.pairs}
    pictures = {
        (_year_of(name, lists), _stem(name)) for name in (*found.unmasked, *(pair.name for pair in found.pairs))
    }
    split_of: dict[tuple[str, str], SplitName] = {}
    absent: dict[tuple[str, str], str] = {}
    for file in lists:
        split = stated.get(_stem(file), _SPLITS[_stem(file)])
        for name in _names(tree, file):
            if split_of.setdefault((_year(file), name), split) != split:
                was = split_of[_year(file), name]
                raise AssayError(f"{file} of {tree.where} lists {name!r}, which is in the {was} split already")
            if (_year(file), name) not in pictures:
                absent[_year(file), name] = f"{file} lists it, and there is no such picture"
    named = [Pair(there[key].name, there[key].mask, split) for key, split in split_of.items() if key in there]
    missing = [key[1] for key in split_of if key in pictures - there.keys()]
    pairs = sorted(named, key=lambda pair: pair.name)
    left = replace(found, pairs=pairs, unmasked=missing, unpictured=[])
    return Listed(left, [(name, reason) for (_, name), reason in absent.items()], len(pictures - split_of.keys()))


def _year(file: str) -> str:
    """The folder, such as ``VOC2012``, that a list is of; empty at the top."""
    return re.sub(r"(^|/)ImageSets/.*", "", file)


def _year_of(picture: str, lists: Collection[str]) -> str:
    """That in which a picture lies; the first one for a picture elsewhere."""
    years = sorted(map(_year, lists))
    return max((year for year in years if not year or picture.startswith(f"{year}/")), key=len, default=years[0])


def _stem(name: str) -> str:
    return splitext(basename(name))[0]


def _names(tree: Tree, file: str) -> list[str]:
    try:
        text = tree.read(file).decode("utf-8-sig")
    except Exception as error:  # whatever a damaged zip meets
        raise AssayError(f"{file} of {tree.where} cannot be read ({error})") from error
    return [_stem(line.split()[0]) for line in text.splitlines() if line.strip()]
