"""Training a finished run's network on its mistakes: what that gains on untouched images, and what it costs.

Importing this room imports no torch: names are looked up when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.refit.change import Change, Standing
    from assay.refit.refitting import Arm, Refit, refit

EPOCHS = 5
"""Passes over the mistakes, unless asked otherwise."""

__all__ = ["EPOCHS", "Arm", "Change", "Refit", "Standing", "refit"]

_HOMES = {"Arm": "refitting", "Change": "change", "Refit": "refitting", "Standing": "change", "refit": "refitting"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
