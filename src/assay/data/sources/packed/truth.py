"""Cells → what is true of the pictures: labels, numbers or tags."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from assay.data.sources.packed.rows import Packed
from assay.data.targets import Labels, Tags, Targets, Values
from assay.errors import AssayError

Rows = Int64[np.ndarray, " n"]
_LARGEST = float(np.finfo(np.float32).max)


def texts(packed: Packed, column: str) -> list[str | None]:
    """The cells of a column of classes, as their names; None where there is nothing, or a number that is no class."""
    names = packed.columns[column].names
    return [_named(cell, names) for cell in packed.cells(column)]


def _named(cell: Any, names: Sequence[str]) -> str | None:
    if cell is None or cell != cell:
        return None
    if names and isinstance(cell, int):
        return names[cell] if 0 <= cell < len(names) else None
    return str(cell).strip() or None


def classes_of(found: set[str], names: Sequence[str]) -> list[str]:
    """Those that occur, in the order of ``names``; without it by number where all are numbers, else by the alphabet."""
    if names:
        return [name for name in names if name in found]
    return sorted(found, key=int) if all(map(_is_whole, found)) else sorted(found)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()


def labels(packed: Packed, column: str, rows: Rows, names: list[str]) -> tuple[list[str], Labels]:
    """(classes, the label of each of ``rows``, which ``names`` name). AssayError for a row without one."""
    cells = texts(packed, column)
    mine = [cells[row] for row in rows]
    if empty := [name for name, cell in zip(names, mine, strict=True) if cell is None]:
        packed.refuse(column, "no label", "a class; data.split leaves out a part that has none", empty)
    classes = classes_of({str(cell) for cell in mine}, packed.columns[column].names)
    if len(classes) < 2:
        raise AssayError(
            f"{packed.where}, column {column!r} has only one label, {classes[0]!r}; at least two are needed"
        )
    number = {name: k for k, name in enumerate(classes)}
    return classes, Labels(np.array([number[str(cell)] for cell in mine], dtype=np.int64))


def numbers(packed: Packed, columns: Sequence[str], rows: Rows, names: list[str]) -> tuple[list[str], Values]:
    """(the columns, their numbers). AssayError for a cell that has none."""
    values = np.stack([_column_of_numbers(packed, column, rows, names) for column in columns], axis=1)
    return list(columns), Values(values, tuple(columns))


def _column_of_numbers(packed: Packed, column: str, rows: Rows, names: list[str]) -> Float64[np.ndarray, " n"]:
    cells = packed.cells(column)
    values = np.array([_number(cells[row]) for row in rows], dtype=np.float64)
    if len(bad := np.flatnonzero(~(np.abs(values) <= _LARGEST))):
        packed.refuse(column, repr(cells[rows[bad[0]]]), "a finite number", [names[k] for k in bad])
    return values


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")


def listed_tags(packed: Packed, column: str, rows: Rows, names: list[str]) -> tuple[list[str], Tags]:
    """(classes, which of them each row lists); a row may list none. AssayError for one that is no list."""
    cells, known = packed.cells(column), packed.columns[column].names
    mine = [cells[row] for row in rows]
    if empty := [name for name, cell in zip(names, mine, strict=True) if not isinstance(cell, list)]:
        packed.refuse(column, "no list", "a list of classes, which may be empty", empty)
    said = [{_named(each, known) for each in cell} for cell in mine]
    if bad := [name for name, each in zip(names, said, strict=True) if None in each]:
        packed.refuse(column, "a class without a name", f"one of {len(known)} classes", bad)
    classes = classes_of({str(each) for each in set().union(*said)}, known)
    if not classes:
        raise AssayError(f"{packed.where}, column {column!r} lists no class anywhere")
    return classes, Tags(np.array([[name in each for name in classes] for each in said], dtype=np.uint8))


def column_tags(packed: Packed, columns: Sequence[str], rows: Rows, names: list[str]) -> tuple[list[str], Tags]:
    """(the columns, 0 or 1 in each). AssayError for another cell."""
    values = np.zeros((len(rows), len(columns)), np.uint8)
    for k, column in enumerate(columns):
        cells = packed.cells(column)
        mine = [cells[row] for row in rows]
        if bad := [place for place, cell in enumerate(mine) if cell not in (0, 1)]:
            packed.refuse(column, repr(mine[bad[0]]), "0 or 1", [names[place] for place in bad])
        values[:, k] = mine
    return list(columns), Tags(values)


def told(packed: Packed, column: str, rows: Rows, names: list[str]) -> tuple[list[str], Targets]:
    """What a column without pictures and boxes tells, by what its cells are. AssayError where that is nothing."""
    match packed.columns[column].kind:
        case "class":
            return labels(packed, column, rows, names)
        case "number":
            return numbers(packed, [column], rows, names)
        case "list":
            return listed_tags(packed, column, rows, names)
    raise AssayError(f"data.label: column {column!r} of {packed.where} has no classes, numbers, lists, masks or boxes")
