"""How far a network's answers may be believed, found out without training it again.

Measures on plain arrays; temperature scaling; dropout injected at test time; ensembles. Importing this room imports no
torch: names are looked up when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from assay.uncertainty.temperature import find_temperature, scaled

__all__ = [
    "accuracy_at_coverage",
    "answers",
    "area_under_risk_coverage",
    "brier_score",
    "calibration_error",
    "error_auroc",
    "find_temperature",
    "negative_log_likelihood",
    "reliability",
    "risk_coverage",
    "scaled",
    "scores",
]

_HOMES = {
    "accuracy_at_coverage": "measures",
    "answers": "measures",
    "area_under_risk_coverage": "measures",
    "brier_score": "measures",
    "calibration_error": "measures",
    "error_auroc": "measures",
    "find_temperature": "temperature",
    "negative_log_likelihood": "measures",
    "reliability": "measures",
    "risk_coverage": "measures",
    "scaled": "temperature",
    "scores": "measures",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
