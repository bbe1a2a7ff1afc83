"""A CSV, TSV or Parquet file → columns, with the line that each value stands on, as an editor numbers them."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import PurePosixPath
from typing import Any, Literal, NoReturn

import polars as pl

from assay.errors import AssayError

TEXT, PARQUET = (".csv", ".tsv", ".txt"), (".parquet", ".pq")
ENDINGS = (*TEXT, *PARQUET)
_DELIMITERS = ",;\t"

Choose = Callable[[Sequence[str]], Sequence[str]]
"""All columns of a table → those that are wanted."""


@dataclass(frozen=True)
class Table:
    """The columns of a table that were asked for, at least one row long."""

    name: str
    columns: dict[str, list[Any]]
    """Text without blanks around it, "" where there is nothing; of Parquet numbers and lists too."""
    places: Sequence[int]
    """Of each row, from 1."""
    unit: Literal["line", "row"]
    """What ``places`` counts: lines of text, its header among them, or rows of Parquet."""

    def at(self, row: int, column: str) -> str:
        """``labels.csv, line 7, column 'age'``."""
        return f"{self.name}, {self.unit} {self.places[row]:,}, column {column!r}"

    def refuse(self, rows: Sequence[int], column: str, expected: str) -> NoReturn:
        """Raise the AssayError for what stands in ``rows`` of a column: the first, and how many there are."""
        value = self.columns[column][rows[0]]
        found = "nothing" if value == "" else repr(value)
        more = f" (and {len(rows) - 1:,} more like it)" if len(rows) > 1 else ""
        raise AssayError(f"{self.at(rows[0], column)}: found {found}, expected {expected}{more}")


def read_table(name: str, content: bytes, choose: Choose) -> Table:
    """The columns that ``choose`` picks.

    Args:
        name: as errors name the file; its ending tells the format.
        content: all of it.
        choose: see ``Choose``; may raise AssayError.

    Raises:
        AssayError: it is damaged, not UTF-8, has a row of another length, two columns of one name that is wanted, or no
            row.
    """
    is_parquet = PurePosixPath(name).suffix.lower() in PARQUET
    table = _parquet(name, content, choose) if is_parquet else _text(name, content, choose)
    if not table.places:
        raise AssayError(f"{name} has no rows")
    return table


def _parquet(name: str, content: bytes, choose: Choose) -> Table:
    try:
        wanted = choose(list(pl.read_parquet_schema(BytesIO(content))))
        frame = pl.read_parquet(BytesIO(content), columns=list(wanted))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise AssayError(f"{name} is not a whole Parquet file ({str(error).splitlines()[0]})") from error
    columns = {column: [_clean(value) for value in frame[column].to_list()] for column in wanted}
    return Table(name, columns, range(1, len(frame) + 1), "row")


def _clean(value: Any) -> Any:
    """A cell without blanks around it; "" where there is none, or what pandas writes for none."""
    if value is None or value != value:
        return ""
    return value.strip() if isinstance(value, str) else value


def _text(name: str, content: bytes, choose: Choose) -> Table:
    rows = _rows(name, _decoded(name, content))
    _, header = next(rows, (1, []))
    if not header:
        raise AssayError(f"{name} is empty; a header with the names of the columns is expected")
    wanted = choose(header)
    for column in wanted:
        if header.count(column) > 1:
            raise AssayError(f"{name} has {header.count(column)} columns {column!r}; one is expected")
    where = [header.index(column) for column in wanted]
    places: list[int] = []
    columns: dict[str, list[str]] = {column: [] for column in wanted}
    for line, row in rows:
        if len(row) != len(header):
            raise AssayError(f"{name}, line {line:,}: found {len(row)} cells, expected {len(header)} as in its header")
        places.append(line)
        for values, k in zip(columns.values(), where, strict=True):
            values.append(row[k])
    return Table(name, dict(columns), places, "line")


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise AssayError(f"{name}, line {line:,}: not text in UTF-8, as a table must be") from None


def _rows(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of the header and of each row; empty lines are passed over."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=_delimiter(text), strict=True, skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, [cell.strip() for cell in row]
            line = reader.line_num + 1
    except csv.Error as error:
        raise AssayError(f"{name}, line {line:,}: not a row of a table ({error})") from None


def _delimiter(text: str) -> str:
    """Which one occurs most in the header, outside quotes."""
    header = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").split("\n", 1)[0])
    return max(_DELIMITERS, key=header.count)
