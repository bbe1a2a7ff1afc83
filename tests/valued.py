"""Small images with numbers in place of labels, and trained networks made up of them, without training."""

from typing import Any, cast

import numpy as np
import polars as pl
import torch
from torch import nn

from assay.data.batches import ImageData
from assay.data.images import ImageSet
from assay.data.targets import Values
from assay.evaluate import Trained
from assay.models import build
from assay.recipe import Loss, MeanSquaredError, Model, Recipe
from assay.tasks import predicting
from assay.tasks.regression import task
from assay.tasks.regression.predictions import Predictions

CPU = torch.device("cpu")


def value_data(
    values: np.ndarray | None = None, names: tuple[str, ...] = ("brightness",), train: int = 24, validation: int = 12
) -> ImageData:
    """Noise (1, 6, 6), each image of a brightness of its own, which is its value unless ``values`` (n, k) are given.

    The splits follow one another, the training images first.
    """
    n = 48 if values is None else len(values)
    random = np.random.default_rng(0)
    level = random.uniform(40, 215, n)
    pixels = np.clip(level[:, None, None, None] + random.normal(0, 20, (n, 1, 6, 6)), 0, 255).astype(np.uint8)
    images = ImageSet(
        pixels=pixels,
        targets=Values(level[:, None] if values is None else values.astype(np.float64), names),
        names=[f"image-{i}" for i in range(n)],
        is_test=np.arange(n) >= train + validation,
        classes=list(names),
        skipped=[],
    )
    ends = [0, train, train + validation, n]
    splits = {name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(("train", "validation", "test"))}
    return ImageData(images, splits, np.full(1, 0.5, np.float32), np.full(1, 0.25, np.float32))


def recipe(**sections: Any) -> Recipe:
    """Of a tiny MLP."""
    values: dict[str, Any] = {
        "task": "regression",
        "data": {"source": "noise"},
        "model": {"name": "mlp", "hidden": [8]},
    }
    return Recipe.model_validate(values | sections)


def network(data: ImageData, seed: int = 0, **arguments: Any) -> nn.Module:
    """An untrained MLP with an output a target."""
    torch.manual_seed(seed)
    return build(Model(name="mlp", hidden=[8], **arguments), data.shape, len(data.classes))


def predict(model: nn.Module, data: ImageData, split: str, loss: Loss | None = None) -> Predictions:
    """What a network says of a split."""
    return cast(Predictions, predicting.predict(task, model, data, split, loss or MeanSquaredError(), CPU))


def predictions(truth: list[list[float]], said: list[list[float]], names: tuple[str, ...] = ("age",)) -> Predictions:
    """Predictions of the first images of a source, each with its squared error, not standardised, for a loss."""
    y, f = np.array(truth, np.float64), np.array(said, np.float64)
    return Predictions(np.arange(len(y)), names, y, f, ((f - y) ** 2).mean(axis=1).astype(np.float32))


def trained(data: ImageData, model: nn.Module | None = None, **sections: Any) -> Trained:
    """An untrained network with its predictions and a history; ``sections`` go to the recipe."""
    made, model = recipe(**sections), model or network(data)
    by_split = {name: predict(model, data, name, made.train.loss) for name, rows in data.indices.items() if len(rows)}
    history = pl.DataFrame({"epoch": [1, 2], "seconds": [1.5, 2.0]})
    return Trained(model, data, made, CPU, by_split, history, model, data)
