"""Label maps as pictures: PNG of a palette, in which a pixel's value is its class."""

from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

LabelMap = UInt8[np.ndarray, "height width"]


def colours() -> UInt8[np.ndarray, "256 3"]:
    """Red, green and blue of each number, far apart for neighbours: the bits of the number dealt out to the three.

    The colour map of the PASCAL VOC development kit.
    """
    numbers = np.arange(256)
    found = np.zeros((256, 3), np.uint8)
    for channel in range(3):
        for place in range(3):
            found[:, channel] |= ((numbers >> (3 * place + channel) & 1) << (7 - place)).astype(np.uint8)
    return found


def encoded(labels: LabelMap) -> bytes:
    """As PNG."""
    return png(labels, colours())


def png(labels: LabelMap, palette: UInt8[np.ndarray, "numbers 3"]) -> bytes:
    """As PNG whose pixels are the numbers, in the colours of ``palette``."""
    image, buffer = Image.fromarray(labels, mode="P"), BytesIO()
    image.putpalette(palette.tobytes())
    image.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def decoded(png: bytes) -> LabelMap:
    """The inverse."""
    return np.array(Image.open(BytesIO(png)))
