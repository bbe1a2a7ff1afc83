"""One colour a class, wherever classes are drawn: masks, overlays, legends, pages."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

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
    (86, 180, 233),
    (213, 94, 0),
)
"""Those of Okabe & Ito, "Color Universal Design", 2008, which colour-blind readers tell apart, but for black."""
UNKNOWN: Colour = (255, 255, 255)
"""Of pixels of no known class."""
LEVELS = (40, 83, 126, 169, 212, 255)
"""Of red, green and blue in the colours after the first."""


def palette(classes: Sequence[str], stated: Sequence[Sequence[int]] | None = None) -> UInt8[np.ndarray, "classes 3"]:
    """Red, green and blue of each class: those that its source has ``stated``, else colours that are far apart."""
    if stated is not None:
        return np.array(stated, dtype=np.uint8).reshape(len(classes), 3)
    free = iter(apart(len(classes)))
    return np.array([(0, 0, 0) if name.lower() in BACKGROUND else next(free) for name in classes], dtype=np.uint8)


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
    """So many colours: the first ones, then each the farthest in CIELAB from all before it, from black and white."""
    from kornia.color import rgb_to_lab

    if number <= len(FIRST):
        return FIRST[:number]
    levels = torch.tensor(LEVELS)
    candidates = torch.cartesian_prod(levels, levels, levels)
    fixed = torch.tensor([*FIRST, (0, 0, 0), (255, 255, 255)])
    lab = rgb_to_lab(torch.cat([candidates, fixed]).T.reshape(1, 3, -1, 1) / 255)[0, :, :, 0].T
    nearest = torch.cdist(lab[: len(candidates)], lab[len(candidates) :]).amin(dim=1)
    found = list(FIRST)
    while len(found) < number:
        best = int(nearest.argmax())
        red, green, blue = candidates[best].tolist()
        found.append((red, green, blue))
        nearest = torch.minimum(nearest, (lab[: len(candidates)] - lab[best]).norm(dim=1))
    return tuple(found)
