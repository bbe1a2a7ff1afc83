"""Label maps as pictures: PNG of a palette, in which a pixel's value is its class."""

from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

LabelMap = UInt8[np.ndarray, "height width"]


def png(labels: LabelMap, palette: UInt8[np.ndarray, "numbers 3"]) -> bytes:
    """As PNG whose pixels are the numbers, in the colours of ``palette``."""
    image, buffer = Image.fromarray(labels, mode="P"), BytesIO()
    image.putpalette(palette.tobytes())
    image.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def decoded(png: bytes) -> LabelMap:
    """The inverse."""
    return np.array(Image.open(BytesIO(png)))
