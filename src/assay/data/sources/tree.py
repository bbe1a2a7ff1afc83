"""The files below a folder or in a zip; a zip is read where it lies, never unpacked.

Hidden files, ``__MACOSX`` and what systems leave in folders are passed over.
"""

import os
import re
import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from assay.errors import AssayError
from assay.system.files import legible

EXTENSIONS = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
_LARGEST_FILE = 1 << 30
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

    def __post_init__(self) -> None:
        if not self.pictures:
            raise AssayError(f"{self.where} holds no picture (looked for {' '.join(EXTENSIONS)})")


def folder_tree(path: Path) -> Tree:
    """What lies in a folder, known again by the names of its files and by the pictures' sizes and times of change.

    Raises:
        AssayError: a folder in it cannot be listed, or there is no picture.
    """
    root = path.resolve()
    stamps: dict[str, tuple[int, int]] = {}
    found_folders: set[str] = set()
    found_others: list[str] = []
    try:
        _walk(root, "", frozenset(), stamps, found_folders, found_others)
    except OSError as error:
        raise AssayError(f"{error.filename} cannot be listed ({error.strerror})") from error
    paths = {legible(name): name for name in (*stamps, *found_others)}
    pictures = {legible(name): stamp for name, stamp in stamps.items()}
    folders, others = set(map(legible, found_folders)), list(map(legible, found_others))
    identity = ["folder", str(root), sorted(pictures.items()), sorted(folders), sorted(others)]

    def read(name: str) -> bytes:
        return (root / paths[name]).read_bytes()

    where = legible(str(path))
    return Tree(where, identity, pictures, folders, others, read, lambda name: Image.open(root / paths[name]))


def _walk(
    folder: Path,
    prefix: str,
    above: frozenset[str],
    pictures: dict[str, tuple[int, int]],
    folders: set[str],
    others: list[str],
) -> None:
    """Symbolic links are followed, but never back into a folder that holds them."""
    here = os.path.realpath(folder)
    if here in above:
        return
    for entry in os.scandir(folder):
        name = prefix + entry.name
        if _ignored(entry.name):
            continue
        if entry.is_dir():
            folders.add(name)
            _walk(Path(entry.path), name + "/", above | {here}, pictures, folders, others)
        elif _is_picture(name):
            stat = entry.stat(follow_symlinks=entry.is_file())
            pictures[name] = (stat.st_size, stat.st_mtime_ns)
        else:
            others.append(name)


def zip_identity(path: Path) -> list[Any]:
    """A zip is known again by its path, size and time of change."""
    stat = path.stat()
    return ["zip", str(path.resolve()), stat.st_size, stat.st_mtime_ns]


def zip_tree(path: Path) -> Tree:
    """What a zip holds.

    Raises:
        AssayError: it is no zip, truncated, encrypted, has an entry that climbs out of its folder, or no picture.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise AssayError(f"{path} is not a whole zip file: truncated, or of another kind ({error})") from error
    entries: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    for entry in archive.infolist():
        if _climbs(entry.orig_filename):
            raise AssayError(f"{path} is refused: its entry {entry.orig_filename!r} is not a plain path inside it")
        parts = PurePosixPath(entry.filename).parts
        if any(map(_ignored, parts)):
            continue
        folders.update("/".join(parts[:k]) for k in range(1, len(parts) + entry.is_dir()))
        if entry.is_dir():
            continue
        if entry.flag_bits & 1 and _is_picture(entry.filename):
            raise AssayError(f"{path} is encrypted ({entry.filename}), and assay takes no passwords")
        entries["/".join(parts)] = entry

    def read(name: str) -> bytes:
        return _member(archive, entries[name])

    pictures = [name for name in entries if _is_picture(name)]
    others = [name for name in entries if not _is_picture(name)]
    identity = zip_identity(path)
    return Tree(str(path), identity, pictures, folders, others, read, lambda name: Image.open(BytesIO(read(name))))


def _climbs(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ".." in name.split("/") or bool(re.match(r"[A-Za-z]:", name))


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > _LARGEST_FILE:
        raise ValueError(f"{entry.file_size / 2**20:,.0f} MiB is too much for a picture")
    return archive.read(entry)


def _ignored(part: str) -> bool:
    return part.startswith(".") or part.lower() in _LEFT_BY_SYSTEMS


def _is_picture(name: str) -> bool:
    return name.lower().endswith(EXTENSIONS)
