"""Injected dropout for regression: a normal distribution for each value, its mean and variance from the passes.

After Ledda, Fumera, Roli, arXiv:2302.02924: N(μ, scale · (σ² + floor)), where μ and σ² are mean and variance over the
passes. For a given rate and floor the scale with the least negative log-likelihood has a closed form, the mean of
(y − μ)²/(σ² + floor) (Laves et al., arXiv:2104.12376), for each output its own; the rate is the one of ``RATES``, and
the floor the one by ``FLOORS``, that then have the least.

The paper has no floor. Without one an image whose passes agree (the features before the dropout are all 0) has next to
no variance, alone sets the scale, and widens the interval of every other. The floor is the variance that dropout cannot
see, as the constant noise in Gal & Ghahramani, arXiv:1506.02142.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.errors import AssayError
from assay.system.machine import in_float64
from assay.uncertainty.injection import RATES, Batches, Injection
from assay.uncertainty.replay import replaying

Values = Float[np.ndarray, "n outputs"]

FLOORS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""What is tried as the floor, in mean variances of the output over the validation images.

With the share f an image that no pass moves adds at most 1/f times its squared error over the mean variance to the sum
behind the scale, and has an interval √(f/(1 + f)) times as wide as an average one: with the least about a third. A few
percent would not do: on ``discs``, small networks of which a tenth to a third of the images stay at rest had intervals
three times as wide as plain ones with 0.03, twice with 0.1, as wide with 3 and 10, and likelihoods in that order.
"""
LEAST = 1e-6
"""The least scale, for outputs without errors; and the floor where none was found."""


class NothingVaries(AssayError):
    """An output is the same in every pass: dropout in these places says nothing of it."""


@dataclass(frozen=True)
class GaussianCalibration:
    """The rate of the injected dropout, scale and floor of the variance, with what they reach on validation data."""

    rate: float
    scale: float | Float[np.ndarray, " outputs"]
    """One for each output, or the same for all."""
    nll: float
    floor: float | Float[np.ndarray, " outputs"] = LEAST
    """Added to the variance of the passes, before the scale; one for each output, or the same for all."""


@dataclass(frozen=True)
class GaussianPredictive:
    """Mean over the passes, and variance, scale · (σ² + floor); ``targets`` as they came with the batches."""

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
    """Rate, floor and scale with the least negative log-likelihood of the validation targets, (n,) or (n, outputs).

    Raises NothingVaries where dropout in these places leaves an output as it is at every rate, AssayError for targets
    that are not finite or not one for each output, and as ``calibrate`` does.
    """
    tried = [
        _scaled(rate, share, *moments)
        for rate, moments in _moments(model, batches, injection or Injection(), RATES, device).items()
        for share in FLOORS
        if moments[1].any(axis=0).all()
    ]
    if not tried:
        raise NothingVaries("uncertainty: with dropout here outputs do not vary, for any image and at any rate")
    return min(tried, key=lambda one: one.nll)


def _scaled(rate: float, share: float, mean: Values, variance: Values, targets: Values) -> GaussianCalibration:
    """The best scale for a rate and a floor of ``share`` mean variances."""
    floor = share * variance.mean(axis=0)
    scale = np.maximum(best_scale(mean, variance + floor, targets), LEAST)
    return GaussianCalibration(rate, scale, gaussian_nll(mean, scale * (variance + floor), targets), floor)


def predictive_gaussian(
    model: nn.Module,
    batches: Batches,
    calibration: GaussianCalibration,
    injection: Injection | None = None,
    device: torch.device | str = "cpu",
) -> GaussianPredictive:
    """Mean and variance for the inputs of ``batches``, of each whatever the others are; the network is left as it was.

    The masks depend on an input's place among the batches. Raises AssayError as ``calibrate_gaussian`` does, but an
    output that does not vary has the variance scale · floor.
    """
    found = _moments(model, batches, injection or Injection(), (calibration.rate,), device)
    mean, variance, targets = found[calibration.rate]
    return GaussianPredictive(mean, calibration.scale * (variance + calibration.floor), targets)


def _moments(
    model: nn.Module, batches: Batches, injection: Injection, rates: tuple[float, ...], device: torch.device | str
) -> dict[float, tuple[Values, Values, Values]]:
    """Rate → mean and variance over the passes, and the targets."""
    found: dict[float, list[tuple[Tensor, Tensor]]] = {rate: [] for rate in rates}
    targets = []
    with replaying(model, injection.layers) as replay:
        for number, (inputs, target) in enumerate(batches):
            outputs = replay.first(inputs.to(device)).shape
            if target.reshape(len(target), -1).shape != outputs:
                found_shapes = f"{tuple(target.shape)} beside outputs of {tuple(outputs)}"
                raise AssayError(f"uncertainty: targets: found shape {found_shapes}, expected one for each output")
            for rate in rates:
                passes = in_float64(replay.draw(rate, injection.passes, injection.seed, number))
                found[rate].append((passes.mean(dim=0), passes.var(dim=0)))
            targets.append(in_float64(target).reshape(len(target), -1))
    if not targets:
        raise AssayError("uncertainty: there are no values to calibrate on")
    y = torch.cat(targets).cpu().numpy()
    if not np.isfinite(y).all():
        raise AssayError("uncertainty: the targets are not finite")
    moments = {}
    for rate, parts in found.items():
        mean, variance = (torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True))
        if not np.isfinite(mean).all() or not np.isfinite(variance).all():
            raise AssayError(f"uncertainty: with dropout of {rate:g} the network's outputs are not finite")
        moments[rate] = mean, variance, y
    return moments
