"""Pictures of more than 8 bits a value: what they hold, and which of their values become black and white.

A camera of 10 bits saves 0…1023 in 16, a scanner any numbers at all: a file does not tell which of its values mean
something, so the range is found over pictures, or stated.
"""

import sys
from io import BytesIO
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64, Num, UInt8
from PIL import Image

Range = Literal["full"] | tuple[float, float]
"""The values that become 0 and 255; ``full``: 0 and 65,535 of whole numbers."""
Values = Num[np.ndarray, "h w"] | Num[np.ndarray, "h w c"]
FULL = (0.0, 65535.0)
_OTHER_BYTE = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
_ROWS = 256
"""Scaled at a time: numbers of 64 bits take eight times the memory of what becomes of them."""


class UnknownRange(Exception):
    """A picture of more than 8 bits, and nobody said which of its values mean something."""


def values(image: Image.Image) -> Values | None:
    """The values of a picture of more than 8 bits, the channels last; None of any other.

    Of 16 bits in colour, or beside transparency, Pillow keeps the first 8. The others are what it keeps when told of
    the opposite byte order, or that each byte is a channel.

    Raises:
        Exception: whatever Pillow meets in a damaged file.
        ValueError: values that are no numbers.
    """
    if image.mode.startswith("I") or image.mode == "F":
        array: Values = np.asarray(image)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError("some of its values are no numbers (NaN or infinite)")
        return array
    raw = _raw_mode(image)
    if raw.startswith("LA;16"):
        each = np.asarray(_opened(_content(image), "RGBA")).astype(np.uint16)
        pairs: Values = each[..., ::2] << 8 | each[..., 1::2]
        return pairs
    if not raw.startswith(("RGB;16", "RGBA;16")):
        return None
    content = _content(image)
    first, second = (np.asarray(_opened(content, mode)) for mode in (raw, raw[:-1] + _OTHER_BYTE[raw[-1]]))
    both: Values = first.astype(np.uint16) << 8 | second
    return both


def _raw_mode(image: Image.Image) -> str:
    tile: list[Any] = getattr(image, "tile", [])
    args = tile[0][3] if tile else ""
    return str(args[0] if isinstance(args, tuple) and args else args)


def _content(image: Image.Image) -> bytes:
    file: Any = image.fp  # type: ignore[attr-defined]
    file.seek(0)
    content: bytes = file.read()
    return content


def _opened(content: bytes, raw_mode: str) -> Image.Image:
    image: Any = Image.open(BytesIO(content))
    image.tile = [
        tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
        for tile in image.tile
    ]
    image.load()
    return image  # type: ignore[no-any-return]


def span(values: Values) -> tuple[float, float]:
    """The lowest and the highest value of a picture, transparency left out."""
    shown = values[..., : _colors(values)] if values.ndim == 3 else values
    return float(shown.min()), float(shown.max())


def _colors(values: Values) -> int:
    """How many of the last axis are no transparency."""
    channels: int = values.shape[-1]
    return channels - 1 if channels in (2, 4) else channels


def eight_bits(values: Values, ends: Range | None) -> Image.Image:
    """A picture of 8 bits a value: from the one to the other of ``ends`` becomes 0 to 255, to the nearest level, and
    what lies beyond is cut off.

    Raises:
        UnknownRange: there are no ends.
        ValueError: under ``full``, values that are not whole, or not in 0…65,535.
    """
    if ends is None:
        raise UnknownRange("its values have more than 8 bits")
    if ends == "full":
        if values.dtype.kind == "f":
            raise ValueError("its pixels are floating-point numbers, and data.range: full is of whole ones")
        if values.min() < 0 or values.max() > FULL[1]:
            raise ValueError("its pixels have more than 16 bits, and data.range: full is of 16")
        ends = FULL
    scaled = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _ROWS):
        rows = values[top : top + _ROWS].astype(np.float64)
        scaled[top : top + _ROWS] = _levels(rows, ends)
        if values.ndim == 3:
            opaque = _colors(values)
            scaled[top : top + _ROWS, :, opaque:] = _levels(rows[..., opaque:], FULL)
    return Image.fromarray(scaled)


def _levels(values: Float64[np.ndarray, "..."], ends: tuple[float, float]) -> UInt8[np.ndarray, "..."]:
    low, high = ends
    if low == high:
        return np.zeros(values.shape, np.uint8)
    shares = (np.clip(values, low, high) - low) * 255 / (high - low)
    return np.asarray(np.floor(shares + 0.5), dtype=np.uint8)


def in_words(ends: Range) -> str:
    """``0…1,020``."""
    low, high = FULL if ends == "full" else ends
    return f"{_number(low)}…{_number(high)}"


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:.6g}"
