"""Columns of a table → what is true of its rows: numbers, labels, tags, and the split of each row."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped

from assay.data.sources.split_names import WORDS
from assay.data.sources.table_file import Table
from assay.data.targets import Labels, Tags, Targets, Values
from assay.errors import AssayError
from assay.recipe import Data

_LARGEST = float(np.finfo(np.float32).max)
_YES = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
_SEPARATORS = "|;,"


def told(table: Table, data: Data) -> tuple[list[str], Targets]:
    """(names of the classes, tags or numbers; what is true of each row), by ``data.label``, ``targets`` or ``tags``.

    Raises:
        AssayError: a cell holds something else than its column should; the first one is named.
    """
    if data.label is not None:
        return _labels(table, data.label)
    if data.targets is not None:
        return list(data.targets), _numbers(table, data.targets)
    assert data.tags is not None
    return _listed_tags(table, data.tags) if isinstance(data.tags, str) else (list(data.tags), _tags(table, data.tags))


def _labels(table: Table, column: str) -> tuple[list[str], Labels]:
    cells = [str(cell) for cell in table.columns[column]]
    if empty := [row for row, cell in enumerate(cells) if not cell]:
        table.refuse(empty, column, "a label")
    classes = sorted(set(cells))
    if len(classes) < 2:
        raise AssayError(f"{table.name}, column {column!r} has only one label, {classes[0]!r}; at least two are needed")
    number = {name: k for k, name in enumerate(classes)}
    return classes, Labels(np.array([number[cell] for cell in cells], dtype=np.int64))


def _numbers(table: Table, columns: Sequence[str]) -> Values:
    return Values(np.stack([_column_of_numbers(table, column) for column in columns], axis=1), tuple(columns))


def _column_of_numbers(table: Table, column: str) -> Float64[np.ndarray, " n"]:
    cells = table.columns[column]
    values = np.array([_number(cell) for cell in cells])
    if len(bad := np.flatnonzero(~(np.abs(values) <= _LARGEST))):
        first = str(cells[bad[0]])
        decimal = "; decimals are written with a point" if math.isfinite(_number(first.replace(",", "."))) else ""
        infinite = "a finite number" if _is_number(cells[bad[0]]) else "a number"
        table.refuse(bad.tolist(), column, infinite + decimal)
    return values


def _number(cell: Any) -> float:
    """The number; NaN where there is none."""
    try:
        return math.nan if isinstance(cell, str) and "_" in cell else float(cell)
    except (TypeError, ValueError):
        return math.nan


def _is_number(cell: Any) -> bool:
    return not math.isnan(_number(cell)) or str(cell).lower() == "nan"


def _tags(table: Table, columns: Sequence[str]) -> Tags:
    values = [[_YES.get(str(cell).lower(), -1) for cell in table.columns[column]] for column in columns]
    for column, ones in zip(columns, values, strict=True):
        if bad := [row for row, one in enumerate(ones) if one < 0]:
            table.refuse(bad, column, "0 or 1")
    return Tags(np.array(values, dtype=np.uint8).T.copy())


def _listed_tags(table: Table, column: str) -> tuple[list[str], Tags]:
    """A list in a cell: with bars, semicolons or commas, the first of these that the column has; else with blanks."""
    cells = table.columns[column]
    texts = [cell for cell in cells if isinstance(cell, str)]
    separator = next((each for each in _SEPARATORS if any(each in text for text in texts)), None)
    lists = [_tags_in(cell, separator) for cell in cells]
    classes = sorted(set().union(*lists))
    if set(classes) <= _YES.keys():
        hint = f"; for a column of 0 and 1 write a list, [{column}]" if classes else ""
        raise AssayError(f"{table.name}, column {column!r} has no tags: found {', '.join(classes) or 'nothing'}{hint}")
    number = {name: k for k, name in enumerate(classes)}
    values = np.zeros((len(cells), len(classes)), dtype=np.uint8)
    for row, tags in zip(values, lists, strict=True):
        row[[number[tag] for tag in tags]] = 1
    return classes, Tags(values)


def _tags_in(cell: Any, separator: str | None) -> set[str]:
    parts = cell.split(separator) if isinstance(cell, str) else cell if isinstance(cell, list) else [cell]
    return {text for part in parts if (text := str(part).strip())}


def splits(table: Table, column: str | None) -> Shaped[np.ndarray, " n"]:
    """The split of each row: ``train``, ``validation`` or ``test``; without a column ``train``.

    Raises:
        AssayError: a cell holds no known word, or no row is for training.
    """
    if column is None:
        return np.full(len(table.places), "train")
    found = [WORDS.get(str(cell).lower()) for cell in table.columns[column]]
    if bad := [row for row, split in enumerate(found) if split is None]:
        table.refuse(bad, column, f"one of {', '.join(sorted(WORDS))}")
    if set(found) == {"test"}:
        raise AssayError(f"{table.name}, column {column!r} has rows of the test split only, and none to train on")
    return np.array(found)
