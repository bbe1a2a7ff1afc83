"""One picture to a row of uint8: orientation, depth, colour and size made equal."""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from assay.data.depth import Range, eight_bits, values
from assay.data.geometry import Size, inner
from assay.recipe import Fit

Color = Literal["gray", "rgb"]
_GRAY = {"1", "L", "LA", "La"}
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation → what undoes it."""
SIDEWAYS = frozenset(turn for orientation, turn in _TURNS.items() if orientation > 4)
"""Those that exchange height and width."""
FRAMES = "several frames, of which the first is read"


@dataclass(frozen=True)
class Form:
    """What pictures are made into."""

    color: Color | None = None
    """None keeps gray pictures gray and makes everything else RGB."""
    size: Size | None = None
    """(height, width); None keeps the picture's own."""
    fit: Fit = "stretch"
    range: Range | None = "full"
    """Of pictures with more than 8 bits a value; None refuses them."""
    around: int = 0
    """The value of the canvas where a picture does not reach."""


@dataclass(frozen=True)
class Decoded:
    """A picture as pixels, and what was true of its file."""

    pixels: UInt8[np.ndarray, "c h w"]
    size: Size
    """Its height and width before it was fitted to the canvas."""
    is_deep: bool = False
    """Whether it had more than 8 bits a value."""
    notes: tuple[str, ...] = ()
    """What a reader should know of it."""
    mask: UInt8[np.ndarray, "own_h own_w"] | None = None
    """What is true of the pixels of the upright picture, before it was fitted to the canvas."""


def decode(image: Image.Image, form: Form) -> Decoded:
    """One picture, just opened, turned upright (EXIF), on black where transparent, with the values of ``range`` in 8
    bits.

    The size is reached by antialiased bilinear resampling, without regard to the aspect ratio or, unless ``fit`` is
    ``stretch``, with ``around`` around it. Of several frames the first is taken.

    Raises:
        UnknownRange: it has more than 8 bits a value, and ``range`` is None.
        Exception: whatever Pillow meets in a damaged file.
    """
    notes = (FRAMES,) if _has_frames(image) else ()
    deep = values(image)
    image.load()
    turn = turn_of(image)
    if deep is not None:
        image = eight_bits(deep, form.range)
    image = _on_black(image if turn is None else image.transpose(turn))
    mode = {"gray": "L", "rgb": "RGB", None: "L" if _is_gray(image) else "RGB"}[form.color]
    if image.mode != mode:
        image = image.convert(mode)
    own = image.height, image.width
    if form.size is not None:
        image = fitted(image, form.size, form.fit, Image.Resampling.BILINEAR, form.around)
    array = np.asarray(image)
    pixels = array[None] if mode == "L" else np.ascontiguousarray(array.transpose(2, 0, 1))
    return Decoded(pixels, own, deep is not None, notes)


def fitted(image: Image.Image, size: Size, fit: Fit, resample: Image.Resampling, around: int) -> Image.Image:
    """A picture or a mask on a canvas of height and width ``size``; the value ``around`` where it does not reach."""
    if (image.height, image.width) == size:
        return image
    taken, first = inner(np.array([[image.height, image.width]]), size, fit)
    (height, width), (top, left) = taken[0].tolist(), first[0].tolist()
    image = image.resize((width, height), resample)
    if (height, width) == size:
        return image
    canvas = Image.new(image.mode, (size[1], size[0]), (around,) * len(image.getbands()))
    canvas.paste(image, (left, top))
    return canvas


def _has_frames(image: Image.Image) -> bool:
    """A photograph with a smaller one behind it (MPO) counts as one; so does a file whose other frames are damaged."""
    if image.format == "MPO":
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:
        image.seek(0)
        return False


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """What makes a picture upright, by its EXIF data; None where it is."""
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # whatever damaged bytes come to mean
        warnings.warn("its EXIF data are damaged, so it is not turned upright", stacklevel=2)
        return None


def _on_black(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    gray = _is_gray(image)
    image = image.convert("RGBA")
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, image).convert("L" if gray else "RGB")


def _is_gray(image: Image.Image) -> bool:
    if image.mode in ("P", "PA"):
        palette = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in _GRAY
