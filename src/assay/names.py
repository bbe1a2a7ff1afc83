"""What a recipe may name: the listings of ``assay list``. Torch is not imported."""

from typing import Any, get_args

from pydantic import BaseModel
from rich.table import Table

from assay import recipe
from assay.data.catalogue import ANY_PATH, SOURCES
from assay.errors import unknown
from assay.evaluate.catalogue import MEASURES
from assay.models.catalogue import MODELS
from assay.recipe import AUGMENTATIONS

SECTIONS = {"losses": recipe.Loss, "optimizers": recipe.Optimizer, "schedules": recipe.AnySchedule}
KINDS = ["models", "data", "losses", "optimizers", "schedules", "augmentations", "measures"]


def names(kind: str) -> dict[str, str]:
    """Name → description for one of ``KINDS``. Raises AssayError for another kind."""
    match kind:
        case "models":
            return {name: text for name, (_, text) in MODELS.items()}
        case "data":
            return {**{name: text for name, (_, text) in SOURCES.items()}, ANY_PATH[0]: ANY_PATH[1]}
        case "measures":
            return {name: text for name, (_, text) in MEASURES.items()}
        case "augmentations":
            return {name: f"{meaning} ({amount:g})" for name, (amount, meaning) in AUGMENTATIONS.items()}
        case "losses" | "optimizers" | "schedules":
            return {member.model_fields["name"].default: describe(member) for member in members(SECTIONS[kind])}
    raise unknown("kind of names", kind, KINDS)


def listing(kind: str) -> Table:
    """The names of a kind as a table for the terminal."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text in names(kind).items():
        table.add_row(name, text)
    return table


def members(union: Any) -> tuple[type[BaseModel], ...]:
    """The sections that a named part of the recipe can be."""
    return get_args(get_args(union)[0])


def describe(section: type[BaseModel]) -> str:
    """The first line of a section's docstring and its options with their defaults."""
    first = (section.__doc__ or "").strip().splitlines()[0]
    options = [
        f"{name}={field.default}" if not field.is_required() else name
        for name, field in section.model_fields.items()
        if name != "name"
    ]
    return first + (f" ({', '.join(options)})" if options else "")
