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
from assay.uncertainty.gaussian import GaussianCalibration, calibrate_gaussian, gaussian_nll, predictive_gaussian
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
    """The rate and scale that validation images say, and of the test images by method (plain, injected): negative
    log-likelihood, coverage of intervals (mean over targets), mean width of that of 90 %.

    ``model`` on ``data`` says what the trained network does on its images. The table ``intervals``: target, method,
    level, coverage, width.
    """
    injection = Injection(options.layers, options.passes, trained.recipe.seed)
    validation, test = trained.predictions["validation"], trained.predictions["test"]
    calibration, standard = calibrated(model, data, injection, trained.device), standard_of(data)
    batches = StandardSplit(Split(data, "test", trained.device), standard)
    said = predictive_gaussian(model, batches, calibration, injection, trained.device)
    spread = np.maximum(np.sqrt((validation.errors**2).mean(axis=0)), LEAST * standard.deviation)
    plain = (Normal(each.said, np.broadcast_to(spread, each.said.shape)) for each in (validation, test))
    before, after = plain
    injected = Normal(standard.in_own_units(said.mean), np.sqrt(said.variance) * standard.deviation)
    log_unit = float(np.log(standard.deviation).mean())
    values: dict[str, Value] = {
        "dropout_rate": calibration.rate,
        "validation_gaussian_nll_plain": before.nll(validation.truth),
        "validation_gaussian_nll_injected": calibration.nll + log_unit,
    }
    names = [f"variance_scale{suffix}" for suffix in _suffixes(test.targets)]
    values |= dict(zip(names, np.atleast_1d(calibration.scale).tolist(), strict=True))
    return values | _on_test({"plain": after, "injected": injected}, test.truth, test.targets)


def calibrated(model: nn.Module, data: ImageData, injection: Injection, device: torch.device) -> GaussianCalibration:
    """Rate and scale by the validation images; its ``nll`` is of standardised values."""
    batches = StandardSplit(Split(data, "validation", device), standard_of(data))
    return calibrate_gaussian(model, batches, injection, device)


def calibration_from(metrics: Mapping[str, Any], targets: Sequence[str]) -> GaussianCalibration:
    """The rate and scales that a run keeps among its metrics. Raises KeyError for a run without."""
    scale = np.array([metrics[f"variance_scale{suffix}"] for suffix in _suffixes(targets)])
    return GaussianCalibration(metrics["dropout_rate"], scale, metrics["validation_gaussian_nll_injected"])


def _suffixes(targets: Sequence[str]) -> list[str]:
    """What ends the name of a metric of each target; nothing where there is a single one."""
    return [f"_{target}" for target in targets] if len(targets) > 1 else [""]


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
                names = [f"width_90_{method}{suffix}" for suffix in _suffixes(targets)]
                values |= dict(zip(names, width.tolist(), strict=True))
    return values | {"intervals": pl.DataFrame(rows)}
