"""Rows of pictures and of what is true of them, before it is known which columns are wanted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, NoReturn

from PIL import Image

from assay.data.images import open_picture
from assay.errors import AssayError, nearest

Kind = Literal["picture", "class", "number", "list", "objects", "other"]


@dataclass(frozen=True)
class Column:
    """What the cells of a column are."""

    kind: Kind
    names: tuple[str, ...] = ()
    """Of classes, where cells have their numbers."""


def agreed(each: Mapping[str, Mapping[str, Column]]) -> dict[str, Column]:
    """The columns of all files or parts, by what these are called. AssayError where two number classes differently."""
    found: dict[str, Column] = {}
    first: dict[str, str] = {}
    for where, columns in each.items():
        for name, column in columns.items():
            kept = found.setdefault(name, column)
            if kept.names != column.names:
                raise AssayError(
                    f"column {name!r} has other classes, or in another order, in {first[name]} than in {where}: a "
                    "number would mean two things"
                )
            first.setdefault(name, where)
    return found


@dataclass(frozen=True)
class Packed:
    """The parts of a source one after another: the rows of the first, then of the second."""

    where: str
    parts: Mapping[str, int]
    """Name → how many rows, at least one in all."""
    columns: Mapping[str, Column]
    cells: Callable[[str], list[Any]]
    """All of a column that has no pictures."""
    files: Callable[[str], list[str]]
    """What the pictures of a column were called as files, "" where that is not known."""
    picture: Callable[[str, int], Image.Image]
    """That of a column and row, not yet decoded; may raise anything."""

    def __post_init__(self) -> None:
        if not any(self.parts.values()):
            raise AssayError(f"{self.where} has no rows")

    def of_kind(self, kind: Kind) -> list[str]:
        """The columns of a kind."""
        return [name for name, column in self.columns.items() if column.kind == kind]

    def column(self, name: str, key: str) -> Column:
        """The one called ``name``, which ``data.<key>`` asks for. AssayError where there is none."""
        if name not in self.columns:
            raise AssayError(f"data.{key}: {self.where} has no column {name!r}; {nearest(name, self.columns)}")
        return self.columns[name]

    def refuse(self, column: str, found: str, expected: str, places: list[str]) -> NoReturn:
        """Raise the AssayError for what stands in a column at some ``places``, the names of pictures."""
        more = f" (and {len(places) - 1:,} more like it)" if len(places) > 1 else ""
        raise AssayError(f"{self.where}, column {column!r}, {places[0]}: found {found}, expected {expected}{more}")


@dataclass(frozen=True)
class Place:
    """Where such rows lie; they are read only when they are asked for."""

    where: str
    identity: list[Any]
    """Plain JSON values that change whenever a picture or a cell would."""
    rows: Callable[[], Packed]


def open_cell(cell: Any, folder: Path) -> Image.Image:
    """A picture from its bytes, or from {bytes, path} as Hugging Face writes it, a path from ``folder``.

    Raises ValueError where there is none, and whatever Pillow meets.
    """
    content, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, Mapping) else (cell, None)
    if content is None and path:
        return open_picture(folder / path)
    if not content:
        raise ValueError("there is no picture")
    return Image.open(BytesIO(content))
