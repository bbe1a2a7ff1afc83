"""Dropout injected into a network that is already trained: what it answers, and how far to believe it.

Ledda, Fumera, Roli, "Dropout Injection at Test Time for Post Hoc Uncertainty Quantification in Neural Networks",
arXiv:2302.02924: T passes with dropout that training never saw; its rate, and a scale on the variance of the passes,
are those with the least negative log-likelihood on validation images. The paper treats regression (see ``gaussian``).
For classes we scale the variance of the logits: pass t gives softmax(m + √scale · (z_t − m)), where m is the mean of
the passes' logits z_t, and the prediction is the mean of these probabilities; scale 1 is the usual mean
(Gal & Ghahramani, arXiv:1506.02142).
"""

import math
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from assay.errors import AssayError
from assay.system.machine import in_float64
from assay.uncertainty.measures import SMALLEST, negative_log_likelihood
from assay.uncertainty.replay import Layers, Replay, own_dropout, replaying
from assay.uncertainty.temperature import find_temperature, scaled

Batches = Iterable[tuple[Tensor, Tensor]]
"""Pairs of inputs and labels (or, for regression, targets)."""

RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7)
SCALES = tuple(2.0**power for power in range(-4, 5))
LEAST_SURE = 0.1
"""The share of the validation images below whose confidence an answer counts as unsure."""
INTERVAL = (0.05, 0.95)
"""The quantiles between which nine of ten passes lie."""


@dataclass(frozen=True)
class Injection:
    """Where dropout is injected, how many passes are made, and what seeds their masks."""

    layers: Layers = "head"
    passes: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse passes that have no variance."""
        if not isinstance(self.passes, Integral) or self.passes < 2:
            raise AssayError(f"uncertainty: found {self.passes!r} passes, expected 2 or more, which have a variance")


@dataclass(frozen=True)
class Calibration:
    """What validation images say of a network's probabilities."""

    temperature: float
    rate: float
    """Of the injected dropout."""
    scale: float
    """On the variance of the logits over the passes."""
    nll: dict[str, float]
    """Negative log-likelihood of the validation images by method: plain, temperature, injected."""
    unsure_below: dict[str, float]
    """Method → the confidence that the least sure tenth of the validation images stay below."""
    absent: tuple[int, ...] = ()
    """Classes without a validation image: nothing is known of their probabilities."""

    @property
    def method(self) -> str:
        """Temperature or injected: the one with the lower negative log-likelihood."""
        return min(("temperature", "injected"), key=self.nll.__getitem__)


@dataclass(frozen=True)
class Predictive:
    """What a network says of images, by several methods: plain, temperature, injected; trained, where it has dropout.

    "trained" is the mean of the passes with the network's own dropout layers switched on, at their own rates.
    """

    labels: Int64[np.ndarray, " n"]
    probabilities: dict[str, Float[np.ndarray, "n classes"]]
    variance: Float[np.ndarray, "n classes"]
    """Of the probabilities over the passes with injected dropout."""
    low: Float[np.ndarray, "n classes"]
    """The interval that holds nine of ten of these passes; where temperature is the method, of the passes without the
    scale and softened by it."""
    high: Float[np.ndarray, "n classes"]


def calibrate(
    model: nn.Module, batches: Batches, injection: Injection | None = None, device: torch.device | str = "cpu"
) -> Calibration:
    """Temperature, dropout rate and variance scale with the least negative log-likelihood on validation ``batches``.

    The rate is one of ``RATES`` and the scale one of ``SCALES``; every pair is tried, with the same masks. Raises
    AssayError for no images, labels that are not one class each, fewer than 2 passes, layers that are not there, and
    outputs that are not finite.
    """
    injection = injection or Injection()
    losses: list[Tensor] = []
    found: list[tuple[Tensor, ...]] = []
    with replaying(model, injection.layers) as replay:
        for number, (inputs, labels) in enumerate(batches):
            logits = class_logits(replay.first(inputs.to(device)))
            labels = whole_labels(labels, logits)
            of_label = torch.empty(len(labels), len(RATES), len(SCALES), device=logits.device)
            confidence = torch.empty_like(of_label)
            for i, rate in enumerate(RATES):
                passes = class_logits(replay.draw(rate, injection.passes, injection.seed, number))
                for j, scale in enumerate(SCALES):
                    mean = spread(passes, scale).softmax(dim=2).mean(dim=0)
                    of_label[:, i, j] = mean.gather(1, labels[:, None])[:, 0]
                    confidence[:, i, j] = mean.max(dim=1).values
            losses.append(in_float64(of_label).clamp_min(SMALLEST).log().sum(dim=0))
            found.append((logits, labels, confidence))
    if not found:
        raise AssayError("uncertainty: there are no validation images to calibrate on")
    logits_of_all, y, sure = _joined(found)
    z, totals = _finite(logits_of_all), -torch.stack(losses).cpu().numpy().cumsum(axis=0)[-1]
    temperature = find_temperature(z, y)
    i, j = divmod(int(_finite(totals).argmin()), len(SCALES))
    softened, injected = scaled(z, temperature), sure[:, i, j].astype(np.float64)
    return Calibration(
        temperature,
        RATES[i],
        SCALES[j],
        {
            "plain": negative_log_likelihood(scaled(z, 1.0), y),
            "temperature": negative_log_likelihood(softened, y),
            "injected": float(totals[i, j]) / len(y),
        },
        {
            "temperature": float(np.quantile(softened.max(axis=1), LEAST_SURE)),
            "injected": float(np.quantile(injected, LEAST_SURE)),
        },
        tuple(c for c in range(z.shape[1]) if c not in y),
    )


