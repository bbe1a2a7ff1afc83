"""What classifying without looking reaches: one class, or one row of probabilities, for every image."""

import re

import numpy as np
import polars as pl
from jaxtyping import Float64

from assay.language.speech import later
from assay.recipe import CrossEntropy, Loss, MeanSquaredError
from assay.tasks.chance import AT_RANDOM, Chance, entropy

LARGEST = later("guessing the largest class")


def chance(table: pl.DataFrame, metric: str, loss: Loss) -> Chance | None:
    """Of a metric of the test images in ``table``; None where none is known.

    Macro means are over the classes that have images, as the measure has them. With equal shares every class is the
    largest. The best probabilities are the classes' shares: the loss is then their entropy.
    """
    counts = np.bincount(table["label"].to_numpy(), minlength=len(table["probabilities"][0]))
    shares = counts / counts.sum()
    if metric == "loss":
        return Chance(_loss(shares, loss), later("guessing the classes' shares"))
    if top := re.fullmatch(r"top_([1-9][0-9]*)_accuracy", metric):
        k = int(top[1])
        return Chance(float(np.sort(shares)[-k:].sum()), later("guessing the {k} largest classes"), parts={"k": k})
    largest, classes = float(shares.max()), int(np.count_nonzero(shares))
    f1 = 2 * largest / (1 + largest)
    at_random = {"roc_auc_macro": 0.5, "average_precision_macro": 1 / classes}
    if metric in at_random:
        return Chance(at_random[metric], AT_RANDOM)
    values = {
        "accuracy": largest,
        "balanced_accuracy": 1 / classes,
        "f1_macro": f1 / classes,
        "precision_macro": largest / classes,
        "recall_macro": 1 / classes,
        "f1_weighted": largest * f1,
        "precision_weighted": largest**2,
        "recall_weighted": largest,
    }
    return Chance(values[metric], LARGEST, "balanced_accuracy") if metric in values else None


def _loss(shares: Float64[np.ndarray, " classes"], loss: Loss) -> float:
    """The least mean loss of one row of probabilities, as ``losses.per_sample_loss`` measures it."""
    match loss:
        case MeanSquaredError():
            return float((shares * (1 - shares)).mean())
        case CrossEntropy():
            return entropy((1 - loss.label_smoothing) * shares + loss.label_smoothing / len(shares))
        case _:
            return entropy(shares)
