"""Small images, predictions and trained networks made up from numbers, without training or reading anything."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import polars as pl
import torch
from torch import nn

from assay.data.batches import ImageData
from assay.data.images import ImageSet
from assay.data.targets import Labels, Tags
from assay.evaluate import Trained
from assay.models import build
from assay.recipe import Loss, Model, Recipe
from assay.tasks import catalogue, predicting
from assay.tasks.classification import task
from assay.tasks.classification.predictions import Predictions

CPU = torch.device("cpu")


def image_data(
    classes: int = 3, shape: tuple[int, int, int] = (1, 6, 6), train: int = 12, validation: int = 6, test: int = 9
) -> ImageData:
    """Noise with labels in turn; the splits follow one another, the test images first."""
    n = train + validation + test
    images = ImageSet(
        pixels=np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8),
        targets=Labels(np.arange(n, dtype=np.int64) % classes),
        names=[f"image-{i}" for i in range(n)],
        is_test=np.arange(n) < test,
        classes=[f"class-{c}" for c in range(classes)],
        skipped=[],
    )
    ends = np.cumsum([0, test, validation, train])
    splits = {
        name: np.arange(ends[i], ends[i + 1], dtype=np.int64) for i, name in enumerate(("test", "validation", "train"))
    }
    mean, std = np.full(shape[0], 0.5, np.float32), np.full(shape[0], 0.25, np.float32)
    return ImageData(images, splits, mean, std, ())


def tagged_data(labels: int = 3, **splits: int) -> ImageData:
    """The same noise with tags: image i has those of the bits of i."""
    data = image_data(labels, **splits)
    tags = np.arange(len(data.images))[:, None] >> np.arange(labels) & 1
    return replace(data, images=replace(data.images, targets=Tags(tags.astype(np.uint8))))


def predictions(labels: list[int], probabilities: list[list[float]], losses: list[float] | None = None) -> Predictions:
    """Predictions of the first images of a source."""
    n = len(labels)
    return Predictions(
        np.arange(n, dtype=np.int64),
        np.array(labels, np.int64),
        np.array(probabilities, np.float32),
        np.array(losses or [0.0] * n, np.float32),
    )


def predict(model: nn.Module, data: ImageData, split: str, loss: Loss, device: torch.device = CPU) -> Predictions:
    """What a classifier says of a split."""
    return cast(Predictions, predicting.predict(task, model, data, split, loss, device))


def trained(data: ImageData | None = None, model: nn.Module | None = None, **sections: Any) -> Trained:
    """An untrained MLP with its predictions and a history of two epochs; ``sections`` go to the recipe."""
    data = data or image_data()
    values: dict[str, Any] = {"data": {"source": "noise"}, "model": {"name": "mlp", "hidden": [4]}} | sections
    recipe = Recipe.model_validate(values)
    torch.manual_seed(0)
    model = model or build(Model(name="mlp", hidden=[4]), data.shape, len(data.classes))
    by_split = predicting.predict_splits(catalogue.task(recipe.task), model, data, recipe, CPU)
    history = pl.DataFrame({"epoch": [1, 2], "seconds": [1.5, 2.0]})
    return Trained(model, data, recipe, CPU, by_split, history, model, data)
