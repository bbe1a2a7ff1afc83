"""What a reader should know of the pictures of a source before anything is trained on them, in sentences."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from assay.data.depth import in_words
from assay.data.images import ImageSet
from assay.data.targets import VOID, Masks

NEARLY = 8
"""A picture whose values lie within so many levels of 256 is nearly constant."""


def remarks(images: ImageSet) -> list[str]:
    """The range of pictures with more than 8 bits, pictures that show next to nothing, masks of void
    alone, and the notes on others."""
    return [*_range(images), *_constant(images), *_void(images), *_notes(images)]


def _range(images: ImageSet) -> list[str]:
    if images.range is None:
        return []
    return [
        f"pictures of {images.source} have more than 8 bits a value: {in_words(images.range)} of them became 0…255 "
        "(data.range)"
    ]


def _constant(images: ImageSet) -> list[str]:
    if images.spreads is None:
        return []
    hint = "; data.range says which of their values matter" if images.range is not None else ""
    constant = [images.names[i] for i in np.flatnonzero(images.spreads == 0)]
    nearly = [images.names[i] for i in np.flatnonzero((images.spreads > 0) & (images.spreads <= NEARLY))]
    kinds = {"of one colour throughout": constant, f"nearly constant, within {NEARLY} of 256 levels": nearly}
    return [f"{_of(names, images)}: {text}{hint}" for text, names in kinds.items() if names]


def _void(images: ImageSet) -> list[str]:
    if not isinstance(images.targets, Masks):
        return []
    void = [images.names[i] for i in np.flatnonzero(~images.targets.counts[:, :VOID].any(axis=1))]
    return (
        [f"{_of(void, images)}: nothing but void in the mask, so that nothing is learned or measured"] if void else []
    )


def _notes(images: ImageSet) -> list[str]:
    names = defaultdict(list)
    for name, note in images.notes:
        names[note].append(name)
    return [f"{_of(those, images)}: {note}" for note, those in names.items()]


def _of(names: Sequence[str], images: ImageSet) -> str:
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"{len(names):,} of {len(images):,} pictures of {images.source} ({shown})"
