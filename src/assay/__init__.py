"""assay: one file asks a question about image networks, one command answers it.

``load_study(path).run()`` trains what is missing and returns the ``Results``; every room of the package
(``assay.models``, ``assay.data``, ``assay.statistics``, …) also works without a study.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from assay.errors import AssayError as AssayError
    from assay.prediction import predict as predict
    from assay.recipe import Recipe as Recipe
    from assay.results import Results as Results
    from assay.study import Study as Study
    from assay.study import load_study as load_study

_HOMES = {
    "AssayError": "assay.errors",
    "Recipe": "assay.recipe",
    "Results": "assay.results",
    "Study": "assay.study",
    "load_study": "assay.study",
    "predict": "assay.prediction",
}

__all__ = ["AssayError", "Recipe", "Results", "Study", "load_study", "predict"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``import assay`` takes milliseconds."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'assay' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names."""
    return sorted([*__all__, "__version__"])
