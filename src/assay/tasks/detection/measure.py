"""How well the boxes of each class are found, and all of them together."""

import math
from collections.abc import Iterable

import polars as pl

from assay.recipe import DetectionMeasure
from assay.tasks.contract import Trained, Value
from assay.tasks.detection.predictions import Predictions
from assay.tasks.predicting import scores

OTHER_SPLITS = ("map",)


def measure(trained: Trained, options: DetectionMeasure) -> dict[str, Value]:
    """All that the test predictions are evidence of, and of the other splits ``<split>_map``.

    A number that does not exist, such as the AP of a class that is nowhere, is left out.
    """
    test: Predictions = trained.predictions["test"]
    values: dict[str, Value] = {**existing(test, test.metrics), "classes": by_class(test)}
    for split, found in trained.predictions.items():
        if split != "test":
            values |= {f"{split}_{name}": value for name, value in existing(found, OTHER_SPLITS).items()}
    return values


def existing(predictions: Predictions, metrics: Iterable[str]) -> dict[str, float]:
    """Those that exist for these images."""
    return {name: value for name, value in scores(predictions, metrics).items() if math.isfinite(value)}


def by_class(predictions: Predictions) -> pl.DataFrame:
    """A row a class: class, ap, ap_50, boxes (those to find). A class that is nowhere has no AP, null."""
    names = predictions.classes
    found = existing(predictions, [f"{prefix}_{name}" for prefix in ("ap", "ap_50") for name in names])
    aps = {prefix: [found.get(f"{prefix}_{name}") for name in names] for prefix in ("ap", "ap_50")}
    return pl.DataFrame({"class": names, **aps, "boxes": predictions.matches.objects.sum(axis=0)})
