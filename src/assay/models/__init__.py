"""Networks by name, and a table of what a network is made of. Torch is imported at the first use."""

from typing import TYPE_CHECKING, Any

from assay.models.catalogue import MODELS, build

if TYPE_CHECKING:
    from assay.models.layer_table import Layer, Summary, summary

__all__ = ["MODELS", "Layer", "Summary", "build", "summary"]


def __getattr__(name: str) -> Any:
    if name in ("Layer", "Summary", "summary"):
        from assay.models import layer_table

        return getattr(layer_table, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
