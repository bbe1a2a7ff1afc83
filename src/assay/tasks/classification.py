"""Classification: every image has one of the classes."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Int64
from torch import Tensor, nn

from assay.data.batches import ImageData
from assay.errors import AssayError, RunFailed
from assay.models.modes import evaluating
from assay.recipe import BinaryCrossEntropy, Loss, MeanSquaredError
from assay.train.losses import per_sample_loss


def outputs(loss: Loss, classes: list[str]) -> int:
    """The number of logits: one for each class, or a single one under binary cross-entropy, which needs two classes.

    Raises AssayError where the loss does not fit the classes.
    """
    weights = None if isinstance(loss, MeanSquaredError) else loss.class_weights
    if weights not in (None, "inverse") and len(weights) != len(classes):
        raise AssayError(
            f"train.loss: class_weights has {len(weights)} numbers, expected {len(classes)}, one for each class: "
            + ", ".join(classes)
        )
    if not isinstance(loss, BinaryCrossEntropy):
        return len(classes)
    if len(classes) != 2:
        raise AssayError(
            f"train.loss: binary_cross_entropy needs 2 classes, and the data has {len(classes)}; use cross_entropy"
        )
    return 1


def probabilities(logits: Float[Tensor, "batch outputs"]) -> Float32[Tensor, "batch classes"]:
    """Softmax of the logits, or (1 − p, p) with p the sigmoid of a single logit."""
    logits = logits.float()
    if logits.shape[1] > 1:
        return logits.softmax(dim=1)
    return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=1)


def correct(logits: Float[Tensor, "batch outputs"], labels: Int[Tensor, " batch"]) -> Bool[Tensor, " batch"]:
    """Where the most probable class (of equals the first) is the label."""
    return probabilities(logits).argmax(dim=1) == labels


@dataclass(frozen=True)
class Predictions:
    """What a network says of the images of one split, in the order of the split's indices."""

    indices: Int64[np.ndarray, " n"]
    """Of the images in their source."""
    labels: Int64[np.ndarray, " n"]
    probabilities: Float32[np.ndarray, "n classes"]
    losses: Float32[np.ndarray, " n"]

    @property
    def predicted(self) -> Int64[np.ndarray, " n"]:
        """The most probable class, of equals the first."""
        predicted: Int64[np.ndarray, " n"] = self.probabilities.argmax(axis=1)
        return predicted

    @property
    def confidence(self) -> Float32[np.ndarray, " n"]:
        """The probability of the predicted class."""
        confidence: Float32[np.ndarray, " n"] = self.probabilities.max(axis=1)
        return confidence


def predict(model: nn.Module, data: ImageData, split: str, loss: Loss, device: torch.device) -> Predictions:
    """Run the images of ``split``, or their features, through ``model``: in evaluation mode, in float32, not augmented.

    Raises RunFailed where the network gives a value that is not finite.
    """
    loss_of = per_sample_loss(loss)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    with evaluating(model):
        for images, labels in data.batches(split, data.pass_size, device):
            logits = model(images)
            found.append((labels.cpu(), probabilities(logits).cpu(), loss_of(logits, labels).cpu()))
    all_labels, chances, losses = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    if not (np.isfinite(chances).all() and np.isfinite(losses).all()):
        raise RunFailed(f"the network's outputs on the {split} images are not finite")
    return Predictions(np.asarray(data.indices[split], dtype=np.int64), all_labels, chances, losses)
