"""Decode once: a folder per source, size and colour, which appears whole or not at all and which all processes map."""

import errno
import hashlib
import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from assay import files
from assay.data.catalogue import find
from assay.data.decode import Bad, Color, Size, decode_all
from assay.data.images import Contents, ImageSet, Source
from assay.errors import AssayError
from assay.process import Process, this_process
from assay.recipe import Data

Progress = Callable[[int, int], None]
_VERSION = 1


def cache_folder() -> Path:
    """Where decoded sources are kept: ``$ASSAY_CACHE``, else ``~/.cache/assay``."""
    return Path(os.environ.get("ASSAY_CACHE") or Path.home() / ".cache" / "assay").expanduser() / "images"


def open_images(data: Data, root: Path, progress: Progress | None = None) -> ImageSet:
    """The decoded source of ``data``; ``progress(done, total)`` is called while it is decoded for the first time.

    Raises:
        AssayError: the source is missing, malformed or has unreadable images, or the disk is full.
    """
    source = find(data.source, root)
    size = (data.size, data.size) if isinstance(data.size, int) else data.size
    identity = json.dumps([_VERSION, source.identity, size, data.color], sort_keys=True)
    folder = cache_folder() / hashlib.sha256(identity.encode()).hexdigest()[:24]
    images = _open(folder)
    if images is None:
        images = _decode(source, size, data.color, data.on_bad_image, folder, progress)
    if images.skipped and data.on_bad_image == "fail":
        raise _bad_images(source, images.skipped)
    return images


def _open(folder: Path) -> ImageSet | None:
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / "labels.npy", allow_pickle=False)
        is_test = np.load(folder / "is_test.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    skipped = [(name, reason) for name, reason in index["skipped"]]
    return ImageSet(pixels, labels, index["names"], is_test, index["classes"], skipped)


def _decode(
    source: Source, size: Size | None, color: Color | None, on_bad: str, folder: Path, progress: Progress | None
) -> ImageSet:
    contents = source.contents()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _clean(folder.parent)
        temporary = folder.with_name(f".{folder.name}.{this_process()}.{secrets.token_hex(4)}.tmp")
        temporary.mkdir()
        try:
            _fill(temporary, source, contents, size, color, on_bad, progress)
            return _publish(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else error.strerror or error
        raise AssayError(f"cannot write the cache {str(folder.parent)!r} ({reason}); set ASSAY_CACHE") from error


def _publish(temporary: Path, folder: Path) -> ImageSet:
    """Rename into place; of two processes that decoded the same source, the first one's result stays."""
    for _ in range(2):
        try:
            temporary.rename(folder)
        except OSError:
            if _open(folder) is None:
                shutil.rmtree(folder, ignore_errors=True)
                continue
        files.sync_folder(folder.parent)
        break
    images = _open(folder)
    if images is None:
        raise AssayError(f"the cache {str(folder)!r} cannot be read back")
    return images


def _fill(
    folder: Path,
    source: Source,
    contents: Contents,
    size: Size | None,
    color: Color | None,
    on_bad: str,
    progress: Progress | None,
) -> None:
    try:
        kept, bad = _write_pixels(folder / "pixels.npy", source, contents, size, color, progress)
    except _Colored:
        kept, bad = _write_pixels(folder / "pixels.npy", source, contents, size, "rgb", progress)
    skipped = contents.misplaced + [(b.name, b.reason) for b in bad]
    if skipped and on_bad == "fail":
        raise _bad_images(source, skipped)
    labels = contents.labels[kept]
    for k, name in enumerate(contents.classes):
        if not (labels == k).any():
            raise AssayError(f"class {name!r} of {source.where} has no readable image")
    np.save(folder / "labels.npy", labels, allow_pickle=False)
    np.save(folder / "is_test.npy", contents.is_test[kept], allow_pickle=False)
    names = [contents.names[i] for i in kept]
    index = {"source": source.where, "classes": contents.classes, "names": names, "skipped": skipped}
    files.write(folder / "index.json", json.dumps(index, ensure_ascii=False))
    for path in folder.iterdir():
        with open(path, "rb+") as file:
            os.fsync(file.fileno())
    files.sync_folder(folder)


class _Colored(Exception):
    """A coloured picture came after gray ones, and the recipe leaves the colour to the source."""


def _write_pixels(
    path: Path, source: Source, contents: Contents, size: Size | None, color: Color | None, progress: Progress | None
) -> tuple[list[int], list[Bad]]:
    """Append row after row to an npy file whose header is written last: how many are readable shows at the end."""
    total, done = len(contents.names), 0
    if size is not None:
        _check_space(path, source, total * math.prod(size))
    kept: list[int] = []
    bad: list[Bad] = []
    shape: tuple[int, ...] | None = None
    first = ""
    with open(path, "wb") as file:
        for chunk in decode_all(contents, color, size):
            for i, row in enumerate(chunk, start=done):
                if isinstance(row, Bad):
                    bad.append(row)
                    continue
                if shape is None:
                    shape, first = row.shape, contents.names[i]
                    _check_space(path, source, total * math.prod(shape))
                    _write_header(file, (total, *shape))
                if row.shape[1:] != shape[1:]:
                    raise _sizes_differ(source, {first: shape, contents.names[i]: row.shape})
                if row.shape[0] > shape[0]:
                    raise _Colored
                file.write(np.broadcast_to(row, shape).tobytes())
                kept.append(i)
            done += len(chunk)
            if progress is not None:
                progress(done, total)
        if shape is not None:
            file.seek(0)
            _write_header(file, (len(kept), *shape))
    return kept, bad


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """NumPy leaves room in the header for the first length to grow, so writing it again moves nothing."""
    header: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _check_space(path: Path, source: Source, needed: int) -> None:
    """Raise AssayError where the disk has no room for ``needed`` bytes of pixels."""
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise AssayError(
            f"decoding {source.where} needs {needed / 2**20:,.0f} MiB and {str(path.parent.parent)!r} has "
            f"{free / 2**20:,.0f} MiB free; set ASSAY_CACHE to another disk"
        )


def _sizes_differ(source: Source, found: dict[str, tuple[int, ...]]) -> AssayError:
    sizes = ", ".join(f"{name} {shape[1]}×{shape[2]}" for name, shape in found.items())
    return AssayError(f"the images of {source.where} differ in height×width ({sizes}); set data.size")


def _bad_images(source: Source, bad: list[tuple[str, str]]) -> AssayError:
    shown = ", ".join(f"{name} ({reason})" for name, reason in bad[:3])
    more = f" and {len(bad) - 3:,} more" if len(bad) > 3 else ""
    return AssayError(f"{source.where} has unreadable images: {shown}{more}; mend them or set data.on_bad_image: skip")


def _clean(folder: Path) -> None:
    """Remove what killed processes left: at once if the process can be looked up from here, else after a day."""
    for path in folder.glob(".*.tmp"):
        try:
            gone = Process.parse(path.name.split(".")[2]).is_gone()
            if gone or (gone is None and time.time() - path.stat().st_mtime > files.ABANDONED):
                shutil.rmtree(path, ignore_errors=True)
        except (IndexError, ValueError, FileNotFoundError):
            continue
