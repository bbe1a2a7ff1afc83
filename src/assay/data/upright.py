"""The sizes of pictures, and masks and boxes on those that their EXIF data turn.

These are drawn on the upright picture, or on the picture as its file stores it.
Most are drawn in a program that shows the picture upright; others are made of the bytes as they are.
A picture turned on its side tells which, for the whole source: only one of the two has its mask's height and width, or
those that stand beside its boxes. Without such a picture, masks and boxes lie on the upright pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64
from PIL import Image

from assay.data.decode import SIDEWAYS, turn_of
from assay.data.geometry import Size
from assay.data.images import Contents
from assay.data.mask_files import MaskFiles
from assay.data.own_masks import Mask
from assay.data.targets import Masks
from assay.data.warned import heard
from assay.errors import AssayError

_RIGHT_IS_LEFT = {
    Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90, Image.Transpose.TRANSVERSE,
}  # fmt: skip
_TOP_IS_BOTTOM = {
    Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE,
}  # fmt: skip
"""Before height and width are exchanged."""


@dataclass(frozen=True)
class Stored:
    """A picture as its file states it."""

    size: Size
    turn: Image.Transpose | None

    @property
    def is_sideways(self) -> bool:
        """Whether upright its height is another."""
        return self.turn in SIDEWAYS and self.size[0] != self.size[1]

    @property
    def upright(self) -> Size:
        """Height and width of the upright picture."""
        return self.size[::-1] if self.turn in SIDEWAYS else self.size


def largest(contents: Contents) -> Size | None:
    """The height of the highest picture and the width of the widest, upright; None where none can be opened."""
    sizes = [each.upright for i in range(len(contents.names)) if (each := _stored(contents, i))]
    return (max(h for h, _ in sizes), max(w for _, w in sizes)) if sizes else None


def with_upright_masks(contents: Contents) -> Contents:
    """``contents`` with masks that lie on the upright pictures, and the size of the largest one stated."""
    masks = contents.targets
    if not isinstance(masks, Masks | MaskFiles):
        return contents
    files = [_stored(contents, i) for i in range(len(masks))]
    largest = max((each.size for each in files if each), key=np.prod, default=None)
    read = _turned(masks.own, files) if _drawn_as_stored(masks.own, files) else masks.own
    return replace(contents, targets=MaskFiles(read, len(masks), largest))


def stored(opened: Callable[[], Image.Image]) -> Stored | None:
    """A picture by what opens it; None of one that cannot be opened."""
    try:
        with heard(), opened() as image:
            return Stored((image.height, image.width), turn_of(image))
    except Exception:
        return None


def turned(edges: Float64[np.ndarray, "k 4"], each: Stored) -> Float64[np.ndarray, "k 4"]:
    """Boxes on a picture as its file stores it → on the upright one."""
    (height, width), turn = each.size, each.turn
    x, y = edges[:, 0::2], edges[:, 1::2]
    if turn in _RIGHT_IS_LEFT:
        x = width - x
    if turn in _TOP_IS_BOTTOM:
        y = height - y
    if turn in SIDEWAYS:
        x, y = y, x
    return np.stack([x.min(axis=1), y.min(axis=1), x.max(axis=1), y.max(axis=1)], axis=1)


def _stored(contents: Contents, i: int) -> Stored | None:
    return stored(lambda: contents.image(i))


def _drawn_as_stored(read: Callable[[int], Mask], files: list[Stored | None]) -> bool:
    """By the first picture that is turned on its side, is no square and has a mask that can be read."""
    for i, each in enumerate(files):
        if each and each.is_sideways:
            try:
                return read(i).shape == each.size
            except AssayError:
                raise
            except Exception:
                continue
    return False


def _turned(read: Callable[[int], Mask], files: list[Stored | None]) -> Callable[[int], Mask]:
    def upright(i: int) -> Mask:
        mask, each = read(i), files[i]
        if each is None or each.turn is None:
            return mask
        return np.asarray(Image.fromarray(mask).transpose(each.turn))

    return upright
