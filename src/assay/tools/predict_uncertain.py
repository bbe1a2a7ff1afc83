"""What a finished run says of pictures, with how far to believe it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError
from assay.recipe import Recipe, UncertaintyMeasure
from assay.recipe.tasks import TASKS, require
from assay.system.files import read_object
from assay.tools.predict import Progress, load_run
from assay.tools.predict_interval import IntervalPredictions, predict_intervals

if TYPE_CHECKING:
    import torch

    from assay.tasks.classification.task import Prediction
    from assay.tools.choosing import Chosen
    from assay.tools.pictures import Unread
    from assay.uncertainty.injection import Calibration, Injection

FEW = 100
"""Validation images below which a calibration is called uncertain itself: their least sure tenth is under ten."""
WIDE = 0.9
"""An interval of a probability that is wider says next to nothing."""


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

    @property
    def cells(self) -> dict[str, str]:
        """Heading → text."""
        return self.prediction.cells | {"interval": f"{self.low:.3f} to {self.high:.3f}", "": "unsure" * self.unsure}

    @property
    def record(self) -> dict[str, Any]:
        """That of the prediction, with the interval of its class and whether it is unsure."""
        return self.prediction.record | {"interval": {"low": self.low, "high": self.high}, "unsure": self.unsure}


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
    validation_images: int
    """Behind the calibration."""
    unread: "Sequence[Unread]"
    chosen: "Chosen"

    @property
    def is_wide(self) -> bool:
        """Whether nine of ten intervals reach over nearly all there is."""
        wide = sum(one.high - one.low > WIDE for one in self.each)
        return bool(self.each) and wide >= 0.9 * len(self.each)

    @property
    def rows(self) -> list[dict[str, str]]:
        """Of each picture heading → text, without what the notes say once of all."""
        left_out = ({"interval"} if self.is_wide else set()) | ({""} if self.is_wide or self.shows_nothing else set())
        return [{key: text for key, text in one.cells.items() if key not in left_out} for one in self.each]

    @property
    def notes(self) -> list[str]:
        """How to read the answers, in sentences."""
        found = self.calibration
        by = {
            "temperature": f"the temperature {found.temperature:.3g}",
            "injected": f"injected dropout of {found.rate:g}",
        }[found.method]
        lines = [*filter(None, [self.chosen.reason])]
        if self.is_wide:
            lines += [f"Probabilities are calibrated by {by}.", self._why_wide()]
        else:
            lines += [f"Probabilities are calibrated by {by}; the interval holds nine of ten passes with dropout."]
        if self.shows_nothing:
            lines.append(
                "The validation images show no relation between confidence and being right (the temperature is the "
                "largest that was tried), so every answer is unsure."
            )
        elif not self.is_wide:
            lines.append(
                f"Unsure: below {self.unsure_below:.3f}, where the least sure tenth of the validation images lie, or "
                "where another class's interval reaches up to this one's."
            )
        if self.validation_images < FEW:
            lines.append(
                f"All this rests on {self.validation_images:,} validation images; with fewer than {FEW} it is itself "
                "uncertain."
            )
        if self.absent:
            lines.append(f"No validation image was of {', '.join(self.absent)}: for them nothing was calibrated.")
        return lines

    def _why_wide(self) -> str:
        few = ", too few to choose well" * (self.validation_images < FEW)
        return (
            "Nine of ten intervals reach from nearly 0 to nearly 1 and are not shown: their passes have dropout of "
            f"{self.calibration.rate:g}, chosen on {self.validation_images:,} validation images{few}. Every answer "
            "counts as unsure."
        )


def predict_uncertain(
    where: str | Path,
    pictures: Sequence[str | Path],
    root: str | Path | None = None,
    answering: Progress | None = None,
) -> UncertainPredictions | IntervalPredictions:
    """Classify pictures with a finished run and say where it is unsure; of regression, give intervals.

    ``where`` and ``pictures`` are those of ``assay.tools.predict.answers``. The calibration is the run's own where its
    recipe has the measure ``uncertainty``; otherwise it is found now on the run's validation images, which must still
    be under the data root ``root``. What is said of a picture does not depend on the others. Raises AssayError as
    ``answers`` does, for a run without validation images, and for data that are no longer those of the run.
    """
    from assay.after.around import around
    from assay.system.machine import device_here
    from assay.tools.choosing import choose
    from assay.tools.pictures import pictures_at
    from assay.uncertainty.injection import Injection

    chosen = choose(Path(where))
    (run,) = chosen.runs
    recipe, about, network = load_run(run)
    device = device_here(recipe.train.device)
    model = around(network.to(device), recipe.predict, about["mean"], about["std"])
    if TASKS[recipe.task].target != "values":
        require("labels", recipe.task, "predict --uncertainty", recipe.data.source)
    if not about.get("counts", {}).get("validation"):
        raise AssayError(f"{run}: its uncertainty is not known, since the run had no validation images to calibrate on")
    found, unread = pictures_at(pictures)
    images = prepared(found, recipe, about, device, unread, answering)
    measures = (measure for measure in recipe.evaluate if isinstance(measure, UncertaintyMeasure))
    options = next(measures, UncertaintyMeasure())
    injection = Injection(options.layers, options.passes, recipe.seed)
    if TASKS[recipe.task].target == "values":
        return IntervalPredictions(
            *predict_intervals(run, recipe, about, model, injection, images, root, device), unread, chosen
        )
    calibration = calibration_of(run, recipe, about, model, injection, root, device)
    return classified(images, about, model, calibration, injection, device, unread, chosen)


def prepared(
    pictures: Sequence[Any],
    recipe: Recipe,
    about: dict[str, Any],
    device: "torch.device",
    unread: "list[Unread]",
    answering: Progress | None,
) -> "Iterator[tuple[Path, torch.Tensor]]":
    """Each ``Picture`` that can be read, as the network on ``device`` wants it, one after the other; the rest go to
    ``unread``."""
    from assay.data.batches import pass_size
    from assay.tools.pictures import normalized, read_in_batches

    _, height, width = about["shape"]
    done = 0
    for part, bad in read_in_batches(pictures, about, recipe.data.fit, pass_size(height, width, device)):
        unread += bad
        for picture, read in part:
            yield picture.path, normalized(read.pixels, about)
            done += 1
            if answering:
                answering(done, len(pictures))


def calibration_of(
    run: Path,
    recipe: Recipe,
    about: dict[str, Any],
    model: "torch.nn.Module",
    injection: "Injection",
    root: str | Path | None,
    device: "torch.device",
) -> "Calibration":
    """The run's own calibration, or the one that its validation images give now."""
    from assay.data.batches import Split
    from assay.evaluate.uncertainty import calibration_from
    from assay.runs.data import load_data_of
    from assay.uncertainty.injection import calibrate

    kept = read_object(run / "metrics.json")
    if "dropout_rate" in kept:
        return calibration_from(kept)
    data = load_data_of(run, recipe, about, root)
    return calibrate(model, Split(data, "validation", device), injection, device)


