"""A trained network in, named values out: the one small contract of every measure."""

import math
from importlib import import_module
from typing import Any

import polars as pl
from torch import Tensor, nn

from assay.errors import AssayError, RunFailed
from assay.evaluate.catalogue import CHECKS, MEASURES
from assay.recipe import Recipe
from assay.tasks.contract import Trained as Trained
from assay.tasks.contract import Value as Value


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
    if isinstance(value, list):
        return all(one is None or _finite(one) for one in value)
    return math.isfinite(value)
