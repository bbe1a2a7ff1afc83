"""Boxes and masks go where a matrix moves their pictures.

A box becomes the hull of its moved corners, so that it grows under a rotation, cut off at the edges of the picture. Too
little of it left, it is none any more: these limits are of boxes that move, for any task and network.
A mask is resampled by the nearest pixel, and what moves in from outside is void.
"""

import torch
from jaxtyping import UInt8
from torch import Tensor

from assay.data.affine import Matrices, resampled
from assay.data.boxes import NO_BOX, BoxBatch
from assay.data.targets import Target

LEAST_LEFT = 0.1
"""Of a box's area, must stay in the picture."""
LEAST_SIDE = 2.0
"""Pixels that what is left must be wide and high."""
SLIMMEST = 100.0
"""Times the shorter side, the longer one at most."""
_CORNERS = [0, 1, 2, 1, 2, 3, 0, 3]
"""x and y of the four corners, among the edges x1, y1, x2, y2."""


def moved(target: Target, matrix: Matrices, size: tuple[int, int]) -> Target:
    """``target`` of images of height and width ``size``; what belongs to the whole image stays as it is."""
    if isinstance(target, BoxBatch):
        return _moved_boxes(target, matrix, size)
    return _moved_masks(target, matrix) if target.ndim == 3 else target


def _moved_boxes(boxes: BoxBatch, matrix: Matrices, size: tuple[int, int]) -> BoxBatch:
    limit = torch.tensor([size[1], size[0]], dtype=boxes.edges.dtype, device=boxes.edges.device)
    corners = boxes.edges[..., _CORNERS].unflatten(-1, (4, 2)) - limit / 2
    turned = (matrix[:, None, None, :, :2] * corners[..., None, :]).sum(-1)
    there = turned + matrix[:, None, None, :, 2] + limit / 2
    first, last = there.amin(2), there.amax(2)
    first_seen, last_seen = first.clamp(min=0).minimum(limit), last.clamp(min=0).minimum(limit)
    sides = last_seen - first_seen
    shorter, longer = sides.amin(-1), sides.amax(-1)
    seen = (shorter >= LEAST_SIDE) & (longer <= SLIMMEST * shorter)
    seen &= sides.prod(-1) >= LEAST_LEFT * (last - first).prod(-1)
    return BoxBatch(torch.cat([first_seen, last_seen], dim=-1), boxes.labels.where(seen, NO_BOX))


def _moved_masks(masks: UInt8[Tensor, "b h w"], matrix: Matrices) -> UInt8[Tensor, "b h w"]:
    """One more than the class, and void as 0, since 0 is what moves in."""
    there = resampled((masks + 1).float()[:, None], matrix, "nearest")
    return there[:, 0].to(torch.uint8) - 1
