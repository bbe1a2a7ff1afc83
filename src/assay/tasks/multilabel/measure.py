"""How well each label is found, and all of them together."""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from assay.recipe import MultilabelMeasure
from assay.tasks.contract import Trained, Value
from assay.tasks.multilabel.predictions import Predictions
from assay.tasks.predicting import scores
from assay.tasks.scores import average_precision_score

OVERALL = (
    "average_precision_macro",
    "f1_macro",
    "f1_micro",
    "precision_macro",
    "recall_macro",
    "exact_match",
    "hamming_loss",
    "loss",
)
MIXED_UP = {"missed": pl.String, "said": pl.String, "images": pl.Int64}
OTHER_SPLITS = ("loss", "average_precision_macro")


def measure(trained: Trained, options: MultilabelMeasure) -> dict[str, Value]:
    """``quality`` of the test images, and of the other splits ``<split>_loss`` and ``<split>_average_precision_macro``.

    A number that does not exist, such as the average precision of a label that no image has, is left out.
    """
    values = quality(trained.predictions["test"])
    for split, predictions in trained.predictions.items():
        if split != "test":
            values |= {f"{split}_{name}": value for name, value in existing(predictions, OTHER_SPLITS).items()}
    return values


def quality(predictions: Predictions) -> dict[str, Value]:
    """Means over the labels that have images, exact match, share of wrong labels, mean loss; of each label
    ``average_precision_<label>`` and ``f1_<label>``; the tables ``labels`` and ``mixed_up``."""
    of_labels = [f"{name}_{label}" for name in ("average_precision", "f1") for label in predictions.labels]
    found: dict[str, Value] = {**existing(predictions, of_labels), **existing(predictions, OVERALL)}
    return found | {"labels": by_label(predictions), "mixed_up": mixed_up(predictions)}


def existing(predictions: Predictions, metrics: Sequence[str]) -> dict[str, float]:
    """Those that exist for these images."""
    return {name: value for name, value in scores(predictions, metrics).items() if math.isfinite(value)}


def by_label(predictions: Predictions) -> pl.DataFrame:
    """A row a label: label, images with it, hits, missed, false_alarms, average_precision, f1, precision, recall.

    A label that no image has has no measures, null; one that images have and that is never said has precision 0.
    """
    truth, said, chances = predictions.truth, predictions.predicted, predictions.probabilities
    there, told, hits = (which.sum(axis=0) for which in (truth, said, truth & said))
    ones = np.ones((1, len(truth)))
    areas = [average_precision_score(truth[:, i], chances[:, i])(ones)[0] for i in range(truth.shape[1])]
    with np.errstate(invalid="ignore"):
        shares = {"f1": 2 * hits / (there + told), "precision": hits / np.maximum(told, 1), "recall": hits / there}
    shares = {name: np.where(there > 0, share, np.nan) for name, share in shares.items()}
    counts = {"images": there, "hits": hits, "missed": there - hits, "false_alarms": told - hits}
    table = pl.DataFrame({"label": predictions.labels, **counts, "average_precision": areas, **shares})
    return table.with_columns(pl.col(pl.Float64).fill_nan(None))


def mixed_up(predictions: Predictions) -> pl.DataFrame:
    """In how many images a label was missed and another one said that is not there: missed, said, images."""
    truth, said = predictions.truth, predictions.predicted
    together = (truth & ~said).T.astype(np.int64) @ (said & ~truth).astype(np.int64)
    pairs = np.argwhere(together)
    missed, instead = ([predictions.labels[i] for i in column] for column in pairs.T)
    counts = together[together > 0]
    return pl.DataFrame({"missed": missed, "said": instead, "images": counts}, schema=MIXED_UP)
