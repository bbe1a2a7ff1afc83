"""Dotted paths into a raw recipe: ``train.optimizer.lr=0.1``."""

import copy
from collections.abc import Mapping
from typing import Any

from assay.errors import AssayError, enumerated
from assay.recipe.yaml_files import parse_yaml

MISSING: Any = object()
SECTIONS = ("data", "train", "predict")
"""Parts of a recipe that have no name: to change one as a whole means to state all of it."""


def parse(text: str) -> tuple[str, Any]:
    """``"train.epochs=3"`` → ``("train.epochs", 3)``; the value is read as YAML."""
    path, equals, value = text.partition("=")
    if not equals or not all(path.strip().split(".")):
        raise AssayError(f"--set {text}: expected KEY=VALUE, for example train.epochs=3")
    return path.strip(), parse_yaml(value, f"--set {text}: the value")


def get(tree: dict[str, Any], path: str) -> Any:
    """The value at ``path``, or MISSING; ``adam`` is read as ``{name: adam}`` on the way down."""
    here: Any = tree
    for key in path.split("."):
        if isinstance(here, str):
            here = {"name": here}
        if not isinstance(here, dict) or key not in here:
            return MISSING
        here = here[key]
    return here


def put(tree: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of ``tree`` with ``value`` at ``path``; sections that are absent are made."""
    result = copy.deepcopy(tree)
    here = result
    *sections, last = path.split(".")
    for key in sections:
        section = here.get(key)
        if isinstance(section, str):
            section = {"name": section}
        elif section is None:
            section = {}
        elif not isinstance(section, dict):
            raise AssayError(f"{path}: {key} is {section!r}, which has no parts to set")
        here[key] = section
        here = section
    here[last] = value
    return result


def refuse_forgetting(tree: Mapping[str, Any], key: str, value: Any, where: str) -> None:
    """Raise AssayError where a whole section would take the place of one that states more keys, which would silently be
    the defaults again."""
    section = tree.get(key)
    if key not in SECTIONS or not isinstance(value, dict) or not isinstance(section, dict):
        return
    if lost := [part for part in section if part not in value]:
        raise AssayError(
            f"{where}: this would replace all of {key}, and does not say the base's {enumerated(lost, 5)}; change the "
            f"keys that differ, such as {key}.{next(iter(value), lost[0])}, or state all of them"
        )
