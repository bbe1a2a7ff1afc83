"""What is imported is declared, and what is declared is imported."""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOR_DEVELOPERS = ("dev", "docs")
"""Extras that the package itself never imports."""


def canonical(requirement: str) -> str:
    """``vl_convert-Python>=1.8`` → ``vl-convert-python``."""
    name = re.match(r"[\w.-]+", requirement)
    assert name
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def declared(requirements: list[str]) -> set[str]:
    return set(map(canonical, requirements))


@cache
def imported() -> dict[str, set[str]]:
    """Distribution → the files below ``src/assay`` that import it, or name a module of it in a string."""
    distributions = packages_distributions()
    found = defaultdict(set)
    for path in (ROOT / "src" / "assay").rglob("*.py"):
        for module in modules(path.read_text(encoding="utf-8")):
            for distribution in distributions.get(module, [module]):
                found[canonical(distribution)].add(path.relative_to(ROOT / "src" / "assay").as_posix())
    return found


def modules(text: str) -> set[str]:
    """The top-level modules that a file imports, but for Python's own and assay."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module))
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "find_spec":
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    tops = {name.partition(".")[0] for name in found}
    return tops - sys.stdlib_module_names - {"assay"}


def test_every_import_is_declared() -> None:
    everything = declared(PROJECT["dependencies"]).union(*map(declared, EXTRAS.values()))
    assert {name: files for name, files in imported().items() if name not in everything} == {}


def test_every_runtime_dependency_is_imported() -> None:
    assert declared(PROJECT["dependencies"]) <= set(imported())


@pytest.mark.parametrize("extra", [extra for extra in EXTRAS if extra not in (*FOR_DEVELOPERS, "weights")])
def test_every_extra_is_imported_somewhere(extra: str) -> None:
    present = {canonical(name) for names in packages_distributions().values() for name in names}
    if not declared(EXTRAS[extra]) <= present:
        pytest.skip(f"the extra {extra!r} is not installed")
    assert declared(EXTRAS[extra]) <= set(imported())


def test_an_undeclared_import_would_be_seen() -> None:
    text = "import os, yaml.nodes\ndef f():\n    from PIL import Image\n    find_spec('tensorboard')\nfrom . import x"
    assert modules(text) == {"yaml", "PIL", "tensorboard"}
