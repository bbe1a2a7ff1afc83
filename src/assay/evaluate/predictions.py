"""Predictions as a table, one row for each image."""

from collections.abc import Sequence

import polars as pl

from assay.evaluate.measuring import Trained
from assay.tasks.classification import Predictions

SPLITS = ("validation", "test")


def predictions_table(trained: Trained) -> pl.DataFrame:
    """The validation and test images with label, prediction, confidence, loss and the probabilities of all classes.

    ``image`` is the index into the source's images.
    """
    names = trained.data.images.names
    splits = [split for split in SPLITS if split in trained.predictions]
    return pl.concat([rows(split, trained.predictions[split], names) for split in splits])


def rows(split: str, of: Predictions, names: Sequence[str]) -> pl.DataFrame:
    """The images of one split; ``names`` are those of all images of the source."""
    return pl.DataFrame(
        {
            "split": [split] * len(of.indices),
            "image": of.indices,
            "name": [names[i] for i in of.indices],
            "label": of.labels,
            "predicted": of.predicted,
            "confidence": of.confidence,
            "loss": of.losses,
            "probabilities": pl.Series(of.probabilities).arr.to_list(),
        }
    )
