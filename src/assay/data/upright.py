"""The sizes of pictures, and masks on those that their EXIF data turn.

Such masks are drawn on the upright picture, or on the picture as its file stores it.
Most masks are drawn in a program that shows the picture upright; others are made of the bytes as they are.
A picture turned on its side tells which, for the whole source: only one of the two has its mask's height and width.
Without such a picture, masks lie on the upright pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from assay.data.decode import SIDEWAYS, turn_of
from assay.data.geometry import Size
from assay.data.images import Contents
from assay.data.mask_files import MaskFiles
from assay.data.own_masks import Mask
from assay.data.targets import Masks
from assay.data.warned import heard
from assay.errors import AssayError


@dataclass(frozen=True)
class _Stored:
    """A picture as its file states it."""

    size: Size
    turn: Image.Transpose | None


def largest(contents: Contents) -> Size | None:
    """The height of the highest picture and the width of the widest, upright; None where none can be opened."""
    stored = [each for i in range(len(contents.names)) if (each := _stored(contents, i))]
    sizes = [each.size[::-1] if each.turn in SIDEWAYS else each.size for each in stored]
    return (max(h for h, _ in sizes), max(w for _, w in sizes)) if sizes else None


def with_upright_masks(contents: Contents) -> Contents:
    """``contents`` with masks that lie on the upright pictures, and the size of the largest one stated."""
    masks = contents.targets
    if not isinstance(masks, Masks | MaskFiles):
        return contents
    stored = [_stored(contents, i) for i in range(len(masks))]
    largest = max((each.size for each in stored if each), key=np.prod, default=None)
    read = _turned(masks.own, stored) if _drawn_as_stored(masks.own, stored) else masks.own
    return replace(contents, targets=MaskFiles(read, len(masks), largest))


def _stored(contents: Contents, i: int) -> _Stored | None:
    """None of a picture that cannot be opened."""
    try:
        with heard(), contents.image(i) as image:
            return _Stored((image.height, image.width), turn_of(image))
    except Exception:
        return None


def _drawn_as_stored(read: Callable[[int], Mask], stored: list[_Stored | None]) -> bool:
    """By the first picture that is turned on its side, is no square and has a mask that can be read."""
    for i, each in enumerate(stored):
        if each and each.turn in SIDEWAYS and each.size[0] != each.size[1]:
            try:
                return read(i).shape == each.size
            except AssayError:
                raise
            except Exception:
                continue
    return False


def _turned(read: Callable[[int], Mask], stored: list[_Stored | None]) -> Callable[[int], Mask]:
    def turned(i: int) -> Mask:
        mask, each = read(i), stored[i]
        if each is None or each.turn is None:
            return mask
        return np.asarray(Image.fromarray(mask).transpose(each.turn))

    return turned
