"""What a recipe may name: the listings of ``assay list``. Torch is not imported."""

import ast
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from assay import recipe
from assay.data.sources.catalogue import FORMS, SOURCES
from assay.errors import unknown
from assay.evaluate.catalogue import MEASURES
from assay.models.catalogue import LIBRARIES, MODELS
from assay.recipe import AUGMENTATIONS

SECTIONS = {"losses": recipe.Loss, "optimizers": recipe.Optimizer, "schedules": recipe.AnySchedule}
KINDS = ["models", "data", "losses", "optimizers", "schedules", "augmentations", "measures"]


def names(kind: str) -> dict[str, str]:
    """Name → description for one of ``KINDS``. Raises AssayError for another kind."""
    match kind:
        case "models":
            ours = {name: with_options(text, arguments(builder)) for name, (builder, text) in MODELS.items()}
            common = options(recipe.Model)
            return ours | {f"{library}/…": with_options(text, common) for library, (_, text) in LIBRARIES.items()}
        case "data":
            return {name: each.line for name, each in (SOURCES | FORMS).items()}
        case "measures":
            own = {member.model_fields["name"].default: options(member) for member in members(recipe.Measure)}
            return {name: with_options(text, own[name]) for name, (_, text) in MEASURES.items()}
        case "augmentations":
            return {name: f"{meaning} ({amount:g})" for name, (amount, meaning) in AUGMENTATIONS.items()}
        case "losses" | "optimizers" | "schedules":
            return {member.model_fields["name"].default: describe(member) for member in members(SECTIONS[kind])}
    raise unknown("kind of names", kind, KINDS)


def listing(kind: str | None = None) -> RenderableType:
    """The names of a kind, or of every kind under its heading, as a table for the terminal."""
    if kind is None:
        return Group(*(part for each in KINDS for part in (Text(each, "bold underline"), listing(each), "")))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text in names(kind).items():
        table.add_row(Text(name), Text(text))
    return table


def members(union: Any) -> tuple[type[BaseModel], ...]:
    """The sections that a named part of the recipe can be."""
    return get_args(get_args(union)[0])


def describe(section: type[BaseModel]) -> str:
    """The first line of a section's docstring and its options with their defaults."""
    first = (section.__doc__ or "").strip().splitlines()[0].replace("``", "'")
    return with_options(first, options(section))


def with_options(text: str, own: list[str]) -> str:
    """The description with the options behind it, in parentheses."""
    return text.removesuffix(".") + (f" ({', '.join(own)})" if own else "")


def options(section: type[BaseModel]) -> list[str]:
    """``name=default`` of a section's fields, or the name alone of one that must be given."""
    fields = ((name, field) for name, field in section.model_fields.items() if name != "name")
    return [name if field.is_required() else f"{name}={plain(field.default)}" for name, field in fields]


def arguments(builder: str) -> list[str]:
    """``name=default`` of a builder's keyword arguments, read from its source: importing it would import torch."""
    module, function = builder.split(":")
    spec = find_spec(module)
    source = Path((spec and spec.origin) or "").read_text(encoding="utf-8")
    found = next(n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == function)
    pairs = zip(found.args.kwonlyargs, found.args.kw_defaults, strict=True)
    return [key.arg + (f"={_written(default)}" if default else "") for key, default in pairs]


def _written(default: ast.expr) -> str:
    """A default as a study file has it; that of a section of its own, all of whose keys have one, is ``{}``."""
    return "{}" if isinstance(default, ast.Call) else plain(ast.literal_eval(default))


def plain(value: Any) -> str:
    """A value as a study file has it: ``relu``, ``[256, 128]``, ``false``; a section by its name."""
    return value if isinstance(value, str) else json.dumps(value, default=lambda section: section.name)
