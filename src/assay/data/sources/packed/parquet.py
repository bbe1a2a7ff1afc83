"""Parquet files with pictures in a column: bytes, or {bytes, path} as Hugging Face writes them."""

import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any

import polars as pl
from PIL import Image

from assay.data.sources.packed.features import column_by_type, column_of
from assay.data.sources.packed.rows import Column, Packed, Place, agreed, open_cell
from assay.data.sources.packed.shards import shards, stamps
from assay.data.sources.table_file import PARQUET
from assay.errors import AssayError
from assay.system.files import legible

_BLOCK = 256
"""Rows whose pictures are read at once."""
_KEPT = 4
"""Blocks that are kept, for pictures are decoded in order by several threads."""


def parquet(where: str, root: Path) -> Place:
    """The Parquet file, files of a folder, or files of a pattern. AssayError where there is none."""
    parts = shards(where, root, PARQUET, "Parquet")
    files = [file for part in parts.values() for file in part]
    told = legible(where)
    return Place(told, ["parquet", stamps(files)], lambda: _packed(told, parts, files))


def _packed(where: str, parts: dict[str, list[Path]], files: list[Path]) -> Packed:
    columns = agreed({str(file): _columns(file) for file in files})
    lengths = [_length(file) for file in files]
    length = dict(zip(files, lengths, strict=True))
    pictures = _Pictures(files, lengths)
    return Packed(
        where,
        {part: sum(length[file] for file in own) for part, own in parts.items()},
        columns,
        lambda column: [cell for file in files for cell in _cells(file, column)],
        lambda column: [name for file in files for name in _names(file, column)],
        pictures.open,
    )


def _columns(file: Path) -> dict[str, Column]:
    """By what Hugging Face has written beside them, else by their types."""
    try:
        schema = pl.read_parquet_schema(file)
        written = pl.read_parquet_metadata(file).get("huggingface")
        features = json.loads(written)["info"]["features"] if written else {}
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(file, error) from error
    except (ValueError, KeyError, TypeError):
        features = {}
    return {
        name: column_of(features[name]) if name in features else column_by_type(dtype) for name, dtype in schema.items()
    }


def _length(file: Path) -> int:
    try:
        return int(pl.scan_parquet(file).select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(file, error) from error


def _cells(file: Path, column: str, first: int = 0, rows: int | None = None) -> list[Any]:
    """Of some rows; None each where the file lacks the column."""
    if column in pl.read_parquet_schema(file):
        return _read(file, pl.col(column), first, rows)
    return [None] * (rows or _length(file))


def _read(file: Path, what: pl.Expr, first: int = 0, rows: int | None = None) -> list[Any]:
    try:
        return pl.scan_parquet(file).slice(first, rows).select(what).collect(engine="streaming").to_series().to_list()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(file, error) from error


def _names(file: Path, column: str) -> list[str]:
    dtype = pl.read_parquet_schema(file).get(column)
    if not isinstance(dtype, pl.Struct) or "path" not in {field.name for field in dtype.fields}:
        return [""] * _length(file)
    return [PurePosixPath(name or "").name for name in _read(file, pl.col(column).struct.field("path"))]


def _damaged(file: Path, error: Exception) -> AssayError:
    return AssayError(f"{file} is not a whole Parquet file ({str(error).splitlines()[0]})")


class _Pictures:
    """The pictures of all files, some rows of which are in memory at a time."""

    def __init__(self, files: Sequence[Path], lengths: Sequence[int]) -> None:
        self.files, self.ends, self.lock = files, list(accumulate(lengths)), Lock()
        self.kept: dict[tuple[str, int, int], list[Any]] = {}

    def open(self, column: str, row: int) -> Image.Image:
        """That of a column and row."""
        which = next(k for k, end in enumerate(self.ends) if row < end)
        place = row - (self.ends[which - 1] if which else 0)
        with self.lock:
            cells = self._block(column, which, place // _BLOCK)
        return open_cell(cells[place % _BLOCK], self.files[which].parent)

    def _block(self, column: str, which: int, number: int) -> list[Any]:
        key = (column, which, number)
        if key not in self.kept:
            while len(self.kept) >= _KEPT:
                del self.kept[next(iter(self.kept))]
            self.kept[key] = _cells(self.files[which], column, number * _BLOCK, _BLOCK)
        return self.kept[key]
