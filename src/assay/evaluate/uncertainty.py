"""How far the probabilities may be believed, plain and calibrated; the mathematics is in ``assay.uncertainty``."""

import polars as pl
import torch
from torch import nn

from assay.data.batches import ImageData, Split
from assay.errors import AssayError
from assay.evaluate import intervals, pixels
from assay.recipe import UncertaintyMeasure
from assay.recipe.tasks import TASKS
from assay.tasks.contract import Trained, Value
from assay.uncertainty.injection import Calibration, Injection, calibrate, predictive
from assay.uncertainty.measures import curves, scores
from assay.uncertainty.replay import find_places, own_dropout


def measure(trained: Trained, options: UncertaintyMeasure) -> dict[str, Value]:
    """What validation images say (temperature, dropout_rate, variance_scale, …), and ``<score>_<method>`` on the test.

    Methods are plain, temperature, injected and, of a network with dropout layers, trained. Tables: ``reliability`` and
    ``risk_coverage``, by method. ``absent_from_validation`` names the classes without a validation image, if any. Where
    images have numbers in place of labels, see ``assay.evaluate.intervals``, and of pixels ``assay.evaluate.pixels``.
    """
    if TASKS[trained.recipe.task].target == "masks":
        return pixels.measure(trained, options)
    if TASKS[trained.recipe.task].target == "values":
        return intervals.measure(trained, options, *_run_by_the_passes(trained, options))
    injection = Injection(options.layers, options.passes, trained.recipe.seed)
    model, data = _run_by_the_passes(trained, options)
    validation, test = (Split(data, split, trained.device) for split in ("validation", "test"))
    calibration = calibrate(model, validation, injection, trained.device)
    said = predictive(model, test, calibration, injection, trained.device)
    values = calibration_values(calibration)
    tables = []
    for method, probabilities in said.probabilities.items():
        found = scores(probabilities, said.labels, options.bins)
        values |= {f"{name}_{method}": value for name, value in found.items()}
        tables.append(curves(probabilities, said.labels, options.bins, method))
    reliable, risky = (pl.concat(parts) for parts in zip(*tables, strict=True))
    return values | {"reliability": reliable, "risk_coverage": risky}


def _run_by_the_passes(trained: Trained, options: UncertaintyMeasure) -> tuple[nn.Module, ImageData]:
    """What answers, on what it sees, where it holds all dropout that acts; else the whole network on the images."""
    inside = options.layers == "head" and set(own_dropout(trained.model)) <= set(trained.part.modules())
    return (trained.part, trained.seen) if inside else (trained.model, trained.data)


def calibration_values(calibration: Calibration) -> dict[str, Value]:
    """A calibration as metrics."""
    values: dict[str, Value] = {
        "temperature": calibration.temperature,
        "dropout_rate": calibration.rate,
        "variance_scale": calibration.scale,
    }
    values |= {f"validation_nll_{method}": nll for method, nll in calibration.nll.items()}
    values |= {f"unsure_below_{method}": bound for method, bound in calibration.unsure_below.items()}
    return values | ({"absent_from_validation": list(calibration.absent)} if calibration.absent else {})


def calibration_from(metrics: dict[str, float]) -> Calibration:
    """The calibration that a run keeps among its metrics. Raises KeyError for a run without."""
    return Calibration(
        metrics["temperature"],
        metrics["dropout_rate"],
        metrics["variance_scale"],
        {method: metrics[f"validation_nll_{method}"] for method in ("plain", "temperature", "injected")},
        {method: metrics[f"unsure_below_{method}"] for method in ("temperature", "injected")},
        tuple(metrics.get("absent_from_validation", ())),  # type: ignore[arg-type]
    )


def check(network: nn.Module, options: UncertaintyMeasure, images: torch.Tensor) -> None:
    """Raise AssayError where dropout cannot be injected as ``options`` ask."""
    try:
        find_places(network, options.layers, images)
    except AssayError as error:
        raise AssayError(f"evaluate: uncertainty: {error}") from None
