"""RandAugment (Cubuk et al. 2020, arXiv:1909.13719): each image draws two of fourteen operations, all of one strength.

The operations, and what each does at a strength of 0 to 30, are those of torchvision's ``RandAugment`` (shears about
the top left corner, translations by whole pixels); blurring, posterizing, solarizing, autocontrast and equalizing are
its functions. As of all steps here, the moves are part of one matrix, resampled bilinearly, before anything is painted.
"""

import math

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from assay.data import colour
from assay.data.affine import Images, Matrices, Uniform, composed, matrices

_MOVES = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
_PAINTS = ("brightness", "color", "contrast", "sharpness", "posterize", "solarize", "autocontrast", "equalize")
OPERATIONS = ("identity", *_MOVES, *_PAINTS)
"""Each as likely as the others."""
EACH = 2
"""Operations an image."""
NUMBERS = 2 * EACH
"""Random numbers an image: of each operation which it is, and which way it goes."""
STRONGEST = 30
_SHEAR = 0.3
_SHIFT = 150 / 331
"""Of a side."""
_DEGREES = 30.0
_CHANGE = 0.9
_BITS_LOST = 4


def moves(strength: float, u: Uniform, size: tuple[int, int]) -> Matrices:
    """Both operations as one matrix, that of the identity where they are none that move."""
    first, then = (_moved(strength / STRONGEST, *_drawn(u, number), size) for number in range(EACH))
    return composed(first, then)


def paints(strength: float, u: Uniform, images: Images) -> Images:
    """The operations that paint, one after the other."""
    for number in range(EACH):
        images = _painted(strength / STRONGEST, *_drawn(u, number), images)
    return images


def _drawn(u: Uniform, number: int) -> tuple[Int64[Tensor, " batch"], Float32[Tensor, " batch"]]:
    """Which operation each image has, and 1 or −1."""
    which = (u[:, 2 * number] * len(OPERATIONS)).long().clamp(max=len(OPERATIONS) - 1)
    return which, 1 - 2 * (u[:, 2 * number + 1] < 0.5).float()


def _moved(
    share: float, which: Int64[Tensor, " batch"], way: Float32[Tensor, " batch"], size: tuple[int, int]
) -> Matrices:
    """``share`` of the largest move."""
    h, w = size

    def of(name: str, amount: float) -> Tensor:
        return torch.where(which == OPERATIONS.index(name), way * amount, 0.0)

    across, down = of("shear_x", _SHEAR * share), of("shear_y", _SHEAR * share)
    x, y = (of(name, float(int(_SHIFT * share * side))) for name, side in (("translate_x", w), ("translate_y", h)))
    angle = of("rotate", math.radians(_DEGREES * share))
    cos, sin = angle.cos(), angle.sin()
    return matrices(cos, sin - across, -sin - down, cos, x - across * h / 2, y - down * w / 2)


def _painted(share: float, which: Int64[Tensor, " batch"], way: Float32[Tensor, " batch"], images: Images) -> Images:
    """``share`` of the largest change, each operation on its own images alone."""
    painted = images.clone()
    for number, name in enumerate(OPERATIONS):
        own = which == number
        if name in _PAINTS and own.any():
            painted[own] = _changed(name, share, (way[own, None] + 1) / 2, images[own])
    return painted


def _changed(name: str, share: float, u: Uniform, images: Images) -> Images:
    """One of ``_PAINTS``; ``u`` is 0 or 1, the way that it goes."""
    from torchvision.transforms.v2 import functional

    found: Images
    match name:
        case "brightness":
            found = colour.brightness(_CHANGE * share, u, images)
        case "color":
            found = colour.saturation(_CHANGE * share, u, images)
        case "contrast":
            found = colour.contrast(_CHANGE * share, u, images)
        case "sharpness":
            blurred = functional.adjust_sharpness(images, 0.0)
            found = colour.between(blurred, images, colour.factor(_CHANGE * share, u, 0))
        case "posterize":
            levels = (images * 255).round().to(torch.uint8)
            found = functional.posterize(levels, 8 - round(_BITS_LOST * share)) / 255
        case "solarize":
            found = functional.solarize(images, 1 - share)
        case "autocontrast":
            found = functional.autocontrast(images)
        case "equalize":
            found = functional.equalize(images)
    return found
