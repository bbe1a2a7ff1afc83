"""What telling numbers without looking reaches: the mean or the median of the test images for every one of them."""

from dataclasses import replace

import numpy as np
import polars as pl

from assay.language.speech import later
from assay.recipe import Loss
from assay.tasks.chance import AT_RANDOM, Chance
from assay.tasks.regression.predictions import Predictions

MEAN, MEDIAN = later("guessing the mean"), later("guessing the median")
BEST = {"r2": MEAN, "rmse": MEAN, "mae": MEDIAN}
"""Metric → the number that is best in it."""


def chance(table: pl.DataFrame, metric: str, loss: Loss) -> Chance | None:
    """Of a metric of the test images in ``table``; None where none is known, as of a loss of standardised values.

    R² is 0, RMSE the deviation, MAE the mean distance from the median; a rank correlation is 0.
    """
    name = metric.partition("_")[0]
    if name == "spearman":
        return Chance(0.0, AT_RANDOM)
    if name not in BEST:
        return None
    found = Predictions.read(table)
    middle = found.truth.mean(axis=0) if BEST[name] == MEAN else np.median(found.truth, axis=0)
    score = replace(found, said=np.tile(middle, (len(found.truth), 1))).evidence(metric)
    value = np.nan if score is None else float(score(np.ones((1, len(found.truth))))[0])
    return Chance(0.0 if name == "r2" else value, BEST[name]) if np.isfinite(value) else None
