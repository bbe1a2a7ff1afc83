"""Which backbone suits a set of images, before anything is trained.

Importing this room imports no torch: names are looked up when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.ranking.evidence import logme
    from assay.ranking.ranking import Ranking, rank

__all__ = ["Ranking", "logme", "rank"]

_HOMES = {"Ranking": "ranking", "logme": "evidence", "rank": "ranking"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
