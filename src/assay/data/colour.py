"""Changes of what pictures show where they are: light, colours, holes.

Images are float in 0…1, and stay there. Light and colours follow torchvision's formulas, with a factor an image.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from assay.data.affine import Images, Uniform, either_way

Paint = Callable[[float, Uniform, Images], Images]
"""(amount, random numbers, images) → the images, changed."""
_HOLE = 0.02, 0.33
"""Least and largest share of the area that is erased."""
_RATIO = math.log(0.3), math.log(3.3)
"""Of the sides of what is erased; its logarithm is uniform."""


def brightness(share: float, u: Uniform, images: Images) -> Images:
    """All of an image times one factor."""
    return (images * factor(share, u, 0)).clamp_(0, 1)


def contrast(share: float, u: Uniform, images: Images) -> Images:
    """Away from, or towards, the mean of the image's grays."""
    return between(grays(images).mean((2, 3), keepdim=True), images, factor(share, u, 0))


def saturation(share: float, u: Uniform, images: Images) -> Images:
    """Away from, or towards, the gray of every pixel; gray images stay as they are."""
    return images if images.shape[1] == 1 else between(grays(images), images, factor(share, u, 0))


def hue(share: float, u: Uniform, images: Images) -> Images:
    """Every colour by a share of the colour circle, at most so far either way; gray images stay as they are."""
    if images.shape[1] == 1:
        return images
    from kornia.color import hsv_to_rgb, rgb_to_hsv

    h, s, v = rgb_to_hsv(images).split(1, dim=1)
    turned = (h + 2 * math.pi * either_way(share, u[:, 0])[:, None, None, None]) % (2 * math.pi)
    found: Images = hsv_to_rgb(torch.cat([turned, s, v], dim=1))
    return found.clamp_(0, 1)


def color_jitter(share: float, u: Uniform, images: Images) -> Images:
    """Brightness, contrast and saturation by at most ``share``, and hue by at most a quarter of it.

    The proportions of SimCLR (Chen et al. 2020, arXiv:2002.05709, appendix A), in this order.
    """
    images = brightness(share, u[:, :1], images)
    images = saturation(share, u[:, 2:3], contrast(share, u[:, 1:2], images))
    return hue(share / 4, u[:, 3:], images)


def erase(probability: float, u: Uniform, images: Images) -> Images:
    """One rectangle of the image is black: 2 to 33 % of it, its sides 0.3 to 3.3 (Zhong et al. 2017, arXiv:1708.04896);
    one that is longer than a side is cut to it."""
    area = _HOLE[0] + (_HOLE[1] - _HOLE[0]) * u[:, 1]
    ratio = (_RATIO[0] + (_RATIO[1] - _RATIO[0]) * u[:, 2]).exp()
    _, _, h, w = images.shape
    rows = _inside(h, (area * ratio * h * w).sqrt(), u[:, 3])
    columns = _inside(w, (area / ratio * h * w).sqrt(), u[:, 4])
    hole = rows[:, :, None] & columns[:, None, :] & (u[:, :1, None] < probability)
    return images.masked_fill(hole[:, None], 0)


def grays(images: Images) -> Float[Tensor, "batch 1 height width"]:
    """Luma of colour images (ITU-R BT.601), and gray ones as they are; of other channels their mean."""
    channels = images.shape[1]
    if channels == 3:
        r, g, b = images.split(1, dim=1)
        luma: Tensor = 0.2989 * r + 0.587 * g + 0.114 * b
        return luma
    return images if channels == 1 else images.mean(1, keepdim=True)


def factor(share: float, u: Uniform, column: int) -> Float[Tensor, "batch 1 1 1"]:
    """1 − share…1 + share, by the random numbers of a column."""
    return (1 + either_way(share, u[:, column]))[:, None, None, None]


def between(one: Tensor, images: Images, factor: Tensor) -> Images:
    """``one`` at 0, the images at 1, and beyond them above 1."""
    return (one + (images - one) * factor).clamp_(0, 1)


def _inside(side: int, length: Tensor, u: Tensor) -> Bool[Tensor, "batch side"]:
    """Which of the places of a side lie in a piece of ``length`` at a random place."""
    length = length.round().clamp(1, side)
    first = (u * (side - length + 1)).floor()
    place = torch.arange(side, device=u.device)
    return (place >= first[:, None]) & (place < (first + length)[:, None])
