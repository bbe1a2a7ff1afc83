"""The files below a folder; what a source needs of them, or of a zip's (``archive``).

Hidden files, ``__MACOSX`` and what systems leave in folders are passed over.
"""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from assay.data.images import open_picture
from assay.data.sources.formats import EXTENSIONS, is_picture, what_it_is
from assay.errors import AssayError
from assay.system.files import legible

_LEFT_BY_SYSTEMS = {"__macosx", "thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Tree:
    """What lies below a folder or in a zip, as posix paths inside it, legible where they are not UTF-8."""

    where: str
    identity: list[Any]
    """Plain JSON values that change whenever a picture would."""
    pictures: Collection[str]
    """At least one."""
    folders: Collection[str]
    """The empty ones too."""
    others: Collection[str]
    """Files that do not end like a picture."""
    read: Callable[[str], bytes]
    """A file; may raise anything if it is unreadable."""
    image: Callable[[str], Image.Image]
    """A picture; likewise."""
    stamps: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Size and time of change of the others in a folder; a zip is known by its own."""

    def __post_init__(self) -> None:
        if not self.pictures:
            known = ((name, what) for name in sorted(self.others) if (what := what_it_is(name)))
            told = "".join(f"; {name} is {what}, which is not read" for name, what in islice(known, 1))
            raise AssayError(f"{self.where} holds no picture (looked for {' '.join(EXTENSIONS)}){told}")


def folder_tree(path: Path) -> Tree:
    """What lies in a folder, known again by the names of its files and by the pictures' sizes and times of change.

    Raises:
        AssayError: a folder in it cannot be listed, or there is no picture.
    """
    root = path.resolve()
    stamps: dict[str, tuple[int, int]] = {}
    found_folders: set[str] = set()
    found_others: dict[str, tuple[int, int]] = {}
    try:
        _walk(root, "", frozenset(), stamps, found_folders, found_others)
    except OSError as error:
        raise AssayError(f"{error.filename} cannot be listed ({error.strerror})") from error
    paths = {legible(name): name for name in (*stamps, *found_others)}
    pictures = {legible(name): stamp for name, stamp in stamps.items()}
    folders = set(map(legible, found_folders))
    others = {legible(name): stamp for name, stamp in found_others.items()}
    identity = ["folder", str(root), sorted(pictures.items()), sorted(folders), sorted(others)]

    def read(name: str) -> bytes:
        return (root / paths[name]).read_bytes()

    where = legible(str(path))
    return Tree(where, identity, pictures, folders, others, read, lambda name: open_picture(root / paths[name]), others)


def _walk(
    folder: Path,
    prefix: str,
    above: frozenset[str],
    pictures: dict[str, tuple[int, int]],
    folders: set[str],
    others: dict[str, tuple[int, int]],
) -> None:
    """Symbolic links are followed, but never back into a folder that holds them."""
    here = os.path.realpath(folder)
    if here in above:
        return
    for entry in os.scandir(folder):
        name = prefix + entry.name
        if ignored(entry.name):
            continue
        if entry.is_dir():
            folders.add(name)
            _walk(Path(entry.path), name + "/", above | {here}, pictures, folders, others)
        else:
            stat = entry.stat(follow_symlinks=entry.is_file())
            (pictures if is_picture(name) else others)[name] = (stat.st_size, stat.st_mtime_ns)


def ignored(part: str) -> bool:
    """Whether a part of a path is hidden, or what systems leave in folders."""
    return part.startswith(".") or part.lower() in _LEFT_BY_SYSTEMS
