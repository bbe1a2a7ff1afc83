"""A trained network in, named values out: the one small contract of every measure."""

import math
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import polars as pl
import torch
from torch import Tensor, nn

from assay.data.batches import ImageData
from assay.errors import AssayError, RunFailed
from assay.evaluate.catalogue import CHECKS, MEASURES
from assay.recipe import Recipe
from assay.tasks.classification import Predictions

Value = int | float | list[int] | list[float] | list[list[int]] | pl.DataFrame
"""A number, one for each class, a table of counts; or a table with columns, which becomes a file of its own."""


@dataclass(frozen=True)
class Trained:
    """What a measure may read. It changes nothing of it."""

    model: nn.Module
    data: ImageData
    recipe: Recipe
    device: torch.device
    predictions: dict[str, Predictions]
    """By split: "train", "test", and "validation" where there are such images."""
    history: pl.DataFrame
    """One row for each epoch: epoch, lr, train_loss, train_accuracy, validation_loss, validation_accuracy, seconds."""
    part: nn.Module
    """What gives the outputs of ``model`` for ``seen``: its head for kept features where its backbone is frozen, else
    ``model`` itself."""
    seen: ImageData
    """``data``, or kept features in the place of its images."""


def measure(trained: Trained) -> dict[str, Value]:
    """Everything the recipe's measures find, by name.

    Raises AssayError where two measures give the same name, and RunFailed for a value that is not finite.
    """
    values: dict[str, Value] = {}
    for options in trained.recipe.evaluate:
        module, function = MEASURES[options.name][0].split(":")
        for name, value in getattr(import_module(module), function)(trained, options).items():
            if name in values:
                raise AssayError(f"evaluate: '{name}' is measured twice; is '{options.name}' listed twice?")
            if not _finite(value):
                raise RunFailed(f"measure '{options.name}' gives '{name}' a value that is not finite")
            values[name] = value
    return values


def check(recipe: Recipe, network: nn.Module, images: Tensor) -> None:
    """Raise AssayError where ``network``, not yet trained, cannot be measured as the recipe asks.

    ``images`` (n, c, h, w) are such as it takes.
    """
    for options in recipe.evaluate:
        if options.name in CHECKS:
            module, function = CHECKS[options.name].split(":")
            getattr(import_module(module), function)(network, options, images)


def _finite(value: Any) -> bool:
    if isinstance(value, pl.DataFrame):
        return True
    return all(map(_finite, value)) if isinstance(value, list) else math.isfinite(value)
