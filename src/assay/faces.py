"""A package's face: the names in its ``__init__.pyi``, each imported when it is first used (PEP 562)."""

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def face(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package, by the ``from .module import name`` of its stub.

    ``file`` is the package's ``__file__``; the stub beside it is what type checkers read.
    """
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    relative = [node for node in stub.body if isinstance(node, ast.ImportFrom) and node.level == 1]
    homes = {alias.name: f"{package}.{node.module}" for node in relative for alias in node.names}

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, shown = import_module(homes[name]), sys.modules[package]
        for each in (each for each, home in homes.items() if home == module.__name__):
            setattr(shown, each, getattr(module, each))  # all, since a module hides the function of its own name
        return getattr(shown, name)

    return get, lambda: sorted(homes), sorted(homes)
