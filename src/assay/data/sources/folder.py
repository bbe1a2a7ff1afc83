"""Any folder or zip of pictures, laid out as ``layout`` reads it; a zip is read where it lies, never unpacked.

Hidden files, ``__MACOSX`` and what systems leave in folders are passed over; any other file beside the pictures of a
class that does not end like one is bad.
"""

import io
import os
import re
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from assay.data.images import Contents, Source
from assay.data.sources.layout import layout
from assay.data.targets import Labels
from assay.errors import AssayError

EXTENSIONS = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
_LARGEST_FILE = 1 << 30
_LEFT_BY_SYSTEMS = {"__macosx", "thumbs.db", "desktop.ini"}


def folder_source(path: Path) -> Source:
    """The pictures in a folder, known again by their names, sizes and times of change."""
    root = path.resolve()
    pictures: dict[str, tuple[int, int]] = {}
    folders: set[str] = set()
    others: list[str] = []
    try:
        _walk(root, "", frozenset(), pictures, folders, others)
    except OSError as error:
        raise AssayError(f"{error.filename} cannot be listed ({error.strerror})") from error

    def contents() -> Contents:
        return _contents(str(path), pictures, folders, others, lambda name: Image.open(root / name))

    identity = ["folder", str(root), sorted(pictures.items()), sorted(folders), sorted(others)]
    return Source(str(path), identity, contents)


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


def zip_source(path: Path) -> Source:
    """The pictures in a zip, known again by its path, size and time of change."""
    stat = path.stat()
    identity = ["zip", str(path.resolve()), stat.st_size, stat.st_mtime_ns]
    return Source(str(path), identity, lambda: _zip_contents(path))


def _zip_contents(path: Path) -> Contents:
    """What a zip holds.

    Raises:
        AssayError: it is no zip, truncated, encrypted, or has an entry that climbs out of its folder.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise AssayError(f"{path} is not a whole zip file: truncated, or of another kind ({error})") from error
    pictures: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    others: list[str] = []
    for entry in archive.infolist():
        if _climbs(entry.orig_filename):
            raise AssayError(f"{path} is refused: its entry {entry.orig_filename!r} is not a plain path inside it")
        parts = PurePosixPath(entry.filename).parts
        if any(map(_ignored, parts)):
            continue
        folders.update("/".join(parts[:k]) for k in range(1, len(parts) + entry.is_dir()))
        if entry.is_dir():
            continue
        if not _is_picture(entry.filename):
            others.append("/".join(parts))
            continue
        if entry.flag_bits & 1:
            raise AssayError(f"{path} is encrypted ({entry.filename}), and assay takes no passwords")
        pictures["/".join(parts)] = entry
    return _contents(str(path), pictures, folders, others, lambda name: Image.open(_member(archive, pictures[name])))


def _climbs(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ".." in name.split("/") or bool(re.match(r"[A-Za-z]:", name))


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> io.BytesIO:
    if entry.file_size > _LARGEST_FILE:
        raise ValueError(f"{entry.file_size / 2**20:,.0f} MiB is too much for a picture")
    return io.BytesIO(archive.read(entry))


def _ignored(part: str) -> bool:
    return part.startswith(".") or part.lower() in _LEFT_BY_SYSTEMS


def _is_picture(name: str) -> bool:
    return name.lower().endswith(EXTENSIONS)


def _contents(
    where: str,
    pictures: Collection[str],
    folders: set[str],
    others: Collection[str],
    open_image: Callable[[str], Image.Image],
) -> Contents:
    if not pictures:
        raise AssayError(f"{where} holds no picture (looked for {' '.join(EXTENSIONS)})")
    found = layout(where, pictures, folders)
    number = {name: k for k, name in enumerate(found.classes)}
    names = [p.name for p in found.placed]
    places = {str(PurePosixPath(name).parent) for name in names}
    beside = [name for name in sorted(others) if str(PurePosixPath(name).parent) in places]
    return Contents(
        classes=found.classes,
        names=names,
        targets=Labels(np.array([number[p.label] for p in found.placed], dtype=np.int64)),
        is_test=np.array([p.is_test for p in found.placed], dtype=bool),
        image=lambda i: open_image(names[i]),
        misplaced=found.misplaced + [(name, "does not end like a picture") for name in beside],
    )
