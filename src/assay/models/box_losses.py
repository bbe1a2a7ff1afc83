"""How far one box is from another, and a distance as a distribution."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-7


def complete_iou(one: Float[Tensor, "... 4"], other: Float[Tensor, "... 4"]) -> Float[Tensor, "..."]:
    """Intersection over union, less what the centres are apart and what the shapes differ, of boxes x1, y1, x2, y2.

    IoU − ρ²/c² − α·v with ρ the distance of the centres, c the diagonal of what encloses both, v = 4/π²·(difference of
    atan(width/height))² and α = v/(1 − IoU + v), which takes no gradient (Zheng et al., arXiv:1911.08287). The shapes
    are broadcast: (…, m, 1, 4) and (…, 1, n, 4) give all pairs. In [−1.5, 1], up to rounding; 0 in place of IoU for
    boxes of no extent.
    """
    left, top, right, bottom = _sides(one)
    other_left, other_top, other_right, other_bottom = _sides(other)
    width, height = right - left, bottom - top
    other_width, other_height = other_right - other_left, other_bottom - other_top

    across = (torch.minimum(right, other_right) - torch.maximum(left, other_left)).clamp(min=0)
    inner = across * (torch.minimum(bottom, other_bottom) - torch.maximum(top, other_top)).clamp(min=0)
    iou = inner / (width * height + other_width * other_height - inner + EPSILON)

    wide = torch.maximum(right, other_right) - torch.minimum(left, other_left)
    high = torch.maximum(bottom, other_bottom) - torch.minimum(top, other_top)
    apart = (left + right - other_left - other_right).square() + (top + bottom - other_top - other_bottom).square()
    angle, other_angle = torch.atan(width / (height + EPSILON)), torch.atan(other_width / (other_height + EPSILON))
    shape = (4 / math.pi**2) * (angle - other_angle).square()
    with torch.no_grad():
        weight = shape / (1 - iou + shape + EPSILON)
    return iou - apart / 4 / (wide.square() + high.square() + EPSILON) - weight * shape


def distribution_focal_loss(logits: Float[Tensor, "... bins"], distance: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Cross-entropy of the two whole numbers around a distance, each as near as it is (Li et al., arXiv:2006.04388).

    Distances beyond 0 … bins − 1 count as the nearest there.
    """
    last = logits.shape[-1] - 1
    distance = distance.clamp(0, last)
    below = distance.floor().clamp(max=last - 1)
    places = torch.stack([below, below + 1], dim=-1).long()
    shares = torch.stack([below + 1 - distance, distance - below], dim=-1)
    return -(functional.log_softmax(logits, dim=-1).gather(-1, places) * shares).sum(dim=-1)


def _sides(edges: Float[Tensor, "... 4"]) -> list[Float[Tensor, "..."]]:
    """Each side by itself, one after another in memory, as elementwise arithmetic likes it."""
    return [side.contiguous() for side in edges.unbind(-1)]
