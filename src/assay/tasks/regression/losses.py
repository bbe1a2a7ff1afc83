"""Losses, one value for each image: the mean over targets, of standardised values, so that no unit outweighs others."""

from collections.abc import Callable
from functools import partial

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from assay.errors import AssayError
from assay.recipe import Huber, Loss, MeanAbsoluteError, MeanSquaredError

PerSampleLoss = Callable[[Tensor, Tensor], Tensor]
"""(outputs (batch, targets), standardised values (batch, targets)) → losses (batch,)."""


def per_sample_loss(loss: Loss) -> PerSampleLoss:
    """What a recipe's loss measures. AssayError for one of another task."""
    match loss:
        case MeanSquaredError():
            return partial(mean_over_targets, functional.mse_loss)
        case MeanAbsoluteError():
            return partial(mean_over_targets, functional.l1_loss)
        case Huber():
            return partial(mean_over_targets, partial(functional.huber_loss, delta=loss.delta))
        case _:
            raise AssayError(f"train.loss: '{loss.name}' is no loss of regression")


def mean_over_targets(
    of_each: Callable[..., Tensor], outputs: Float[Tensor, "batch targets"], values: Float[Tensor, "batch targets"]
) -> Float[Tensor, " batch"]:
    """The loss ``of_each`` output, averaged over the targets of an image, in float32 whatever the outputs are in."""
    return of_each(outputs.float(), values, reduction="none").mean(dim=1)
