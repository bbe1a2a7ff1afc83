"""Boxes and masks go where a matrix moves their pictures.

A box becomes the hull of its moved corners, so that it grows under a rotation, cut off at the edges of the picture. Too
little of it left, it is none any more: these limits are of boxes that move, for any task and network. What lies outside
its picture before the move is not seen after it either.
A mask is resampled by the nearest pixel, and what moves in from outside is void.
"""

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from assay.data.affine import Matrices, resampled
from assay.data.boxes import NO_BOX, BoxBatch
from assay.data.geometry import Size
from assay.data.targets import Target

LEAST_LEFT = 0.1
"""Of a box's area, must stay in the picture."""
LEAST_SIDE = 2.0
"""Pixels that what is left must be wide and high."""
SLIMMEST = 100.0
"""Times the shorter side, the longer one at most."""
Edges = Float32[Tensor, "b most 4"]
_CORNERS = [0, 1, 2, 1, 2, 3, 0, 3]
"""x and y of the four corners, among the edges x1, y1, x2, y2."""


def moved(target: Target, matrix: Matrices, before: Size, size: Size) -> Target:
    """``target`` of images that were of height and width ``before`` and are of ``size`` now; what belongs to the whole
    image stays as it is."""
    if isinstance(target, BoxBatch):
        return _moved_boxes(target, matrix, before, size)
    return _moved_masks(target, matrix, size) if target.ndim == 3 else target


def _moved_boxes(boxes: BoxBatch, matrix: Matrices, before: Size, size: Size) -> BoxBatch:
    whole = _hulls(boxes.edges, matrix, before, size)
    seen = _inside(_hulls(_inside(boxes.edges, before), matrix, before, size), size)
    sides, whole_sides = seen[..., 2:] - seen[..., :2], whole[..., 2:] - whole[..., :2]
    shorter, longer = sides.amin(-1), sides.amax(-1)
    there = (shorter >= LEAST_SIDE) & (longer <= SLIMMEST * shorter)
    there &= sides.prod(-1) >= LEAST_LEFT * whole_sides.prod(-1)
    return BoxBatch(seen, boxes.labels.where(there, NO_BOX))


def _hulls(edges: Edges, matrix: Matrices, before: Size, size: Size) -> Edges:
    corners = edges[..., _CORNERS].unflatten(-1, (4, 2)) - _limit(before, edges) / 2
    turned = (matrix[:, None, None, :, :2] * corners[..., None, :]).sum(-1)
    there = turned + matrix[:, None, None, :, 2] + _limit(size, edges) / 2
    return torch.cat([there.amin(2), there.amax(2)], dim=-1)


def _inside(edges: Edges, size: Size) -> Edges:
    return edges.clamp(min=0).minimum(_limit(size, edges).repeat(2))


def _limit(size: Size, like: Tensor) -> Float32[Tensor, "2"]:
    return torch.tensor(size[::-1], dtype=like.dtype, device=like.device)


def _moved_masks(masks: UInt8[Tensor, "b h w"], matrix: Matrices, size: Size) -> UInt8[Tensor, "b height width"]:
    """One more than the class, and void as 0, since 0 is what moves in."""
    there = resampled((masks + 1).float()[:, None], matrix, "nearest", size)
    return there[:, 0].to(torch.uint8) - 1
