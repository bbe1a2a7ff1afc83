"""Several batches a step of the optimizer: which batches, and how much each counts."""

from dataclasses import dataclass

from assay.data.batches import batch_sizes
from assay.data.shares import WHOLE, Share
from assay.recipe import Train


@dataclass(frozen=True)
class Part:
    """What a batch is of a step."""

    step: int
    """Counted from 0 over the epoch."""
    share: float = 1.0
    """Of the step's images; of one of several devices, whose gradients' mean is taken, as many times its own."""
    is_last: bool = True
    """Whether the step is made after it."""
    own: float = 1.0
    """The device's share of the batch's images."""


def parts(images: int, config: Train, device: Share = WHOLE) -> list[Part]:
    """What each batch of an epoch of so many images is to a ``device``; those that are left at its end make a step too.

    Where a batch's loss is a mean over its images, the shares make the gradient that of one batch of all of them.
    """
    sizes, found = batch_sizes(images, config.batch_size), []
    for step, first in enumerate(range(0, len(sizes), config.accumulate)):
        group = sizes[first : first + config.accumulate]
        for place, size in enumerate(group, start=1):
            own = device.size(size) / size
            found.append(Part(step, device.of * own * size / sum(group), place == len(group), own))
    return found
