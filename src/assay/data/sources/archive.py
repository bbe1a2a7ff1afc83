"""The files in a zip, which is read where it lies, never unpacked.

Names are what the zip says they are; where it says nothing, as zips from Windows do, UTF-8 or Shift-JIS (CP932) where
all names are text in it, else CP437, the format's own. A backslash parts folders, as a slash does.
"""

import re
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from assay.data.sources.formats import is_picture
from assay.data.sources.tree import Tree, ignored
from assay.errors import AssayError
from assay.system.files import legible

_LARGEST_FILE = 1 << 30
_READ = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_METHODS = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
_SAYS_UTF_8 = 0x800
"""The bit of an entry's flags."""
_JAPANESE = re.compile("[ぁ-ヿ々一-鿿]{2}")


def zip_identity(path: Path) -> list[Any]:
    """A zip is known again by its path, size and time of change."""
    stat = path.stat()
    return ["zip", str(path.resolve()), stat.st_size, stat.st_mtime_ns]


def zip_tree(path: Path) -> Tree:
    """What a zip holds.

    Raises:
        AssayError: it is no zip, truncated, encrypted, packed in a way that is not read, has an entry that climbs out
            of its folder, or no picture.
    """
    where = legible(str(path))
    archive = _opened(path, where)
    entries: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    listed = archive.infolist()
    for entry, name in zip(listed, _names(listed), strict=True):
        if _climbs(name):
            raise AssayError(f"{where} is refused: its entry {name!r} is not a plain path inside it")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        is_folder = name.endswith("/")
        if any(map(ignored, parts)):
            continue
        folders.update("/".join(parts[:k]) for k in range(1, len(parts) + is_folder))
        if is_folder:
            continue
        if is_picture(name):
            _check_readable(where, entry, name)
        entries["/".join(parts)] = entry

    def read(name: str) -> bytes:
        return _member(archive, entries[name])

    pictures = [name for name in entries if is_picture(name)]
    others = [name for name in entries if not is_picture(name)]
    identity = zip_identity(path)
    return Tree(where, identity, pictures, folders, others, read, lambda name: Image.open(BytesIO(read(name))))


def _opened(path: Path, where: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except UnicodeDecodeError as error:
        name = error.object.decode(errors="backslashreplace")
        raise AssayError(f"{where}: its entry {name!r} is said to be in UTF-8 and is not; pack it again") from error
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise AssayError(f"{where} is not a whole zip file: truncated, or of another kind ({error})") from error


def _names(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The path of each entry, with slashes."""
    unsaid = [e.orig_filename.encode("cp437") for e in entries if not e.flag_bits & _SAYS_UTF_8]
    encoding = _encoding([name for name in unsaid if not name.isascii()])
    return [
        (e.orig_filename if e.flag_bits & _SAYS_UTF_8 else e.orig_filename.encode("cp437").decode(encoding))
        .partition("\0")[0]
        .replace("\\", "/")
        for e in entries
    ]


def _encoding(names: Sequence[bytes]) -> str:
    """What all ``names``, none of them ASCII, are text in: UTF-8, or CP932 if they read as Japanese then; else CP437.

    Most bytes are something in CP932. Japanese is taken to be there where most names have two of its characters in a
    row, which words with accents hardly ever turn into.
    """
    for encoding in ("utf-8", "cp932"):
        try:
            texts = [name.decode(encoding) for name in names]
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8" or 2 * sum(bool(_JAPANESE.search(text)) for text in texts) > len(texts):
            return encoding
    return "cp437"


def _climbs(name: str) -> bool:
    return name.startswith("/") or ".." in name.split("/") or bool(re.match(r"[A-Za-z]:", name))


def _check_readable(where: str, entry: zipfile.ZipInfo, name: str) -> None:
    if entry.flag_bits & 1:
        raise AssayError(f"{where} is encrypted ({name}), and assay takes no passwords")
    if entry.compress_type not in _READ:
        method = _METHODS.get(entry.compress_type, f"method {entry.compress_type}")
        raise AssayError(
            f"{where} is packed with {method} ({name}), which is not read here; pack it again with Deflate, the usual "
            "method, or unpack it and name the folder"
        )


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > _LARGEST_FILE:
        raise ValueError(f"{entry.file_size / 2**20:,.0f} MiB is too much for a picture")
    return archive.read(entry)
