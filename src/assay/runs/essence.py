"""When two recipes ask for the same, whatever the words: of a run, or of its training alone."""

import json
from collections.abc import Mapping
from typing import Any


def essence(recipe: Mapping[str, Any]) -> str:
    """Equal for recipes that determine the same run; a value that is null counts as one that is absent."""
    stated = {key: value for key, value in flatten(recipe).items() if value is not None}
    return json.dumps(stated, sort_keys=True)


def learning(recipe: Mapping[str, Any]) -> str:
    """Equal for recipes that train the same network: all but ``predict`` counts."""
    return essence({key: value for key, value in recipe.items() if key != "predict"})


def flatten(tree: Any, path: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys."""
    if not isinstance(tree, Mapping):
        return {path: tree}
    return {k: v for key, part in tree.items() for k, v in flatten(part, f"{path}.{key}".lstrip(".")).items()}