def predictive(
    model: nn.Module,
    batches: Batches,
    calibration: Calibration,
    injection: Injection | None = None,
    device: torch.device | str = "cpu",
    trained: bool = True,
) -> Predictive:
    """Probabilities of the images of ``batches`` by every method, and the interval of the passes.

    Of a network with dropout "trained" costs as many passes again, and is left out where ``trained`` is false. The
    network is left as it was. Raises AssayError as ``calibrate`` does.
    """
    injection = injection or Injection()
    found: list[tuple[Tensor, ...]] = []
    with ExitStack() as stack:
        replay = stack.enter_context(replaying(model, injection.layers))
        own = stack.enter_context(replaying(model, "own")) if trained and own_dropout(model) else None
        for number, (inputs, labels) in enumerate(batches):
            logits = class_logits(replay.first(inputs.to(device)))
            passes = class_logits(replay.draw(calibration.rate, injection.passes, injection.seed, number))
            chances = spread(passes, calibration.scale).softmax(dim=2)
            is_softened = calibration.method == "temperature"
            ends = interval((passes / calibration.temperature).softmax(dim=2) if is_softened else chances)
            parts = [labels, logits, chances.mean(dim=0), chances.var(dim=0), *ends]
            if own:
                parts.append(_mean_chances(own, inputs.to(device), None, injection, number))
            found.append(tuple(parts))
    y, z, mean, variance, low, high, *by_own = _joined(found)
    by_method = {
        "plain": scaled(_finite(z), 1.0),
        "temperature": scaled(z, calibration.temperature),
        "injected": normalized(_finite(mean)),
    }
    if by_own:
        by_method["trained"] = normalized(_finite(by_own[0]))
    return Predictive(y, by_method, variance, low, high)


def mean_of_passes(
    model: nn.Module,
    batches: Batches,
    injection: Injection,
    device: torch.device | str = "cpu",
    rate: float | None = None,
) -> Float[np.ndarray, "n classes"]:
    """Mean of the probabilities of the passes, unscaled; of layers ``"own"`` this is Monte Carlo dropout.

    ``rate`` is that of injected dropout; ``"own"`` layers keep theirs.
    """
    with replaying(model, injection.layers) as replay:
        found = [
            (_mean_chances(replay, inputs.to(device), rate, injection, number),)
            for number, (inputs, _) in enumerate(batches)
        ]
    return normalized(_finite(_joined(found)[0]))


def _mean_chances(
    replay: Replay, inputs: Tensor, rate: float | None, injection: Injection, number: int
) -> Float[Tensor, "batch classes"]:
    replay.first(inputs)
    passes = class_logits(replay.draw(rate, injection.passes, injection.seed, number))
    return passes.softmax(dim=2).mean(dim=0)


def _joined(batches: Sequence[tuple[Tensor, ...]]) -> list[np.ndarray]:
    """Each part of all batches: what lies on a card leaves it in one go, so that no batch waits for another."""
    if not batches:
        raise AssayError("uncertainty: there are no images to predict")
    return [torch.cat(parts).cpu().numpy() for parts in zip(*batches, strict=True)]


def class_logits(outputs: Float[Tensor, "*more outputs"]) -> Float[Tensor, "*more classes"]:
    """A logit for each class, in float32: a single one, of the second of two classes, gets a 0 in front."""
    z = outputs.float()
    return torch.cat([torch.zeros_like(z), z], dim=-1) if z.shape[-1] == 1 else z


def whole_labels(labels: Tensor, logits: Float[Tensor, "batch classes"]) -> Int64[Tensor, " batch"]:
    """The labels beside their logits; AssayError where they are not the number of a class for each image."""
    images, classes = logits.shape
    if labels.is_floating_point() or labels.shape != (images,):
        found = f"{labels.dtype} of shape {tuple(labels.shape)}"
        raise AssayError(f"uncertainty: labels: found {found}, expected a whole number for each of {images} images")
    whole = labels.to(logits.device).long()
    if len(wrong := whole[(whole < 0) | (whole >= classes)]):
        raise AssayError(f"uncertainty: labels: found {int(wrong[0])}, expected 0 to {classes - 1}")
    return whole


def spread(passes: Float[Tensor, "passes batch classes"], scale: float) -> Float[Tensor, "passes batch classes"]:
    """The logits of the passes with ``scale`` times their variance about the same mean."""
    mean = passes.mean(dim=0)
    return mean + math.sqrt(scale) * (passes - mean)


def interval(
    chances: Float[Tensor, "passes batch classes"],
) -> tuple[Float[Tensor, "batch classes"], Float[Tensor, "batch classes"]]:
    """The central nine tenths of the passes: order statistics, rounded outwards."""
    ordered, last = chances.sort(dim=0).values, len(chances) - 1
    return ordered[math.floor(INTERVAL[0] * last)], ordered[math.ceil(INTERVAL[1] * last)]


def normalized(probabilities: Float[np.ndarray, "n classes"]) -> Float[np.ndarray, "n classes"]:
    """Rows that add up to 1 in float64."""
    p = probabilities.astype(np.float64)
    return p / p.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def _finite(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise AssayError("uncertainty: the network's outputs are not finite")
    return values
