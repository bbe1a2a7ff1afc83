"""The numbers of pictures by a finished run of regression, with intervals by dropout injected into its network."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from assay.recipe import Recipe
from assay.runs.data import load_data_of
from assay.system.files import read_object

if TYPE_CHECKING:
    import torch

    from assay.tasks.regression.task import Prediction
    from assay.tools.choosing import Chosen
    from assay.tools.pictures import Unread
    from assay.uncertainty.gaussian import GaussianCalibration
    from assay.uncertainty.injection import Injection

LEVEL = 0.9


@dataclass(frozen=True)
class IntervalPredictions:
    """Values, the means over passes with injected dropout, with the intervals of normal distributions around them."""

    each: "tuple[Prediction, ...]"
    calibration: "GaussianCalibration"
    """What the validation images say: the rate of the dropout, and for each target scale and floor of the variance."""
    unread: "Sequence[Unread]"
    chosen: "Chosen"

    @property
    def rows(self) -> list[dict[str, str]]:
        """Of each picture heading → text."""
        return [one.cells for one in self.each]

    @property
    def notes(self) -> list[str]:
        """How to read the answers, in sentences."""
        by = (
            f"Means over passes with injected dropout of {self.calibration.rate:g}; by the validation images nine of "
            "ten truths lie in the interval, if errors are normal."
        )
        return [*filter(None, [self.chosen.reason]), by]


def predict_intervals(
    run: Path,
    recipe: Recipe,
    about: dict[str, Any],
    model: "torch.nn.Module",
    injection: "Injection",
    images: "Iterable[tuple[Path, torch.Tensor]]",
    root: str | Path | None,
    device: "torch.device",
) -> "tuple[tuple[Prediction, ...], GaussianCalibration]":
    """The values of pictures (c, h, w), prepared as the run's images were, and the calibration behind the intervals;
    see ``predict_uncertain``. ``model`` is on ``device``. What is said of a picture does not depend on the others."""
    import numpy as np
    import torch

    from assay.evaluate.intervals import calibrated, calibration_from
    from assay.tasks.regression.task import standard_from, told
    from assay.uncertainty.gaussian import predictive_gaussian

    calibration = calibration_from(read_object(run / "metrics.json"), about["classes"])
    if calibration is None:
        calibration = calibrated(model, load_data_of(run, recipe, about, root), injection, device)
    standard, nothing = standard_from(about), torch.zeros(1, len(about["classes"]))
    each = []
    for picture, image in images:
        said = predictive_gaussian(model, [(image[None], nothing)], calibration, injection, device)
        half = NormalDist().inv_cdf((1 + LEVEL) / 2) * np.sqrt(said.variance[0]) * standard.deviation
        own = {"measured": {"interval_90": half.tolist()}}
        each += told(torch.from_numpy(said.mean), [picture], about | own)
    return tuple(each), calibration
