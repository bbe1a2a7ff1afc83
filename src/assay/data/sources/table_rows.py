"""Rows of a table → the pictures that they name.

A row names a picture by its path inside the source or by its file name alone, either with or without its ending: the
first of these ways by which there is one.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from posixpath import basename, splitext

import numpy as np
from jaxtyping import Bool, Int64

from assay.data.sources.table_file import Table
from assay.data.targets import Labels
from assay.errors import AssayError, quoted

Indices = Int64[np.ndarray, " _"]


def meet(table: Table, column: str, pictures: Sequence[str]) -> Int64[np.ndarray, " rows"]:
    """For each row the picture that it names, as its place in ``pictures``; −1 where there is none.

    Raises:
        AssayError: a row names nothing, or could mean several pictures.
    """
    names = [_plain(str(cell)) for cell in table.columns[column]]
    if empty := [row for row, name in enumerate(names) if not name]:
        table.refuse(empty, column, "the name of a picture")
    plain = [_plain(picture) for picture in pictures]
    whole, endless = _by(plain, str), _by(plain, _without_ending)
    base, stem = _by(plain, basename), _by(plain, lambda name: _without_ending(basename(name)))
    met = np.full(len(names), -1, dtype=np.int64)
    for row, name in enumerate(names):
        file = basename(name)
        found = whole.get(name) or endless.get(name) or base.get(file) or stem.get(file) or [-1]
        if len(found) > 1:
            first, second = (pictures[k] for k in found[:2])
            raise AssayError(f"{table.at(row, column)}: {name!r} could be {first!r} or {second!r}")
        met[row] = found[0]
    return met


def _plain(name: str) -> str:
    """Posix, and composed: macOS writes ``é`` as two characters into zips."""
    return unicodedata.normalize("NFC", name.replace("\\", "/").removeprefix("./"))


def _without_ending(name: str) -> str:
    return splitext(name)[0]


def _by(names: Sequence[str], way: Callable[[str], str]) -> dict[str, list[int]]:
    found = defaultdict(list)
    for k, name in enumerate(names):
        found[way(name)].append(k)
    return dict(found)


def missing(table: Table, column: str, rows: Sequence[int], where: str) -> AssayError:
    """The error for rows that name no picture."""
    name, total = table.columns[column][rows[0]], len(table.places)
    skip = "; mend the table or set data.on_bad_image: skip" if len(rows) < total else ""
    return AssayError(
        f"{table.at(rows[0], column)}: there is no picture {str(name)!r} in {where} "
        f"({len(rows):,} of {total:,} rows name none){skip}"
    )


def one_row_each(table: Table, column: str, met: Indices, told: Sequence[str]) -> Int64[np.ndarray, " images"]:
    """The first row of each picture, in the order of the pictures; ``told`` is what each row says.

    Raises:
        AssayError: two rows say different things of a picture.
    """
    known = np.flatnonzero(met >= 0)
    _, first, number = np.unique(met[known], return_index=True, return_inverse=True)
    rows = known[first]
    for again, row in zip(known.tolist(), rows[number].tolist(), strict=True):
        if told[again] != told[row]:
            values = next(
                cells for name, cells in table.columns.items() if name != column and cells[again] != cells[row]
            )
            raise AssayError(
                f"{table.at(again, column)}: {str(table.columns[column][again])!r} is listed twice, with "
                f"{values[row]!r} in {table.unit} {table.places[row]:,} and {values[again]!r} here"
            )
    return np.asarray(rows)


def check_labels(table: Table, column: str, rows: Indices, labels: Labels, is_test: Bool[np.ndarray, " rows"]) -> None:
    """Raise AssayError for labels that only one picture has, or that only test pictures have."""
    values = labels.values[rows]
    once = "occurs once, and cannot be in the training and in the test split"
    _refuse_labels(table, column, rows[np.bincount(values)[values] == 1].tolist(), once)
    untrained = ~np.isin(values, values[~is_test[rows]])
    _refuse_labels(table, column, rows[untrained].tolist(), "has test pictures but none to train on")


def _refuse_labels(table: Table, column: str, rows: Sequence[int], why: str) -> None:
    """The labels in ``rows``, if there are any, all at once."""
    names = list(dict.fromkeys(str(table.columns[column][row]) for row in rows))
    if names:
        others = f"; the same is true of {quoted(names[1:])}" if names[1:] else ""
        raise AssayError(f"{table.at(rows[0], column)}: the label {names[0]!r} {why}{others}")
