"""Injected dropout for regression: a normal distribution for each value, its mean and scaled variance from the passes.

Ledda, Fumera, Roli, arXiv:2302.02924: N(μ, scale · σ²), where μ and σ² are mean and variance over the passes. For a
given rate the scale with the least negative log-likelihood has a closed form, the mean of (y − μ)²/σ² (also Laves et
al., arXiv:2104.12376), for each output its own; the rate is the one of ``RATES`` that then has the least.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from assay.errors import AssayError
from assay.uncertainty.injection import RATES, Batches, Injection
from assay.uncertainty.replay import replaying

Values = Float[np.ndarray, "n outputs"]

FLOOR = 1e-6
"""The least variance of a value, as a share of the mean variance: passes that agree by chance are not certain."""


@dataclass(frozen=True)
class GaussianCalibration:
    """The rate of the injected dropout and the scale on the variance, with what they reach on validation data."""

    rate: float
    scale: float | Float[np.ndarray, " outputs"]
    """One for each output, or the same for all."""
    nll: float


@dataclass(frozen=True)
class GaussianPredictive:
    """Mean and variance over the passes, the variance scaled; ``targets`` as they came with the batches."""

    mean: Values
    variance: Values
    targets: Values


def gaussian_nll(mean: Values, variance: Values, targets: Values) -> float:
    """Mean of ½ log(2πσ²) + (y − μ)²/(2σ²), in nats. AssayError for arrays of different shapes."""
    if not mean.shape == variance.shape == targets.shape:
        shapes = ", ".join(str(values.shape) for values in (mean, variance, targets))
        raise AssayError(f"uncertainty: mean, variance and targets: found shapes {shapes}, expected one")
    return float((0.5 * np.log(2 * math.pi * variance) + (targets - mean) ** 2 / (2 * variance)).mean())


def best_scale(mean: Values, variance: Values, targets: Values) -> Float[np.ndarray, " outputs"]:
    """The factors on the variance of each output with the least ``gaussian_nll``: the mean of (y − μ)²/σ²."""
    scale: Float[np.ndarray, " outputs"] = ((targets - mean) ** 2 / variance).mean(axis=0)
    return scale


def calibrate_gaussian(
    model: nn.Module, batches: Batches, injection: Injection | None = None, device: torch.device | str = "cpu"
) -> GaussianCalibration:
    """Rate and scale with the least negative log-likelihood of the validation targets, (n,) or (n, outputs).

    Raises AssayError where dropout in these places does not move the output, for targets that are not finite or not one
    for each output, and as ``calibrate`` does.
    """
    tried = []
    for rate, (mean, variance, targets) in _moments(model, batches, injection or Injection(), RATES, device).items():
        scale = np.maximum(best_scale(mean, variance, targets), FLOOR)
        tried.append(GaussianCalibration(rate, scale, gaussian_nll(mean, scale * variance, targets)))
    return min(tried, key=lambda one: one.nll)


def predictive_gaussian(
    model: nn.Module,
    batches: Batches,
    calibration: GaussianCalibration,
    injection: Injection | None = None,
    device: torch.device | str = "cpu",
) -> GaussianPredictive:
    """Mean and scaled variance for the inputs of ``batches``. The network is left as it was."""
    found = _moments(model, batches, injection or Injection(), (calibration.rate,), device)
    mean, variance, targets = found[calibration.rate]
    return GaussianPredictive(mean, calibration.scale * variance, targets)


def _moments(
    model: nn.Module, batches: Batches, injection: Injection, rates: tuple[float, ...], device: torch.device | str
) -> dict[float, tuple[Values, Values, Values]]:
    """Rate → mean and variance over the passes, and the targets."""
    found: dict[float, list[tuple[np.ndarray, np.ndarray]]] = {rate: [] for rate in rates}
    targets = []
    with replaying(model, injection.layers) as replay:
        for number, (inputs, target) in enumerate(batches):
            outputs = replay.first(inputs.to(device)).shape
            if target.reshape(len(target), -1).shape != outputs:
                found_shapes = f"{tuple(target.shape)} beside outputs of {tuple(outputs)}"
                raise AssayError(f"uncertainty: targets: found shape {found_shapes}, expected one for each output")
            for rate in rates:
                passes = replay.draw(rate, injection.passes, injection.seed, number).double()
                found[rate].append((passes.mean(dim=0).cpu().numpy(), passes.var(dim=0).cpu().numpy()))
            targets.append(target.double().cpu().numpy().reshape(len(target), -1))
    if not targets:
        raise AssayError("uncertainty: there are no values to calibrate on")
    y = np.concatenate(targets)
    if not np.isfinite(y).all():
        raise AssayError("uncertainty: the targets are not finite")
    moments = {}
    for rate, parts in found.items():
        mean, variance = (np.concatenate(column) for column in zip(*parts, strict=True))
        if not np.isfinite(mean).all() or not variance.mean() > 0:
            raise AssayError("uncertainty: with dropout here the outputs do not vary, or are not finite")
        moments[rate] = mean, np.maximum(variance, FLOOR * variance.mean()), y
    return moments