def classified(
    images: "Iterable[tuple[Path, torch.Tensor]]",
    about: dict[str, Any],
    model: "torch.nn.Module",
    calibration: "Calibration",
    injection: "Injection",
    device: "torch.device",
    unread: "list[Unread]",
    chosen: "Chosen",
) -> UncertainPredictions:
    """The class of each image by ``model``, which is on ``device``, with its calibrated probability and interval."""
    import numpy as np
    import torch

    from assay.tasks.classification.task import Prediction
    from assay.uncertainty.injection import predictive
    from assay.uncertainty.temperature import shows_nothing

    method, classes, each = calibration.method, about["classes"], []
    nothing_shown = shows_nothing(calibration.temperature, calibration.nll["temperature"], len(classes))
    nothing = torch.zeros(1, dtype=torch.int64)
    for picture, image in images:
        said = predictive(model, [(image[None], nothing)], calibration, injection, device, trained=False)
        row = said.probabilities[method][0]
        best = int(row.argmax())
        chances = dict(zip(classes, row.tolist(), strict=True))
        low, high = np.minimum(said.low[0], row), np.maximum(said.high[0], row)
        rival = np.delete(high, best).max()
        prediction = Prediction(picture, classes[best], chances)
        unsure = nothing_shown or row[best] < calibration.unsure_below[method] or low[best] <= rival
        each.append(UncertainPrediction(prediction, float(low[best]), float(high[best]), bool(unsure)))
    absent, below = tuple(classes[c] for c in calibration.absent), calibration.unsure_below[method]
    counted = about["counts"]["validation"]
    return UncertainPredictions(tuple(each), calibration, below, absent, nothing_shown, counted, unread, chosen)
