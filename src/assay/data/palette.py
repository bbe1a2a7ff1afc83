"""One colour a class, wherever classes are drawn: masks, overlays, legends, pages."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float64, Int, UInt8

from assay.data.own_masks import VOID

Colour = tuple[int, int, int]
BACKGROUND = frozenset({"background", "_background_", "bg"})
"""What is called so is black, and the picture only darker there."""
FIRST: tuple[Colour, ...] = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (240, 228, 66),
    (213, 94, 0),
)
"""Those of Okabe & Ito, "Color Universal Design", 2008, which colour-blind readers tell apart, but for black and the
second blue."""
UNKNOWN: Colour = (255, 255, 255)
"""Of pixels of no known class."""
DARKEST, BRIGHTEST = 40, 255
"""Of red, green and blue in the colours after the first."""
GRAYS = (0, 64, 128, 192, 255)
"""Black is the background, white unknown, and what is drawn gray is of no class."""
_CONES = np.array(
    [
        [0.4122214708, 0.2119034982, 0.0883024619],
        [0.5363325363, 0.6806995451, 0.2817188376],
        [0.0514459929, 0.1073969566, 0.6299787005],
    ]
)
_OPPONENT = np.array(
    [
        [0.2104542553, 1.9779984951, 0.0259040371],
        [0.7936177850, -2.4285922050, 0.7827717662],
        [-0.0040720468, 0.4505937099, -0.8086757660],
    ]
)


def palette(classes: Sequence[str], stated: Sequence[Sequence[int]] | None = None) -> UInt8[np.ndarray, "classes 3"]:
    """Red, green and blue of each class: those that its source has ``stated``, else colours that are far apart."""
    if stated is not None:
        return np.array(stated, dtype=np.uint8).reshape(len(classes), 3)
    free = iter(apart(len(classes)))
    each = [(0, 0, 0) if name.lower() in BACKGROUND else next(free) for name in classes]
    return np.array(each, dtype=np.uint8).reshape(len(classes), 3)


def colours_of(about: Mapping[str, Any]) -> list[Colour] | None:
    """The ``colours`` that a JSON file states; None where there are none."""
    stated = about.get("colours")
    return stated and [(red, green, blue) for red, green, blue in stated]


def with_void(colours: UInt8[np.ndarray, "classes 3"]) -> UInt8[np.ndarray, "256 3"]:
    """The colours of all values that a mask may have: void is ``UNKNOWN``, what is no class is black."""
    full = np.zeros((256, 3), np.uint8)
    full[: len(colours)], full[VOID] = colours, UNKNOWN
    return full


@cache
def apart(number: int) -> tuple[Colour, ...]:
    """So many colours: the first ones, then each the farthest from all before it, from black, grays and white."""
    levels = np.linspace(DARKEST, BRIGHTEST, 6 if number <= 6**3 else 7).round().astype(int)
    candidates = np.array(list(product(levels, repeat=3)))
    places = perceived(candidates)
    taken = perceived(np.array([*FIRST, *((level,) * 3 for level in GRAYS)]))
    nearest = np.linalg.norm(places[:, None] - taken, axis=2).min(axis=1)
    found = list(FIRST[:number])
    while len(found) < number:
        best = int(nearest.argmax())
        red, green, blue = candidates[best].tolist()
        found.append((red, green, blue))
        nearest = np.minimum(nearest, np.linalg.norm(places - places[best], axis=1))
    return tuple(found)


def perceived(colours: Int[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    """Oklab (Ottosson, "A perceptual color space for image processing", 2020) of sRGB, its lightness halved: two shades
    of one hue look more alike in a picture than their distance says."""
    share = colours / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _CONES) @ _OPPONENT * (0.5, 1, 1))
