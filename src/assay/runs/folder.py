"""The folder that a run writes, and how it is executed."""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from assay.system import files


@dataclass(frozen=True)
class Settings:
    """How a run is executed; none of it is part of the recipe."""

    root: Path
    """Where named data lie."""
    threads: int
    """CPU threads; they change the last bits of the results and are therefore kept with the study."""
    device_number: int = 0
    """Which of several accelerators a worker takes."""
    workers: int = 1
    """Processes that share the accelerators."""
    trials: bool = False
    """Whether the runs are trials of a search: trained and validated, and never tried on test images."""
    command: str = ""
    """What reproduces the run, for the record."""


class Folder:
    """The writing side of a run's folder; every write makes sure that the run is still ours."""

    def __init__(self, path: Path, check: Callable[[], None] = lambda: None) -> None:
        self.path, self.check = path, check

    def write(self, name: str, content: bytes | str) -> None:
        """Replace one file of the folder."""
        files.write(self.path / name, content, self.check)

    def write_json(self, name: str, value: Any) -> None:
        """Replace one JSON file of the folder."""
        files.write_json(self.path / name, value, self.check)

    def write_table(self, name: str, table: pl.DataFrame) -> None:
        """Replace one parquet file of the folder."""
        buffer = io.BytesIO()
        table.write_parquet(buffer)
        self.write(name, buffer.getvalue())

    def log(self, line: str) -> None:
        """Add a line with the time to log.txt."""
        files.append(self.path / "log.txt", f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}", self.check)
