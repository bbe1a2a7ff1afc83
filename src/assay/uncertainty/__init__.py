"""How far a network's answers may be believed, found out without training it again.

Measures on plain arrays; temperature scaling; dropout injected at test time; ensembles. Importing this room imports no
torch: names are looked up when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.uncertainty.ensembles import ensemble
    from assay.uncertainty.gaussian import (
        GaussianCalibration,
        GaussianPredictive,
        calibrate_gaussian,
        gaussian_nll,
        predictive_gaussian,
    )
    from assay.uncertainty.injection import Calibration, Injection, Predictive, calibrate, mean_of_passes, predictive
    from assay.uncertainty.measures import (
        accuracy_at_coverage,
        answers,
        area_under_risk_coverage,
        brier_score,
        calibration_error,
        error_auroc,
        negative_log_likelihood,
        reliability,
        risk_coverage,
        scores,
    )
    from assay.uncertainty.replay import Replay, replaying
    from assay.uncertainty.temperature import find_temperature, scaled, shows_nothing

__all__ = [
    "Calibration",
    "GaussianCalibration",
    "GaussianPredictive",
    "Injection",
    "Predictive",
    "Replay",
    "accuracy_at_coverage",
    "answers",
    "area_under_risk_coverage",
    "brier_score",
    "calibrate",
    "calibrate_gaussian",
    "calibration_error",
    "ensemble",
    "error_auroc",
    "find_temperature",
    "gaussian_nll",
    "mean_of_passes",
    "negative_log_likelihood",
    "predictive",
    "predictive_gaussian",
    "reliability",
    "replaying",
    "risk_coverage",
    "scaled",
    "scores",
    "shows_nothing",
]

_HOMES = {
    "Calibration": "injection",
    "GaussianCalibration": "gaussian",
    "GaussianPredictive": "gaussian",
    "Injection": "injection",
    "Predictive": "injection",
    "Replay": "replay",
    "accuracy_at_coverage": "measures",
    "answers": "measures",
    "area_under_risk_coverage": "measures",
    "brier_score": "measures",
    "calibrate": "injection",
    "calibrate_gaussian": "gaussian",
    "calibration_error": "measures",
    "ensemble": "ensembles",
    "error_auroc": "measures",
    "find_temperature": "temperature",
    "gaussian_nll": "gaussian",
    "mean_of_passes": "injection",
    "negative_log_likelihood": "measures",
    "predictive": "injection",
    "predictive_gaussian": "gaussian",
    "reliability": "measures",
    "replaying": "replay",
    "risk_coverage": "measures",
    "scaled": "temperature",
    "scores": "measures",
    "shows_nothing": "temperature",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
