"""How well the activations of a layer keep the classes apart: indices, exact nearest neighbours, layers.

Importing this room imports no torch: names are looked up when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.separation.by_layer import Layers, layers
    from assay.separation.centers import center_index, cross_center_index
    from assay.separation.in_words import reading
    from assay.separation.index import Index
    from assay.separation.indices import anti_index, cross_index, high_order_index, separation_index, soft_order_index
    from assay.separation.neighbors import nearest_neighbors
    from assay.separation.scores import sample_scores
    from assay.separation.smoothness import smoothness_index

__all__ = [
    "Index",
    "Layers",
    "anti_index",
    "center_index",
    "cross_center_index",
    "cross_index",
    "high_order_index",
    "layers",
    "nearest_neighbors",
    "reading",
    "sample_scores",
    "separation_index",
    "smoothness_index",
    "soft_order_index",
]

_HOMES = {
    "Index": "index",
    "Layers": "by_layer",
    "anti_index": "indices",
    "center_index": "centers",
    "cross_center_index": "centers",
    "cross_index": "indices",
    "high_order_index": "indices",
    "layers": "by_layer",
    "nearest_neighbors": "neighbors",
    "reading": "in_words",
    "sample_scores": "scores",
    "separation_index": "indices",
    "smoothness_index": "smoothness",
    "soft_order_index": "indices",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
