"""Measures: what is found out about a trained network. Torch is imported at the first use."""

from typing import TYPE_CHECKING, Any

from assay.evaluate.catalogue import MEASURES

if TYPE_CHECKING:
    from assay.evaluate.measuring import Trained, Value, measure

__all__ = ["MEASURES", "Trained", "Value", "measure"]


def __getattr__(name: str) -> Any:
    if name in ("Trained", "Value", "measure"):
        from assay.evaluate import measuring

        return getattr(measuring, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
