"""How far numbers may be believed: a normal distribution around each, plain and by injected dropout.

Plain, every image has the same deviation, that of the errors on the validation images; with dropout injected into the
trained network each has its own (``assay.uncertainty.gaussian``). All is in the targets' own units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float64
from torch import nn

from assay.data.batches import ImageData, Split
from assay.data.standard import StandardSplit, standard_of
from assay.recipe import UncertaintyMeasure
from assay.tasks.contract import Trained, Value
from assay.uncertainty.gaussian import (
    GaussianCalibration,
    NothingVaries,
    calibrate_gaussian,
    gaussian_nll,
    predictive_gaussian,
)
from assay.uncertainty.injection import Injection

LEVELS = (0.5, 0.8, 0.9, 0.95)
WIDTH_AT = 0.9
"""The level whose mean width is a metric."""
LEAST = 1e-6
"""Of a target's deviation: errors smaller than that on the validation images promise nothing of others."""

Numbers = Float64[np.ndarray, "n targets"]


@dataclass(frozen=True)
class Normal:
    """What is said of images: a normal distribution for each target."""

    mean: Numbers
    deviation: Numbers

    def nll(self, truth: Numbers) -> float:
        """Mean negative log-likelihood over images and targets, in nats, of densities in own units."""
        return gaussian_nll(self.mean, self.deviation**2, truth)

    def intervals(self, truth: Numbers, level: float) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, " k"]]:
        """Of each target the share of images whose truth lies in the central interval of the level, and its mean
        width."""
        half = NormalDist().inv_cdf((1 + level) / 2) * self.deviation
        return (np.abs(truth - self.mean) <= half).mean(axis=0), 2 * half.mean(axis=0)


def measure(trained: Trained, options: UncertaintyMeasure, model: nn.Module, data: ImageData) -> dict[str, Value]:
    """The rate, scale and floor that validation images say, and of the test images by method (plain, injected):
    negative log-likelihood, coverage of intervals (mean over targets), mean width of that of 90 %.

    ``model`` on ``data`` says what the trained network does on its images. The table ``intervals``: target, method,
    level, coverage, width. All that is injected is left out where the output does not vary with dropout.
    """
    injection = Injection(options.layers, options.passes, trained.recipe.seed)
    validation, test = trained.predictions["validation"], trained.predictions["test"]
    standard = standard_of(data)
    spread = np.maximum(np.sqrt((validation.errors**2).mean(axis=0)), LEAST * standard.deviation)
    before, after = (Normal(each.said, np.broadcast_to(spread, each.said.shape)) for each in (validation, test))
    values: dict[str, Value] = {"validation_gaussian_nll_plain": before.nll(validation.truth)}
    by_method = {"plain": after}
    try:
        calibration = calibrated(model, data, injection, trained.device)
    except NothingVaries:
        return values | _on_test(by_method, test.truth, test.targets)
    batches = StandardSplit(Split(data, "test", trained.device), standard)
    said = predictive_gaussian(model, batches, calibration, injection, trained.device)
    by_method["injected"] = Normal(standard.in_own_units(said.mean), np.sqrt(said.variance) * standard.deviation)
    values |= calibration_values(calibration, test.targets)
    values["validation_gaussian_nll_injected"] = calibration.nll + float(np.log(standard.deviation).mean())
    return values | _on_test(by_method, test.truth, test.targets)


def calibrated(model: nn.Module, data: ImageData, injection: Injection, device: torch.device) -> GaussianCalibration:
    """Rate, scale and floor by the validation images; its ``nll`` is of standardised values."""
    batches = StandardSplit(Split(data, "validation", device), standard_of(data))
    return calibrate_gaussian(model, batches, injection, device)


def calibration_values(calibration: GaussianCalibration, targets: Sequence[str]) -> dict[str, Value]:
    """A calibration as metrics; ``variance_floor`` is of standardised values."""
    values: dict[str, Value] = {"dropout_rate": calibration.rate}
    for name, each in (("variance_scale", calibration.scale), ("variance_floor", calibration.floor)):
        values |= dict(zip(_of(name, targets), np.atleast_1d(each).tolist(), strict=True))
    return values


def calibration_from(metrics: Mapping[str, Any], targets: Sequence[str]) -> GaussianCalibration | None:
    """What a run keeps among its metrics, with the ``nll`` of values in own units; None for a run without."""
    scales, floors = (_of(name, targets) for name in ("variance_scale", "variance_floor"))
    if not metrics.keys() >= {"dropout_rate", *scales, *floors}:
        return None
    scale, floor = (np.array([metrics[name] for name in names]) for names in (scales, floors))
    return GaussianCalibration(metrics["dropout_rate"], scale, metrics["validation_gaussian_nll_injected"], floor)


def _of(name: str, targets: Sequence[str]) -> list[str]:
    """The names of a metric of each target, which end in the target's; of a single one the bare name."""
    return [f"{name}_{target}" for target in targets] if len(targets) > 1 else [name]


def _on_test(by_method: dict[str, Normal], truth: Numbers, targets: Sequence[str]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    rows = []
    for method, normal in by_method.items():
        values[f"gaussian_nll_{method}"] = normal.nll(truth)
        for level in LEVELS:
            coverage, width = normal.intervals(truth, level)
            values[f"coverage_{100 * level:.0f}_{method}"] = float(coverage.mean())
            rows += [
                {"target": target, "method": method, "level": level, "coverage": share, "width": wide}
                for target, share, wide in zip(targets, coverage.tolist(), width.tolist(), strict=True)
            ]
            if level == WIDTH_AT:
                values |= dict(zip(_of(f"width_90_{method}", targets), width.tolist(), strict=True))
    return values | {"intervals": pl.DataFrame(rows)}
