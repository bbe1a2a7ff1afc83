"""Losses, one value for each image: the loop minimises their mean, the measures keep them apart.

What is measured knows neither class weights nor the focus on hard images: those shape the training only, so that the
losses of variants trained with and without them can be compared. A focal loss is measured as cross-entropy.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Int64
from torch import Tensor
from torch.nn import functional

from assay.errors import AssayError
from assay.recipe import BinaryCrossEntropy, CrossEntropy, Focal, Loss, MeanSquaredError
from assay.tasks.contract import Total
from assay.tasks.focal import focal
from assay.tasks.weighted import weighted_mean

PerSampleLoss = Callable[[Tensor, Tensor], Tensor]
"""(logits (batch, outputs), labels (batch,)) → losses (batch,)."""

Objective = Callable[[Tensor, Tensor], Tensor]
"""(losses (batch,), labels (batch,)) → what is minimised, one number."""


def per_sample_loss(loss: Loss) -> PerSampleLoss:
    """What is measured under a recipe's loss. It computes in float32, whatever the precision of the logits."""
    match loss:
        case CrossEntropy():
            return partial(cross_entropy, label_smoothing=loss.label_smoothing)
        case Focal():
            return cross_entropy
        case MeanSquaredError():
            return mse
        case BinaryCrossEntropy():
            return binary_cross_entropy
        case _:
            raise AssayError(f"train.loss: '{loss.name}' is no loss of classification")


def objective(
    loss: Loss, counts: Int64[np.ndarray, " classes"], device: torch.device, total: Total | None = None
) -> Objective:
    """The batch's loss for a recipe's loss, from the losses of its images and ``counts`` training images per class.

    The mean; with class weights w, as in torch.nn.CrossEntropyLoss, Σ w(label)·loss / Σ w(label) over the batch.
    Under label smoothing the whole loss of an image has the weight of its label, where torch weighs its terms apart.
    ``total`` as of ``weighted_mean``.
    """
    weights = class_weights(loss, counts)
    weights = None if weights is None else weights.to(device)
    gamma = loss.gamma if isinstance(loss, Focal) else 0.0

    def combined(losses: Float[Tensor, " batch"], labels: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
        if gamma:
            losses = focal(losses, gamma)
        if weights is None:
            return losses.mean()
        return weighted_mean(losses, weights[labels], total)

    return combined


def class_weights(loss: Loss, counts: Int64[np.ndarray, " classes"]) -> Float[Tensor, " classes"] | None:
    """The weights of the classes, in their order; None where the loss has none.

    ``inverse``: n / (classes · n_c), which is 1 on average over the n training images.
    """
    weights = getattr(loss, "class_weights", None)
    if weights is None:
        return None
    values = counts.sum() / (len(counts) * counts) if weights == "inverse" else np.array(weights)
    return torch.from_numpy(values.astype(np.float32))


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


def probabilities(logits: Float[Tensor, "batch outputs"]) -> Float32[Tensor, "batch classes"]:
    """Softmax of the logits, or (1 − p, p) with p the sigmoid of a single logit."""
    logits = logits.float()
    if logits.shape[1] > 1:
        return logits.softmax(dim=1)
    return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=1)


def correct(logits: Float[Tensor, "batch outputs"], labels: Int[Tensor, " batch"]) -> Bool[Tensor, " batch"]:
    """Where the most probable class (of equals the first) is the label."""
    return probabilities(logits).argmax(dim=1) == labels
