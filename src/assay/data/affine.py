"""Moves of pictures as matrices, so that several of them are one, and one resampling.

A matrix (2, 3) takes a point of the picture, x and y in pixels from its middle, to where it is moved.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor
from torch.nn import functional

Images = Float[Tensor, "batch channels height width"]
Bytes = UInt8[Tensor, "batch channels height width"]
Matrices = Float32[Tensor, "batch 2 3"]
Uniform = Float32[Tensor, "batch numbers"]
"""Random numbers in 0…1, a row an image."""
Move = Callable[[float, Uniform, tuple[int, int]], Matrices]
"""(amount, random numbers, height and width) → what moves each image."""
_CACHED = 4 << 20
"""Bytes of images that are resampled at a time on a processor."""


def matrices(*numbers: Tensor | float) -> Matrices:
    """[[a, b, x], [c, d, y]] an image, from a, b, c, d, x, y; at least one of them is a tensor (batch,)."""
    like = next(number for number in numbers if isinstance(number, Tensor))
    a, b, c, d, x, y = (n if isinstance(n, Tensor) else torch.full_like(like, n) for n in numbers)
    return torch.stack([a, b, x, c, d, y], dim=-1).view(-1, 2, 3)


def either_way(amount: float, u: Tensor) -> Tensor:
    """Uniform in −amount…amount."""
    return (2 * u - 1) * amount


def horizontal_flip(probability: float, u: Uniform, size: tuple[int, int]) -> Matrices:
    """Left and right change places."""
    return matrices(1 - 2 * (u[:, 0] < probability).float(), 0.0, 0.0, 1.0, 0.0, 0.0)


def vertical_flip(probability: float, u: Uniform, size: tuple[int, int]) -> Matrices:
    """Top and bottom change places."""
    return matrices(1.0, 0.0, 0.0, 1 - 2 * (u[:, 0] < probability).float(), 0.0, 0.0)


def rotation(degrees: float, u: Uniform, size: tuple[int, int]) -> Matrices:
    """About the middle, at most so far either way."""
    angle = either_way(math.radians(degrees), u[:, 0])
    cos, sin = angle.cos(), angle.sin()
    return matrices(cos, -sin, sin, cos, 0.0, 0.0)


def translation(share: float, u: Uniform, size: tuple[int, int]) -> Matrices:
    """By at most a share of each side."""
    h, w = size
    return matrices(1.0, 0.0, 0.0, 1.0, either_way(share * w, u[:, 0]), either_way(share * h, u[:, 1]))


def zoom(share: float, u: Uniform, size: tuple[int, int]) -> Matrices:
    """About the middle, both sides alike."""
    scale = 1 + either_way(share, u[:, 0])
    return matrices(scale, 0.0, 0.0, scale, 0.0, 0.0)


def crop(pixels: float, u: Uniform, size: tuple[int, int]) -> Matrices:
    """By whole pixels: zeros all around, and a window of the old size."""
    x, y = ((u[:, side] * (2 * pixels + 1)).floor() - pixels for side in (0, 1))
    return matrices(1.0, 0.0, 0.0, 1.0, x, y)


def random_resized_crop(least: float, u: Uniform, size: tuple[int, int]) -> Matrices:
    """A window of ``least`` to all of the area and 3:4 to 4:3 of the sides' ratio, stretched over the whole picture.

    The area is uniform, and the logarithm of the ratio (Szegedy et al. 2015, arXiv:1409.4842, section 6); a window
    longer than a side is cut to it.
    """
    h, w = size
    area, ratio = least + (1 - least) * u[:, 0], either_way(math.log(4 / 3), u[:, 1]).exp()
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    x, y = (0.5 - u[:, 2]) * (1 - width) * w, (0.5 - u[:, 3]) * (1 - height) * h
    return matrices(1 / width, 0.0, 0.0, 1 / height, x / width, y / height)


def composed(first: Matrices, then: Matrices) -> Matrices:
    """One matrix for both."""
    linear, shift = then[:, :, :2], then[:, :, 2]
    turned = (linear[:, :, :, None] * first[:, None, :, :]).sum(2)
    return torch.cat([turned[:, :, :2], (turned[:, :, 2] + shift)[:, :, None]], dim=2)


def inverse(matrix: Matrices) -> Matrices:
    """The way back."""
    (a, b, x), (c, d, y) = (row.unbind(1) for row in matrix.unbind(1))
    over = 1 / (a * d - b * c)
    a, b, c, d = d * over, -b * over, -c * over, a * over
    return matrices(a, b, c, d, -(a * x + b * y), -(c * x + d * y))


def unit(images: Images | Bytes) -> Images:
    """Bytes as numbers in 0…1; numbers as they are."""
    return images if images.is_floating_point() else images.float().mul_(1 / 255)


def resampled(
    images: Images | Bytes, matrix: Matrices, mode: str, size: tuple[int, int] | None = None, around: float = 0.0
) -> Float[Tensor, "batch channels h w"]:
    """Each image, in 0…1, moved by its matrix, ``bilinear`` or ``nearest``; ``around`` moves in from outside.

    A matrix takes points to where they are from the middle of an image of height and width ``size``, that of ``images``
    unless stated. Where the matrices move whole pixels, ``nearest`` is exact, but for the last bit where something is
    around. On the processor a few images at a time, which its caches hold.
    """
    back, size = inverse(matrix), size or (images.shape[2], images.shape[3])
    few = max(1, _CACHED // (4 * images[:1].numel())) if images.device.type == "cpu" else len(images)
    found = torch.empty(*images.shape[:2], *size, device=images.device)
    for out, part, there in zip(found.split(few), images.split(few), back.split(few), strict=True):
        inside = unit(part) - around if around else unit(part)
        out.copy_(functional.grid_sample(inside, _grid(there, size, part), mode, "zeros", align_corners=False))
    return found.add_(around) if around else found


def _grid(matrix: Matrices, size: tuple[int, int], images: Tensor) -> Float32[Tensor, "batch h w 2"]:
    """Where each pixel of a picture of ``size`` comes from in ``images``, in ``grid_sample``'s units: -1…1 from edge to
    edge."""
    (h, w), (height, width) = size, images.shape[2:]
    (a, b, x0), (c, d, y0) = (row[:, :, None, None].unbind(1) for row in matrix.unbind(1))
    x = torch.arange(w, dtype=torch.float32, device=images.device) - (w - 1) / 2
    y = (torch.arange(h, dtype=torch.float32, device=images.device) - (h - 1) / 2)[:, None]
    return torch.stack([(a * x + (b * y + x0)) * (2 / width), (c * x + (d * y + y0)) * (2 / height)], dim=-1)
