"""Statistics of batch norms taken anew, where they lag behind the weights.

A norm of momentum m remembers (1 − m)^n of what it began with after n steps. At the usual 0.1 nothing is left after 30;
at 0.01, as in torchvision's mobilenet_v3, a third is after 100, and what is validated is another network than the one
that learned. So it is at 0.1 in a training that has fewer than 30 steps in all, as of twenty pictures.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from assay.data.batches import ImageData
from assay.models.modes import evaluating
from assay.recipe import Recipe
from assay.seeds import numpy_generator
from assay.train.arithmetic import laid_out

SLOW, REMEMBERED = 0.05, 0.05
"""A momentum below the first lags while more than the second of its beginning is left; another one, if so much will be
left when the training ends."""
BATCHES = 32
"""Of training images, at most, from which statistics are taken."""


def lagging(model: nn.Module, steps: int, planned: int) -> list[_BatchNorm]:
    """The batch norms in training mode that remember too much of their beginning after so many steps of the planned."""
    return [
        norm
        for norm in model.modules()
        if isinstance(norm, _BatchNorm)
        and norm.training
        and norm.track_running_stats
        and norm.momentum is not None
        and (1 - norm.momentum) ** (steps if norm.momentum < SLOW else planned) > REMEMBERED
    ]


def take_anew(model: nn.Module, norms: list[_BatchNorm], data: ImageData, recipe: Recipe, device: torch.device) -> None:
    """Give ``norms`` the mean statistics of up to 32 batches of training images, not augmented, of weights as they are.

    All else is in evaluation mode meanwhile. Which images is a function of the recipe's seed alone.
    """
    rows, size = data.indices["train"], recipe.train.batch_size
    chosen = numpy_generator(recipe.seed, "statistics").permutation(rows)[: BATCHES * size]
    some = replace(data, indices=data.indices | {"train": chosen})
    before: list[tuple[float | None, Tensor]] = []
    for norm in norms:
        assert norm.num_batches_tracked is not None
        before.append((norm.momentum, norm.num_batches_tracked.clone()))
    with evaluating(model):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
            norm.training = True
        for images, _ in some.batches("train", size, device):
            model(laid_out(images, recipe.train))
    for norm, (momentum, count) in zip(norms, before, strict=True):
        assert norm.num_batches_tracked is not None
        norm.momentum = momentum
        norm.num_batches_tracked.copy_(count)
