"""Two images in one: each image of a batch with the one before it, and what is true of both."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from assay.recipe import Augmentation


@dataclass(frozen=True)
class Mixed:
    """What is true of a batch of mixed images."""

    first: Tensor
    """Labels, numbers or tags, of each image's larger or smaller part."""
    second: Tensor
    """Of the image that was mixed in."""
    share: Float32[Tensor, ""]
    """How much of each image is the first's."""

    @property
    def after_first(self) -> "Mixed":
        """What is true of all but the first image of the batch."""
        return Mixed(self.first[1:], self.second[1:], self.share)


def mixed(
    steps: Sequence[Augmentation],
    images: Float[Tensor, "b c h w"],
    target: Tensor,
    rng: np.random.Generator,
) -> tuple[Float[Tensor, "b c h w"], Mixed]:
    """One of ``steps``, drawn for the batch, with one share for all of its images, of Beta(amount, amount).

    Zhang et al. 2018 (mixup, arXiv:1710.09412); Yun et al. 2019 (CutMix, arXiv:1905.04899): the rectangle's middle is
    uniform, and the share is what is left of the first image after the rectangle was cut at the edges.
    """
    step = steps[int(rng.integers(len(steps)))]
    share = rng.beta(step.amount, step.amount)
    others = images.roll(1, 0)
    if step.name == "mixup":
        images = torch.lerp(others, images, share)
    else:
        rows, columns = (_cut(side, share, rng) for side in images.shape[2:])
        images = images.clone()
        images[:, :, rows, columns] = others[:, :, rows, columns]
        cut = (rows.stop - rows.start) * (columns.stop - columns.start)
        share = 1 - cut / math.prod(images.shape[2:])
    return images, Mixed(target, target.roll(1, 0), torch.full((), share, dtype=torch.float32, device=images.device))


def _cut(side: int, share: float, rng: np.random.Generator) -> slice:
    """A piece of a side, about a random place, that covers √(1 − share) of it where it is not cut at an end."""
    length, middle = side * math.sqrt(1 - share), rng.integers(side)
    return slice(max(0, round(middle - length / 2)), min(side, round(middle + length / 2)))
