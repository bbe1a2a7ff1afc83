"""How well each class is found, pixel by pixel, and all of them together."""

import math
from collections.abc import Iterable

import numpy as np
import polars as pl

from assay.recipe import SegmentationMeasure
from assay.tasks.contract import Trained, Value
from assay.tasks.predicting import scores
from assay.tasks.segmentation.predictions import Predictions
from assay.tasks.segmentation.scores import hits, said, true

OTHER_SPLITS = ("loss", "miou")


def measure(trained: Trained, options: SegmentationMeasure) -> dict[str, Value]:
    """All that the test predictions are evidence of, ``confusion_matrix`` (pixels; rows true, columns said), and of the
    other splits ``<split>_loss`` and ``<split>_miou``. The table ``classes`` has a row a split and class.

    A number that does not exist, such as the IoU of a class that is nowhere, is left out.
    """
    test: Predictions = trained.predictions["test"]
    values: dict[str, Value] = {
        **existing(test, test.metrics),
        "confusion_matrix": test.confusion.sum(axis=0).tolist(),
        "classes": pl.concat([by_class(found, split) for split, found in trained.predictions.items()]),
    }
    for split, found in trained.predictions.items():
        if split != "test":
            values |= {f"{split}_{name}": value for name, value in existing(found, OTHER_SPLITS).items()}
    return values


def existing(predictions: Predictions, metrics: Iterable[str]) -> dict[str, float]:
    """Those that exist for these images."""
    return {name: value for name, value in scores(predictions, metrics).items() if math.isfinite(value)}


def by_class(predictions: Predictions, split: str) -> pl.DataFrame:
    """A row a class: class, split, iou, dice, precision, recall, pixels (true ones), said (pixels given the class).

    A class that is neither there nor said has none of the shares, null; one that is only said no recall; one that is
    there and never said has precision 0.
    """
    matrix = predictions.confusion.sum(axis=0)[None]
    right, there, told = (of(matrix)[0] for of in (hits, true, said))
    whole = there + told - right
    with np.errstate(invalid="ignore"):
        shares = {
            "iou": right / whole,
            "dice": 2 * right / (there + told),
            "precision": np.where(whole > 0, right / np.maximum(told, 1), np.nan),
            "recall": right / there,
        }
    counts = {"pixels": there, "said": told}
    table = pl.DataFrame({"class": predictions.classes, "split": [split] * len(there), **shares, **counts})
    return table.with_columns(pl.col(pl.Float64).fill_nan(None))
