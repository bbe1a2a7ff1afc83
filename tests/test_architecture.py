"""Imports run one way, those inside functions and for type checking too; rooms stand on each other in one order."""

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import assay

ROOT = Path(assay.__file__).parent
FLOORS = (
    ("errors", "seeds", "moved", "faces"),
    ("language",),
    ("system",),
    ("recipe",),
    ("data",),
    ("models",),
    ("separation",),
    ("uncertainty",),
    ("diagnosis",),
    ("after",),
    ("tasks",),
    ("train",),
    ("evaluate",),
    ("results",),
    ("runs",),
    ("report",),
    ("tools",),
    ("start",),
    ("assay",),
    ("cli",),
    ("__main__",),
)
"""From the ground up: a room imports from those before it only."""
LOOSE = 6


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def stub(package: str) -> dict[str, str]:
    """What a package's face shows: name → the module that has it."""
    path = modules()[package].with_suffix(".pyi")
    if not path.exists():
        return {}
    nodes = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom))
    return {alias.name: f"{package}.{node.module}" for node in nodes for alias in node.names}


def home(module: str, name: str) -> str:
    """The module that ``from module import name`` reads: a submodule, what a package's face shows, or itself."""
    if f"{module}.{name}" in modules():
        return f"{module}.{name}"
    return home(stub(module)[name], name) if name in stub(module) else module


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "assay":
            found |= {home(str(node.module), alias.name) for alias in node.names}
    return found & modules().keys()


@cache
def arrows() -> dict[str, set[str]]:
    return {name: imports(path) - {name} for name, path in modules().items()}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def test_no_circle_ties_files_together() -> None:
    try:
        TopologicalSorter(arrows()).prepare()
    except CycleError as error:
        raise AssertionError(" → ".join(error.args[1])) from None


def test_no_room_imports_from_one_above_it() -> None:
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    upward = [
        f"{source} → {target}"
        for source, targets in arrows().items()
        for target in targets
        if room(source) != room(target) and floor[room(source)] <= floor[room(target)]
    ]
    assert not upward


def test_every_room_has_its_floor_and_few_files_lie_loose() -> None:
    loose = {path.stem for path in ROOT.glob("*.py")}
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert {name for names in FLOORS for name in names} - {"assay"} == rooms | loose - {"__init__"}
    assert len(loose) <= LOOSE


def test_the_walk_sees_imports_inside_functions_and_through_faces() -> None:
    assert "assay.report.page" in arrows()["assay.cli.studies"]
    assert "assay.data.batches" in imports_of("from assay.data import ImageData")
    assert "assay.recipe.study" in imports_of("def f():\n    from assay import load_study")


def imports_of(text: str) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    return {home(str(node.module), alias.name) for node in nodes for alias in node.names}


def test_no_file_and_no_function_is_too_long_to_read() -> None:
    for path in modules().values():
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}: {node.name}"


def test_the_map_of_the_house_names_what_is_there() -> None:
    page = (ROOT.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = [path.parent.name for path in ROOT.glob("*/__init__.py")]
    assert set(re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE)) == set(rooms)
    named = set(re.findall(r"\b(?:[a-z_]+/)+[a-z_.0-9]+\.(?:py|j2)\b", page)) - {"tests/test_architecture.py"}
    missing = [name for name in named if not (ROOT / name).exists() and not (ROOT.parents[1] / name).exists()]
    assert not missing
