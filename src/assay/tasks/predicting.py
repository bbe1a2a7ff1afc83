"""What a network says of a split, and the scores of that: the same for every task."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
import torch
from torch import nn

from assay.data.batches import ImageData
from assay.errors import RunFailed
from assay.models.modes import evaluating
from assay.recipe import Loss, Measure, Recipe
from assay.tasks.contract import Predictions, Task, Trained

SPLITS = ("validation", "test")
"""Whose predictions a run keeps."""


def predict(
    task: Task,
    network: nn.Module,
    data: ImageData,
    split: str,
    loss: Loss,
    device: torch.device,
    measures: Sequence[Measure] = (),
) -> Predictions:
    """Run the images of ``split``, or their features, through ``network``: in evaluation mode, not augmented.

    Without ``measures`` the answers need no more than the evidence of the loss and of the task's metric.
    Raises RunFailed where the network gives a value that is not finite.
    """
    with evaluating(network):
        answers = (task.said(network, images) for images, _ in data.batches(split, data.pass_size(device), device))
        found = task.gathered(answers, data, split, loss, measures)
    if not found.is_finite:
        raise RunFailed(f"the network's outputs on the {split} images are not finite")
    return found


def scores(predictions: Predictions, metrics: Iterable[str]) -> dict[str, float]:
    """The metrics that are properties of these answers, by name; every image counts once."""
    ones = np.ones((1, len(predictions.indices)))
    evidence = {metric: predictions.evidence(metric) for metric in metrics}
    return {metric: float(score(ones)[0]) for metric, score in evidence.items() if score is not None}


def predict_splits(
    task: Task, network: nn.Module, data: ImageData, recipe: Recipe, device: torch.device
) -> dict[str, Predictions]:
    """What a trained network says of every split that has images, for the measures of its recipe, with what the
    validation images decide."""
    there = [split for split, indices in data.indices.items() if len(indices)]
    return task.settled(
        {
            split: predict(
                task, network, data, split, recipe.train.loss, device, recipe.evaluate if split in SPLITS else ()
            )
            for split in there
        }
    )


def predictions_table(trained: Trained) -> pl.DataFrame:
    """The validation and test images, a row each, as the task's predictions write them."""
    names = trained.data.images.names
    splits = [split for split in SPLITS if split in trained.predictions]
    tables: list[pl.DataFrame] = [trained.predictions[split].table(split, names) for split in splits]
    return pl.concat(tables)
