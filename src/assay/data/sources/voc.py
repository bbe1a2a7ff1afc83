"""Pascal VOC's lists, ``ImageSets/Segmentation/train.txt`` of masks and ``ImageSets/Main/train.txt`` of boxes: which
pictures belong to the set, and to which split."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from posixpath import basename, splitext
from typing import Literal

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


def voc_lists(others: Collection[str], folder_of: Lists = "Segmentation") -> dict[str, str]:
    """``train`` → the file that lists its pictures; ``trainval`` only where neither of its halves has a list."""
    found = {}
    for name in sorted(others):
        folder, (stem, ending) = name.rpartition("/")[0], splitext(basename(name))
        if ending == ".txt" and stem in _SPLITS and folder.endswith(f"ImageSets/{folder_of}"):
            found[stem] = name
    if {"train", "val"} & found.keys():
        found.pop("trainval", None)
    return found


def listed(tree: Tree, found: Paired, lists: Mapping[str, str], stated: Mapping[str, SplitName]) -> Paired:
    """The pairs that the lists name, with their splits; ``stated`` says of a list, by its name, which split it is.

    Raises:
        AssayError: a list cannot be read, or names one picture for two splits.
    """
    there = {splitext(basename(pair.name))[0]: pair for pair in found.pairs}
    split_of: dict[str, SplitName] = {}
    for stem, file in lists.items():
        split = stated.get(stem, _SPLITS[stem])
        for name in _names(tree, file):
            if split_of.setdefault(name, split) != split:
                raise AssayError(
                    f"{file} of {tree.where} lists {name!r}, which is in the {split_of[name]} split already"
                )
    named = [Pair(there[name].name, there[name].mask, split) for name, split in split_of.items() if name in there]
    missing = [name for name in split_of if name not in there]
    return replace(found, pairs=sorted(named, key=lambda pair: pair.name), unmasked=missing, unpictured=[])


def _names(tree: Tree, file: str) -> list[str]:
    try:
        text = tree.read(file).decode("utf-8-sig")
    except Exception as error:  # whatever a damaged zip meets
        raise AssayError(f"{file} of {tree.where} cannot be read ({error})") from error
    return [splitext(basename(line.split()[0]))[0] for line in text.splitlines() if line.strip()]
