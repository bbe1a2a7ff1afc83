"""What is true of the images, in words and as numbers to compare, whatever kind it is of."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from assay.data import ImageSet
from assay.data.boxes import Boxes
from assay.data.targets import Labels, Masks, Tags, Values
from assay.language.script import as_name
from assay.language.speech import later, say

NO_TAG, NO_BOX = later("no tag"), later("no box")
KINDS = later("labels"), later("values"), later("tags"), later("masks"), later("boxes")
OTHER = {
    "labels": later("another label"),
    "values": later("other values"),
    "tags": later("other tags"),
    "masks": later("other masks"),
    "boxes": later("other boxes"),
}
SAME = {
    "labels": later("the same label"),
    "values": later("the same values"),
    "tags": later("the same tags"),
    "masks": later("the same masks"),
    "boxes": later("the same boxes"),
}


def alike(images: ImageSet) -> Int64[np.ndarray, " n"]:
    """A number for each image, the same where the same is true: the label, where there is one."""
    if isinstance(images.targets, Labels):
        return images.targets.values
    lines = [images.targets.line(i) for i in range(len(images))]
    return np.asarray(np.unique(lines, return_inverse=True)[1], dtype=np.int64)


def in_words(images: ImageSet, i: int) -> str:
    """``cat``; ``age 35, weight 7.5``; ``cat, dog``; ``3 cat, 1 dog``; nothing for masks."""
    match images.targets:
        case Labels(labels):
            return str(images.classes[labels[i]])
        case Values(values, names):
            return ", ".join(f"{name} {value:g}" for name, value in zip(names, values[i].tolist(), strict=True))
        case Tags(tags):
            return ", ".join(images.classes[k] for k in np.flatnonzero(tags[i])) or say(NO_TAG)
        case Boxes() as boxes:
            return counted(boxes, i, images.classes)
    return ""


def counted(boxes: Boxes, i: int, classes: Sequence[str]) -> str:
    """The boxes of image ``i``: ``3 cat, 1 dog``."""
    counts = np.bincount(boxes.labels[boxes.starts[i] : boxes.starts[i + 1]], minlength=len(classes))
    return ", ".join(f"{n:,} {name}" for name, n in zip(classes, counts.tolist(), strict=True) if n) or say(NO_BOX)


def noun(images: ImageSet) -> str:
    """The name of its column in a table: ``class``, else ``values``, ``tags``, …"""
    return "class" if isinstance(images.targets, Labels) else images.targets.kind


def kind(images: ImageSet) -> str:
    """What is true of them, in the language of the page: ``labels``, ``values``, ``tags``, …"""
    return say(images.targets.kind)


def another(images: ImageSet) -> str:
    """``another label``, ``other values``."""
    return say(OTHER[images.targets.kind])


def the_same(images: ImageSet) -> str:
    """``the same label``, ``the same values``."""
    return say(SAME[images.targets.kind])


def strata_in_words(images: ImageSet) -> Sequence[str]:
    """A heading for each number in ``images.targets.strata()``."""
    strata = images.targets.strata()
    match images.targets:
        case Labels():
            return list(map(as_name, images.classes))
        case Tags():
            return [*map(as_name, images.classes), say(NO_TAG)]
        case Values(values, names):
            first = [values[strata == k, 0] for k in range(int(strata.max()) + 1)]
            return [_from_to(names[0], float(part.min()), float(part.max())) if len(part) else "" for part in first]
        case Masks():
            return [_rarest(images, k, strata) for k in range(int(strata.max()) + 1)]
        case Boxes(_, labels):
            there = set(labels.tolist())
            return [_with(name) if k in there else say(NO_BOX) for k, name in enumerate([*images.classes, ""])]
    return [say("group {k}", k=k + 1) for k in range(int(strata.max()) + 1)]


def _with(name: str) -> str:
    return say("with {name}", name=as_name(name))


def _from_to(name: str, low: float, high: float) -> str:
    return say("{name} {low:g} to {high:g}", name=as_name(name), low=low, high=high)


def _rarest(images: ImageSet, k: int, strata: Int64[np.ndarray, " n"]) -> str:
    """What the masks of a stratum have in common: the rarest class of theirs."""
    assert isinstance(images.targets, Masks)
    there = k < len(images.classes) and bool(images.targets.counts[strata == k, k].any())
    return _with(images.classes[k]) if there else say("nothing but void")
