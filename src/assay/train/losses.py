"""Losses, one value for each image: the loop takes their mean, the measures keep them apart."""

from collections.abc import Callable
from functools import partial

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from assay.recipe import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError

PerSampleLoss = Callable[[Tensor, Tensor], Tensor]
"""(logits (batch, outputs), labels (batch,)) → losses (batch,)."""


def per_sample_loss(loss: Loss) -> PerSampleLoss:
    """The function for a recipe's loss. It computes in float32, whatever the precision of the logits."""
    match loss:
        case CrossEntropy():
            return partial(cross_entropy, label_smoothing=loss.label_smoothing)
        case MeanSquaredError():
            return mse
        case BinaryCrossEntropy():
            return binary_cross_entropy


def cross_entropy(
    logits: Float[Tensor, "batch outputs"], labels: Int[Tensor, " batch"], label_smoothing: float = 0.0
) -> Float[Tensor, " batch"]:
    """−log softmax of the label's logit; label smoothing ε mixes the target with ε/outputs for every class.

    Label smoothing: Szegedy et al., arXiv:1512.00567, section 7.
    """
    return functional.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=label_smoothing)


def mse(logits: Float[Tensor, "batch outputs"], labels: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """Squared distance between softmax and one-hot target, averaged over classes (Brier's score over their number)."""
    probabilities = logits.float().softmax(dim=1)
    targets = functional.one_hot(labels, logits.shape[1]).to(probabilities.dtype)
    return (probabilities - targets).square().mean(dim=1)


def binary_cross_entropy(logits: Float[Tensor, "batch 1"], labels: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """−log of the probability of the label (0 or 1), where the sigmoid of the one logit is that of class 1."""
    return functional.binary_cross_entropy_with_logits(logits.float()[:, 0], labels.float(), reduction="none")
