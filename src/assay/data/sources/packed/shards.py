"""The files of a source that comes in several, and the parts that they make up.

A part is what the files are called before their number: ``train`` of ``train-00000-of-00002.parquet`` and of
``train-000000.tar``; where nothing stands before it, the folder around them.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.data.sources.known import ELSEWHERE
from assay.errors import AssayError, nearest

_NUMBER = re.compile(r"[-_.]?\d{3,}.*$|[-_.]\d+$")
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def shards(where: str, root: Path, endings: Sequence[str], what: str) -> dict[str, list[Path]]:
    """Part → its files by their names: those of ``where``, a file, a folder with such files, or a pattern with
    ``*`` or ``{000..005}``; in the data root or the working directory.

    Raises:
        AssayError: there is no such file, or one of a range is missing.
    """
    files = next((found for folder in (root, Path()) if (found := _files(folder, where, endings))), [])
    if not files:
        raise _not_found(where, root, endings, what)
    if missing := [file for file in files if not file.is_file()]:
        there = sum(file.is_file() for file in files)
        raise AssayError(f"{where}: there is no file {str(missing[0])!r}; {there} of its {len(files)} files are there")
    parts: dict[str, list[Path]] = {}
    for file in files:
        parts.setdefault(part_of(file), []).append(file)
    return parts


def part_of(file: Path) -> str:
    """The part that a file belongs to."""
    stem = file.name.partition(".")[0]
    return _NUMBER.sub("", stem) or file.resolve().parent.name or stem


def stamps(files: Sequence[Path]) -> list[Any]:
    """By which files are known again: path, size and time of change."""
    return [[str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def _files(folder: Path, where: str, endings: Sequence[str]) -> list[Path]:
    given = Path(where).expanduser()
    if span := _RANGE.search(where):
        first, last = span.groups()
        numbers = [f"{k:0{len(first)}d}" for k in range(int(first), int(last) + 1)]
        named = [folder / Path(where.replace(span[0], number)).expanduser() for number in numbers]
        return named if any(file.is_file() for file in named) else []
    if "*" in where:
        base = Path(given.anchor) if given.is_absolute() else folder
        return sorted(base.glob(str(given.relative_to(given.anchor)))) if base.is_dir() else []
    path = folder / given
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.suffix.lower() in endings and file.is_file())
    return [path] if path.is_file() else []


def _not_found(where: str, root: Path, endings: Sequence[str], what: str) -> AssayError:
    there = [str(file.relative_to(root)) for ending in endings for file in root.glob(f"**/*{ending}")]
    looked = f"looked in {str(root)!r} and the working directory; {ELSEWHERE}"
    hint = f"; {nearest(where, there)}" if there else ""
    expected = f"expected a file, a folder or a pattern of {endings[0]}"
    return AssayError(f"there is no {what} {where!r}: {expected}{hint} ({looked})")
