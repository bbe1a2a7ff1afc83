"""What a reader should know of the pictures of a source before anything is trained on them, in sentences."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from assay.data.boxes import Boxes
from assay.data.depth import in_words
from assay.data.images import ImageSet
from assay.data.targets import Masks
from assay.language.script import as_name
from assay.language.speech import plural, say

NEARLY = 8
"""A picture whose values lie within so many levels of 256 is nearly constant."""


def remarks(images: ImageSet) -> list[str]:
    """The range of pictures with more than 8 bits, pictures that show next to nothing, masks of void
    alone, classes that no mask or box has, and the notes on others."""
    return [*_range(images), *_constant(images), *_void(images), *_absent(images), *_notes(images)]


def _range(images: ImageSet) -> list[str]:
    if images.range is None:
        return []
    return [
        say(
            "pictures of {source} have more than 8 bits a value: {range} of them became 0…255 (data.range)",
            source=as_name(images.source),
            range=in_words(images.range),
        )
    ]


def _constant(images: ImageSet) -> list[str]:
    if images.spreads is None:
        return []
    hint = say("; data.range says which of their values matter") if images.range is not None else ""
    constant = [images.names[i] for i in np.flatnonzero(images.spreads == 0)]
    nearly = [images.names[i] for i in np.flatnonzero((images.spreads > 0) & (images.spreads <= NEARLY))]
    close = say("nearly constant, within {levels} of 256 levels", levels=NEARLY)
    kinds = {say("of one colour throughout"): constant, close: nearly}
    return [f"{_of(names, images)}: {text}{hint}" for text, names in kinds.items() if names]


def _void(images: ImageSet) -> list[str]:
    if not isinstance(images.targets, Masks):
        return []
    void = [images.names[i] for i in np.flatnonzero(~images.targets.is_known)]
    text = say("nothing but void in the mask, so that nothing is learned or measured")
    return [f"{_of(void, images)}: {text}"] if void else []


def _absent(images: ImageSet) -> list[str]:
    match images.targets:
        case Masks(counts=counts):
            there = counts[:, : len(images.classes)].any(axis=0)
        case Boxes(labels=labels):
            there = np.bincount(labels, minlength=len(images.classes)) > 0
        case _:
            return []
    lost = [images.classes[k] for k in np.flatnonzero(~there)] if there.any() else []
    text = plural(
        "no picture of {source} shows the class {classes}, and nothing can be said of it",
        "no picture of {source} shows the classes {classes}, and nothing can be said of them",
        len(lost),
        source=as_name(images.source),
        classes=_first(lost, 5),
    )
    return [text] if lost else []


def _notes(images: ImageSet) -> list[str]:
    names = defaultdict(list)
    for name, note in images.notes:
        names[note].append(name)
    return [f"{_of(those, images)}: {as_name(note)}" for note, those in names.items()]


def _of(names: Sequence[str], images: ImageSet) -> str:
    return say(
        "{n:,} of {all:,} pictures of {source} ({names})",
        n=len(names),
        all=len(images),
        source=as_name(images.source),
        names=_first(names, 3),
    )


def _first(names: Sequence[str], most: int) -> str:
    return say(", ").join([*map(as_name, names[:most]), *(["…"] if len(names) > most else [])])
