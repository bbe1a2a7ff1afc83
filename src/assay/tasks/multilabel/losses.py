"""Binary cross-entropy of every label, from its own sigmoid: the loss of an image is the mean over its labels.

What is measured knows neither weights nor the focus on what is hard, as in ``tasks.classification.losses``: a focal
loss is measured as cross-entropy.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn import functional

from assay.errors import AssayError
from assay.recipe import BinaryCrossEntropy, Focal, Loss
from assay.tasks.focal import focal

Objective = Callable[[Tensor, Tensor], Tensor]
"""(losses (batch, labels), tags (batch, labels)) → what is minimised, one number."""


def binary_cross_entropy(
    logits: Float[Tensor, "batch labels"], tags: Float[Tensor, "batch labels"]
) -> Float32[Tensor, "batch labels"]:
    """−log of the probability that the sigmoid of a logit gives to what is true of the label."""
    return functional.binary_cross_entropy_with_logits(logits.float(), tags.float(), reduction="none")


def objective(loss: Loss, counts: Int64[np.ndarray, " labels"], images: int, device: torch.device) -> Objective:
    """The mean over the images and labels of a batch, focused and weighted as the recipe's loss asks.

    With weights w, as with ``pos_weight`` in torch.nn.BCEWithLogitsLoss, the loss of a label where it is there counts
    w times. ``counts`` of the training ``images`` have each label.
    """
    weights = positive_weights(loss, counts, images)
    weights = None if weights is None else weights.to(device)
    gamma = loss.gamma if isinstance(loss, Focal) else 0.0

    def combined(losses: Float[Tensor, "batch labels"], tags: Float[Tensor, "batch labels"]) -> Float[Tensor, ""]:
        if gamma:
            losses = focal(losses, gamma)
        if weights is not None:
            losses = torch.where(tags > 0, weights, 1.0) * losses
        return losses.mean()

    return combined


def positive_weights(
    loss: Loss, counts: Int64[np.ndarray, " labels"], images: int
) -> Float32[Tensor, " labels"] | None:
    """What a label counts where it is there, against 1 where it is not; None where the loss has no weights.

    ``inverse``: (n − n_c) / n_c, with which both sides of a label weigh the same. A label that none of the n training
    images has, or all, is weighted as if there were one exception.
    """
    weights = stated_weights(loss)
    if weights is None:
        return None
    if weights == "inverse":
        there = np.clip(counts, 1, max(images - 1, 1))
        return torch.from_numpy(((images - there) / there).astype(np.float32))
    return torch.tensor(weights, dtype=torch.float32)


def stated_weights(loss: Loss) -> str | tuple[float, ...] | None:
    """The recipe's ``class_weights``. AssayError for a loss that knows no labels."""
    if not isinstance(loss, BinaryCrossEntropy | Focal):
        raise AssayError(f"train.loss: {loss.name} is for one label an image; expected binary_cross_entropy or focal")
    return loss.class_weights
