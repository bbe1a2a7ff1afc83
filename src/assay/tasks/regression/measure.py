"""How far a network's numbers are from the true ones, and where."""

import math

import numpy as np
import polars as pl
from jaxtyping import Float64

from assay.recipe import RegressionMeasure
from assay.tasks.contract import Trained, Value
from assay.tasks.predicting import scores
from assay.tasks.regression.predictions import Predictions

DECILES = 10
LEVEL = 0.9
"""Of the images' errors, what the interval of a single prediction holds."""


def measure(trained: Trained, options: RegressionMeasure) -> dict[str, Value]:
    """R², Spearman, MAE, RMSE and loss over the test images, and of the other splits ``<split>_loss``, ``<split>_r2``.

    Metrics that do not exist, R² of values that are all alike, are left out. ``error_by_decile`` is a table;
    ``interval_90`` has for each target the half width that nine of ten validation images' errors stay within.
    """
    test: Predictions = trained.predictions["test"]
    values: dict[str, Value] = {**_existing(scores(test, test.metrics)), "error_by_decile": error_by_decile(test)}
    for split, predictions in trained.predictions.items():
        if split != "test":
            values |= {
                f"{split}_{name}": found for name, found in _existing(scores(predictions, ("loss", "r2"))).items()
            }
    half_widths = half_width(trained.predictions["validation"]) if "validation" in trained.predictions else None
    return values if half_widths is None else values | {"interval_90": half_widths}


def half_width(predictions: Predictions) -> list[float] | None:
    """For each target the ⌈0.9 · (n + 1)⌉-th smallest absolute error; None where n < 9 are too few.

    Around what is said of a new image like these it holds the truth with a probability of at least 0.9, whatever the
    errors' distribution: split conformal prediction, Vovk et al., Algorithmic Learning in a Random World, 2005; Lei et
    al., arXiv:1604.04173. Images by which the epoch was chosen make it slightly too narrow.
    """
    n = len(predictions.indices)
    rank = math.ceil(LEVEL * (n + 1) - 1e-9)
    if rank > n:
        return None
    found: list[float] = np.sort(np.abs(predictions.errors), axis=0)[rank - 1].tolist()
    return found


def error_by_decile(predictions: Predictions) -> pl.DataFrame:
    """Of each target, over the tenths of the images in the order of the truth: target, decile (from 1), low and high
    (of the truth), n, mae, and bias, the mean of what is said minus what is true.

    Equal values share a decile, so that there are fewer where few values occur.
    """
    columns = zip(predictions.targets, predictions.truth.T, predictions.errors.T, strict=True)
    return pl.concat([_of_target(*column) for column in columns])


def _of_target(target: str, truth: Float64[np.ndarray, " n"], errors: Float64[np.ndarray, " n"]) -> pl.DataFrame:
    _, place, counts = np.unique(truth, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / len(truth)
    decile = np.ceil(middle * DECILES).astype(np.int64)[place]
    return (
        pl.DataFrame({"decile": decile, "truth": truth, "error": errors})
        .group_by("decile")
        .agg(
            low=pl.col("truth").min(),
            high=pl.col("truth").max(),
            n=pl.len().cast(pl.Int64),
            mae=pl.col("error").abs().mean(),
            bias=pl.col("error").mean(),
        )
        .sort("decile")
        .select(pl.lit(target).alias("target"), pl.all())
    )


def _existing(found: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if not math.isnan(value)}
