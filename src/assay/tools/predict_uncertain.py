"""What a finished run says of pictures, with how far to believe it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from assay.errors import AssayError
from assay.recipe import UncertaintyMeasure
from assay.recipe.tasks import TASKS, require
from assay.system.files import read_object
from assay.tools.own_data import own_data
from assay.tools.predict import load_run, read_picture
from assay.tools.predict_interval import IntervalPredictions, interval_table, predict_intervals

if TYPE_CHECKING:
    from assay.tasks.classification.task import Prediction
    from assay.uncertainty.injection import Calibration


@dataclass(frozen=True)
class UncertainPrediction:
    """A prediction with calibrated probabilities."""

    prediction: "Prediction"
    low: float
    """The interval that holds the class's probability, and what it is in nine of ten passes with injected dropout."""
    high: float
    unsure: bool
    """Whether the probability is below ``unsure_below``, or the interval of another class reaches up to this one's, or
    ``shows_nothing``."""


@dataclass(frozen=True)
class UncertainPredictions:
    """The predictions, and what the validation images say of the network."""

    each: tuple[UncertainPrediction, ...]
    calibration: "Calibration"
    unsure_below: float
    """The confidence that the least sure tenth of the validation images stay below."""
    absent: tuple[str, ...]
    """Classes without a validation image."""
    shows_nothing: bool
    """Whether the validation images show no relation between confidence and being right."""


def predict_uncertain(
    run: str | Path, pictures: Sequence[str | Path], root: str | Path | None = None
) -> UncertainPredictions | IntervalPredictions:
    """Classify picture files with a finished run and say where it is unsure; of regression, give intervals.

    The calibration is the run's own where its recipe has the measure ``uncertainty``; otherwise it is found now on the
    run's validation images, which must still be under the data root ``root``. What is said of a picture does not depend
    on the others. Raises AssayError as ``predict`` does, for a run without validation images, and for data that are no
    longer those of the run.
    """
    import numpy as np
    import torch

    from assay.data.batches import Split
    from assay.evaluate.uncertainty import calibration_from
    from assay.tasks.classification.task import Prediction
    from assay.uncertainty.injection import Injection, calibrate, predictive
    from assay.uncertainty.temperature import shows_nothing

    run = Path(run)
    recipe, about, model = load_run(run)
    if TASKS[recipe.task].target != "values":
        require("labels", recipe.task, "predict --uncertainty", recipe.data.source)
    if not about.get("counts", {}).get("validation"):
        raise AssayError(f"{run}: its uncertainty is not known, since the run had no validation images to calibrate on")
    images = [read_picture(Path(picture), about, recipe.data.fit) for picture in pictures]
    measures = (measure for measure in recipe.evaluate if isinstance(measure, UncertaintyMeasure))
    options = next(measures, UncertaintyMeasure())
    injection = Injection(options.layers, options.passes, recipe.seed)
    if TASKS[recipe.task].target == "values":
        pairs = list(zip(map(Path, pictures), images, strict=True))
        return predict_intervals(run, recipe, about, model, injection, pairs, root)
    kept = read_object(run / "metrics.json")
    if "dropout_rate" in kept:
        calibration = calibration_from(kept)
    else:
        with own_data(run, recipe, about, model, root) as (data, device):
            calibration = calibrate(model, Split(data, "validation", device), injection, device)
    method, classes, each = calibration.method, about["classes"], []
    nothing_shown = shows_nothing(calibration.temperature, calibration.nll["temperature"], len(classes))
    nothing = torch.zeros(1, dtype=torch.int64)
    for picture, image in zip(pictures, images, strict=True):
        said = predictive(model, [(image[None], nothing)], calibration, injection, trained=False)
        row = said.probabilities[method][0]
        best = int(row.argmax())
        chances = dict(zip(classes, row.tolist(), strict=True))
        low, high = np.minimum(said.low[0], row), np.maximum(said.high[0], row)
        rival = np.delete(high, best).max()
        prediction = Prediction(Path(picture), classes[best], chances)
        unsure = nothing_shown or row[best] < calibration.unsure_below[method] or low[best] <= rival
        each.append(UncertainPrediction(prediction, float(low[best]), float(high[best]), bool(unsure)))
    absent = tuple(classes[c] for c in calibration.absent)
    return UncertainPredictions(tuple(each), calibration, calibration.unsure_below[method], absent, nothing_shown)


def uncertain_table(found: UncertainPredictions | IntervalPredictions) -> RenderableType:
    """The predictions for the terminal, and how to read them."""
    if isinstance(found, IntervalPredictions):
        return interval_table(found)
    table = Table("picture", "class", "probability", "interval", "", box=None, pad_edge=False)
    for one in found.each:
        p = one.prediction
        interval = f"{one.low:.3f} to {one.high:.3f}"
        table.add_row(Text(str(p.picture)), Text(p.label), f"{p.probability:.3f}", interval, "unsure" * one.unsure)
    by = {
        "temperature": f"the temperature {found.calibration.temperature:.3g}",
        "injected": f"injected dropout of {found.calibration.rate:g}",
    }[found.calibration.method]
    lines = [
        f"Probabilities are calibrated by {by}; the interval holds nine of ten passes with dropout.",
        f"Unsure: below {found.unsure_below:.3f}, where the least sure tenth of the validation images lie, or where "
        "another class's interval reaches up to this one's.",
    ]
    if found.shows_nothing:
        lines.append(
            "The validation images show no relation between confidence and being right (the temperature is the largest "
            "that was tried), so every answer is unsure."
        )
    if found.absent:
        lines.append(f"No validation image was of {', '.join(found.absent)}: for them nothing was calibrated.")
    return Group(table, *map(Text, lines))
