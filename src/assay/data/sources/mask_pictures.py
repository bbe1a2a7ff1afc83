"""One mask, a picture file → the class of each pixel.

A gray or palette picture holds values, an RGB picture colours. A palette whose colours are those of the list is read by
them; values that a gray picture should hold may be the gray that the list gives as a colour. Where the two ways tell
different classes, the file is refused rather than one of them guessed.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int16, Int32, Shaped, UInt8
from PIL import Image, UnidentifiedImageError

from assay.data.own_masks import VOID, Mask
from assay.data.sources.class_list import ClassList, Colour
from assay.data.sources.tree import Tree
from assay.errors import AssayError

_UNKNOWN = -1
_NEAR = 24
"""A colour is off by a few that lies so near to a class's, in levels of 256, by the channel where that is most."""
_OPAQUE = {"LA": "L", "PA": "RGB", "RGBA": "RGB"}


@dataclass(frozen=True)
class Code:
    """What the values and colours of masks mean."""

    listed: ClassList
    numbers: tuple[int, ...]
    """The class that each of those listed is; ``VOID`` for one that is ignored."""
    void: tuple[int, ...] = ()
    """Values without a class that mean void."""

    @property
    def colours(self) -> list[Colour] | None:
        """What the classes that are not ignored are drawn in; None where the list does not say."""
        if (shown := self.listed.shown) is None:
            return None
        return [colour for colour, number in zip(shown, self.numbers, strict=True) if number != VOID]

    @cached_property
    def by_value(self) -> Int16[np.ndarray, "256"]:
        """−1 for a value without a class."""
        table = np.full(256, _UNKNOWN, dtype=np.int16)
        table[[VOID, *self.void]] = VOID
        table[list(self.listed.values)] = self.numbers
        return table

    @cached_property
    def by_colour(self) -> dict[int, int]:
        """Packed colour → class.

        Raises:
            AssayError: two classes have the same colour.
        """
        table: dict[int, str] = {}
        for name, colour in zip(self.listed.names, self.listed.colours or (), strict=False):
            if (other := table.setdefault(_packed(colour), name)) != name:
                raise AssayError(f"{self.listed.where} gives {other!r} and {name!r} the same colour {colour}")
        return dict(zip(table, self.numbers, strict=False))


@contextmanager
def opened(tree: Tree, name: str) -> Iterator[Image.Image]:
    """A mask's file, decoded. ValueError where it is damaged, which names it, for its picture may be whole."""
    with ExitStack() as stack:
        try:
            image = stack.enter_context(tree.image(name))
            image.load()
        except MemoryError:
            raise
        except Exception as error:  # whatever a damaged file or zip meets
            reason = "not an image" if isinstance(error, UnidentifiedImageError) else " ".join(str(error).split())
            raise ValueError(f"its mask {name} cannot be read: {reason or type(error).__name__}") from error
        yield image


def read_mask(image: Image.Image, name: str, code: Code) -> Mask:
    """The class of each pixel of a mask just opened, or ``VOID``; ``name`` is how an error calls it.

    Raises:
        ValueError: it is a JPEG, holds several frames, is transparent, or has values or colours without a class.
    """
    pixels, palette = raw(image, name)
    if pixels.ndim == 3:
        return _of_colours(pixels, name, code)
    table, used = code.by_value, np.flatnonzero(np.bincount(pixels.ravel(), minlength=256))
    if palette is None and code.listed.has_grays:
        palette = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    if palette is not None and code.listed.colours:
        drawn = _coloured(palette, code)
        if _UNKNOWN not in drawn[used]:
            differ = [value for value in used.tolist() if table[value] != drawn[value] and value in code.listed.values]
            if differ and _UNKNOWN not in table[used]:
                raise _two_meanings(differ[0], table, drawn, name, code)
            table = drawn
    if _UNKNOWN in table[used]:
        raise _strange_values(pixels, table, name, code)
    return np.asarray(table.astype(np.uint8)[pixels])


def raw(image: Image.Image, name: str) -> tuple[UInt8[np.ndarray, "h w *rgb"], UInt8[np.ndarray, "256 3"] | None]:
    """(values or colours; the palette) of a mask. ValueError as ``read_mask``."""
    if image.format in ("JPEG", "MPO"):
        raise ValueError(
            f"{name} is a JPEG, whose compression smears the values at every border into those of other classes or of "
            "none; masks must be PNG, made anew and not converted"
        )
    if getattr(image, "n_frames", 1) > 1:
        raise ValueError(f"{name} holds several frames; expected a mask of one")
    if image.mode in _OPAQUE:
        image = _opaque(image, name)
    if image.mode == "P":
        palette = np.zeros((256, 3), dtype=np.uint8)
        there = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        palette[: len(there)] = there
        return np.asarray(image), palette
    values = np.asarray(image)
    if image.mode in ("L", "RGB"):
        return values, None
    if values.ndim != 2 or values.dtype.kind not in "bui":
        raise ValueError(f"{name} has pixels of mode {image.mode}; expected gray, a palette or RGB of 8 bits")
    if values.min() < 0 or values.max() > 255:
        raise ValueError(
            f"{name} has values from {values.min():,} to {values.max():,}, as masks that number objects have; expected "
            "classes from 0 to 254"
        )
    return values.astype(np.uint8), None


