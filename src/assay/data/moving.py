"""Boxes and masks go where a step of augmentation has just moved their pictures.

A box becomes the hull of its moved corners, so that it grows under a rotation, cut off at the edges of the picture.
A mask is resampled by the nearest pixel, and what moves in from outside is void.
"""

from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from assay.data.boxes import NO_BOX, BoxBatch
from assay.data.targets import Target

LEAST_LEFT = 0.25
"""Of a box's area, must stay in the picture: else the box is none any more."""
_CORNERS = [0, 1, 2, 1, 2, 3, 0, 3]
"""x and y of the four corners, among the edges x1, y1, x2, y2."""


def moved(target: Target, step: nn.Module, size: tuple[int, int]) -> Target:
    """``target`` after ``step``, which was called last on its images of height and width ``size``.

    A step that moves no pixels, such as a brightness, and targets that belong to the whole image change nothing.
    """
    from kornia.augmentation import GeometricAugmentationBase2D

    if not isinstance(step, GeometricAugmentationBase2D):
        return target
    if isinstance(target, BoxBatch):
        return _moved_boxes(target, step, size)
    return _moved_masks(target, step) if target.ndim == 3 else target


def _moved_boxes(boxes: BoxBatch, step: Any, size: tuple[int, int]) -> BoxBatch:
    """The matrix of a step moves centres of pixels, which lie half a pixel from their edges."""
    matrix: Float[Tensor, "b 3 3"] = step.transform_matrix
    corners = boxes.edges[..., _CORNERS].unflatten(-1, (4, 2)) - 0.5
    turned = (matrix[:, None, None, :2, :2] * corners[..., None, :]).sum(-1)
    there = turned + matrix[:, None, None, :2, 2] + 0.5
    first, last = there.amin(2), there.amax(2)
    limit = torch.tensor([size[1], size[0]], dtype=first.dtype, device=first.device)
    first_seen, last_seen = first.clamp(min=0).minimum(limit), last.clamp(min=0).minimum(limit)
    sides = last_seen - first_seen
    seen = (sides >= 1).all(-1) & (sides.prod(-1) >= LEAST_LEFT * (last - first).prod(-1))
    return BoxBatch(torch.cat([first_seen, last_seen], dim=-1), boxes.labels.where(seen, NO_BOX))


def _moved_masks(masks: UInt8[Tensor, "b h w"], step: Any) -> UInt8[Tensor, "b h w"]:
    """One more than the class, and void as 0, since 0 is what moves in."""
    from kornia.constants import Resample

    there: Tensor = step((masks + 1).float()[:, None], params=step._params, resample=Resample.NEAREST)
    return there[:, 0].to(torch.uint8) - 1
