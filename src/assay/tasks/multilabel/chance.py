"""What saying labels without looking reaches: the same labels, or the same probabilities, for every image."""

import numpy as np
import polars as pl

from assay.language.speech import later
from assay.recipe import Loss
from assay.tasks.chance import AT_RANDOM, Chance, entropy
from assay.tasks.multilabel.predictions import Predictions

SHARES = later("saying each label with its share of the images")
EVERY = later("saying every label")
USUAL = later("saying the labels of more than half of the images")


def chance(table: pl.DataFrame, metric: str, loss: Loss) -> Chance | None:
    """Of a metric of the test images in ``table``; None where none is known.

    The F1 of a label of share p is 2p / (1 + p) where it is said of every image; the micro mean is best with the most
    frequent labels alone. Means are over the labels that have images. Precision and recall have no level apart: one is
    bought with the other.
    """
    found = Predictions.read(table)
    shares = found.truth.mean(axis=0)
    there = shares[shares > 0]
    _, times = np.unique(found.truth, axis=0, return_counts=True)
    most = np.sort(shares)[::-1].cumsum()
    micro = 2 * most / (np.arange(1, len(shares) + 1) + shares.sum())
    known = {
        "average_precision_macro": Chance(float(there.mean()), AT_RANDOM),
        "roc_auc_macro": Chance(0.5, AT_RANDOM),
        "f1_macro": Chance(float((2 * there / (1 + there)).mean()), EVERY),
        "f1_micro": Chance(float(micro.max()), later("saying the most frequent labels")),
        "exact_match": Chance(float(times.max() / len(found.truth)), later("saying the most frequent set of labels")),
        "hamming_loss": Chance(float(np.minimum(shares, 1 - shares).mean()), USUAL),
        "loss": Chance(
            entropy(np.stack([shares, 1 - shares])) / len(shares),
            later("saying each label with its share of the images"),
        ),
    }
    for label, share in zip(found.labels, shares.tolist(), strict=True):
        known[f"average_precision_{label}"] = Chance(share, AT_RANDOM)
        known[f"f1_{label}"] = Chance(2 * share / (1 + share), EVERY)
    return known.get(metric)