def _opaque(image: Image.Image, name: str) -> Image.Image:
    alpha = np.asarray(image.getchannel("A"))
    if (clear := int((alpha < 255).sum())) > 0:
        raise ValueError(f"{name} is transparent at {clear:,} pixels; expected a mask without an alpha channel")
    return image.convert(_OPAQUE[image.mode])


def _of_colours(colours: UInt8[np.ndarray, "h w 3"], name: str, code: Code) -> Mask:
    """Colours of the list; a gray picture saved as RGB may hold values instead."""
    classes = _coloured(colours, code) if code.listed.colours else None
    if classes is not None and _UNKNOWN not in classes:
        return np.asarray(classes.astype(np.uint8))
    gray = colours[..., 0]
    if (colours == gray[..., None]).all() and _UNKNOWN not in (values := code.by_value[gray]):
        return np.asarray(values.astype(np.uint8))
    raise _strange_colours(colours, classes, name, code)


def _coloured(colours: UInt8[np.ndarray, "*n 3"], code: Code) -> Int16[np.ndarray, " *n"]:
    packed = _pack(colours)
    known = np.array(sorted(code.by_colour), dtype=np.int32)
    classes = np.array([code.by_colour[colour] for colour in known.tolist()], dtype=np.int16)
    place = np.minimum(np.searchsorted(known, packed), len(known) - 1)
    return np.where(known[place] == packed, classes[place], np.int16(_UNKNOWN))


def _two_meanings(
    value: int, table: Int16[np.ndarray, "256"], drawn: Int16[np.ndarray, "256"], name: str, code: Code
) -> ValueError:
    one, other = _called(int(table[value]), code), _called(int(drawn[value]), code)
    return ValueError(
        f"{name}: by its value {value} a pixel is {one}, by its colour {other}; leave the colours out of "
        f"{code.listed.where} to go by values, or save the masks as RGB to go by colours"
    )


def _strange_values(values: Mask, table: Int16[np.ndarray, "256"], name: str, code: Code) -> ValueError:
    strange, counts = np.unique(values[table[values] == _UNKNOWN], return_counts=True)
    value = int(strange[counts.argmax()])
    near, which = min(zip(code.listed.values, code.listed.names, strict=True), key=lambda each: abs(each[0] - value))
    return ValueError(
        f"{name}: {counts.sum():,} of {values.size:,} pixels have values without a class, {value}{_more(strange)}; "
        f"{code.listed.where} has {len(code.listed.names)} classes, the nearest {which!r} with {near}"
    )


def _strange_colours(
    colours: UInt8[np.ndarray, "h w 3"], classes: Int16[np.ndarray, "h w"] | None, name: str, code: Code
) -> ValueError:
    if classes is None or code.listed.colours is None:
        found = _unpacked(int(_pack(colours).max()))
        return ValueError(
            f"{name} is a mask of colours, such as {found}, and {code.listed.where} gives the classes no colours; "
            "expected lines 'index name R G B'"
        )
    strange, counts = np.unique(_pack(colours)[classes == _UNKNOWN], return_counts=True)
    colour = _unpacked(int(strange[counts.argmax()]))
    off, near, which = min(
        (max(abs(a - b) for a, b in zip(colour, each, strict=True)), each, name)
        for each, name in zip(code.listed.colours, code.listed.names, strict=True)
    )
    few = ", off by a few as after JPEG or a smooth resize: masks are resized by nearest pixels and saved as PNG"
    return ValueError(
        f"{name}: {counts.sum():,} of {classes.size:,} pixels have colours without a class in {code.listed.where}, "
        f"{colour}{_more(strange)}; the nearest is {which!r} with {near}{few if off <= _NEAR else ''}"
    )


def _more(strange: Shaped[np.ndarray, " n"]) -> str:
    more = len(strange) - 1
    return f" and {more:,} other{'s' if more > 1 else ''}" if more else ""


def _called(number: int, code: Code) -> str:
    names = dict(zip(code.numbers, code.listed.names, strict=True))
    return "void" if number == VOID else repr(names[number])


def _pack(colours: UInt8[np.ndarray, "*n 3"]) -> Int32[np.ndarray, " *n"]:
    red, green, blue = np.moveaxis(colours, -1, 0).astype(np.int32)
    return np.asarray((red << 16) + (green << 8) + blue)


def _packed(colour: Colour) -> int:
    return (colour[0] << 16) + (colour[1] << 8) + colour[2]


def _unpacked(packed: int) -> Colour:
    return packed >> 16, packed >> 8 & 255, packed & 255
