"""WebDataset's shards: tar files in which the files of a name are a sample, ``17.jpg`` with ``17.cls`` or ``17.json``.

Nothing is unpacked: where each picture begins is found once, and it is read from there.
"""

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from assay.data.sources.formats import EXTENSIONS
from assay.data.sources.packed.features import BOX
from assay.data.sources.packed.rows import Column, Kind, Packed, Place
from assay.data.sources.packed.shards import shards, stamps
from assay.data.sources.tree import ignored
from assay.errors import AssayError
from assay.system.files import legible

IMAGE = "image"
"""The column of the files that end like a picture and in nothing else before that."""
_TEXTS = ("cls", "txt", "text", "json")
_BLOCK = 512


@dataclass(frozen=True)
class _Stored:
    """A picture in a tar."""

    shard: Path
    name: str
    start: int
    size: int

    def open(self) -> Image.Image:
        with open(self.shard, "rb") as file:
            file.seek(self.start)
            return Image.open(BytesIO(file.read(self.size)))


Sample = dict[str, Any]
"""Column → what the sample has of it."""


def webdataset(where: str, root: Path) -> Place:
    """The tar file, files of a folder, or those of a pattern as ``train-{000..005}.tar``. AssayError where none is."""
    parts = shards(where, root, (".tar",), "WebDataset")
    files = [file for part in parts.values() for file in part]
    told = legible(where)
    return Place(told, ["webdataset", stamps(files)], lambda: _packed(told, parts))


def _packed(where: str, parts: dict[str, list[Path]]) -> Packed:
    samples = {part: [sample for file in files for sample in _samples(file)] for part, files in parts.items()}
    rows = [sample for own in samples.values() for sample in own]
    columns = dict.fromkeys(name for sample in rows for name in sample)

    def picture(column: str, row: int) -> Image.Image:
        if (stored := rows[row].get(column)) is None:
            raise ValueError("there is no picture")
        return stored.open()  # type: ignore[no-any-return]

    return Packed(
        where,
        {part: len(own) for part, own in samples.items()},
        {name: Column(_kind([row[name] for row in rows if row.get(name) is not None])) for name in columns},
        lambda column: [row.get(column) for row in rows],
        lambda column: [row[column].name if row.get(column) else "" for row in rows],
        picture,
    )


def _samples(shard: Path) -> list[Sample]:
    """The samples of a tar, in their order. AssayError where it is cut off, with how many could be read."""
    samples: dict[str, Sample] = {}
    key = ""
    try:
        with tarfile.open(shard, "r:") as archive, open(shard, "rb") as file:
            for member in archive:
                folder, _, base = member.name.rpartition("/")
                stem, dot, ending = base.partition(".")
                if not member.isfile() or not dot or ignored(base):
                    continue
                key = f"{folder}/{stem}" if folder else stem
                file.seek(member.offset_data)
                samples.setdefault(key, {}).update(_cells(shard, member, ending.lower(), file))
            file.seek(archive.offset)
            is_whole = file.read(_BLOCK) == bytes(_BLOCK)
    except (tarfile.TarError, OSError) as error:
        if not samples:
            raise AssayError(f"{shard} is not a whole tar file ({error})") from error
        is_whole = False
    if not is_whole:
        last = f", the last of them {key!r}" if samples else ""
        raise AssayError(
            f"{shard} is cut off: {max(len(samples) - 1, 0):,} samples are whole and one may not be{last}; copy or "
            "download it again"
        )
    return list(samples.values())


def _cells(shard: Path, member: tarfile.TarInfo, ending: str, file: Any) -> Sample:
    """What a file adds to its sample: a picture, a text, or the fields of its JSON."""
    if f".{ending.rpartition('.')[2]}" in EXTENSIONS:
        column = ending.rpartition(".")[0] or IMAGE
        return {column: _Stored(shard, member.name.rpartition("/")[2], member.offset_data, member.size)}
    if ending not in _TEXTS:
        return {}
    try:
        text = file.read(member.size).decode("utf-8-sig").strip()
        told = json.loads(text) if ending == "json" else _number_in(text)
    except ValueError as error:
        raise AssayError(f"{shard}: {member.name} cannot be read ({error})") from error
    return dict(told) if isinstance(told, dict) else {ending: told}


def _number_in(text: str) -> int | float | str | None:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text or None


def _kind(cells: Sequence[Any]) -> Kind:
    """What the cells of a column are, none of them None."""
    if all(isinstance(cell, _Stored) for cell in cells):
        return "picture"
    if all(isinstance(cell, dict) and BOX in cell for cell in cells):
        return "objects"
    if all(isinstance(cell, list) for cell in cells):
        inner = [each for cell in cells for each in cell]
        if inner and all(isinstance(each, dict) for each in inner):
            return "objects" if all(BOX in each for each in inner) else "other"
        return "list" if all(isinstance(each, str | int) for each in inner) else "other"
    if any(isinstance(cell, float) for cell in cells):
        return "number" if all(isinstance(cell, int | float) for cell in cells) else "other"
    return "class" if all(isinstance(cell, str | int) for cell in cells) else "other"
