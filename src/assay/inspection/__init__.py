"""What can be known of a data set before anything is trained on it: copies, leaks, doubtful labels, counts and values.

The command is ``assay check``; the room has another name, for ``check`` is what the recipe's own checks are called.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.inspection.copies import Copies, find_copies
    from assay.inspection.inspecting import Inspection, inspect
    from assay.inspection.page import write_inspection

__all__ = ["Copies", "Inspection", "find_copies", "inspect", "write_inspection"]

_HOMES = {
    "Copies": "copies",
    "Inspection": "inspecting",
    "find_copies": "copies",
    "inspect": "inspecting",
    "write_inspection": "page",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
