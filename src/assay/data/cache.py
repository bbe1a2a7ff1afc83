"""Decode once: a folder per source, size and colour, which appears whole or not at all and which all processes map."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from assay.data.decode import Bad, Color, Size, decode_all
from assay.data.images import Contents, ImageSet, Source
from assay.data.publish import check_space, entry_folder, make, touch
from assay.data.sources.catalogue import find
from assay.errors import AssayError
from assay.recipe import Data
from assay.system import files

Progress = Callable[[int, int], None]
_VERSION = 1


def open_images(data: Data, root: Path, progress: Progress | None = None) -> ImageSet:
    """The decoded source of ``data``; ``progress(done, total)`` is called while it is decoded for the first time.

    Raises:
        AssayError: the source is missing, malformed or has unreadable images, or the disk is full.
    """
    source = find(data.source, root)
    size = (data.size, data.size) if isinstance(data.size, int) else data.size
    identity = json.dumps([_VERSION, source.identity, size, data.color], sort_keys=True)
    folder = entry_folder("images", identity)
    images = _open(folder)
    if images is None:
        contents = source.contents()
        images = make(
            folder, lambda place: _fill(place, source, contents, size, data.color, data.on_bad_image, progress), _open
        )
    if images.skipped and data.on_bad_image == "fail":
        raise _bad_images(source, images.skipped)
    return images


def _open(folder: Path) -> ImageSet | None:
    touch(folder)
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / "labels.npy", allow_pickle=False)
        is_test = np.load(folder / "is_test.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    skipped = [(name, reason) for name, reason in index["skipped"]]
    return ImageSet(pixels, labels, index["names"], is_test, index["classes"], skipped, folder.name)


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


class _Colored(Exception):
    """A coloured picture came after gray ones, and the recipe leaves the colour to the source."""


def _write_pixels(
    path: Path, source: Source, contents: Contents, size: Size | None, color: Color | None, progress: Progress | None
) -> tuple[list[int], list[Bad]]:
    """Append row after row to an npy file whose header is written last: how many are readable shows at the end."""
    total, done = len(contents.names), 0
    if size is not None:
        check_space(path.parent, f"decoding {source.where}", total * math.prod(size))
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
                    check_space(path.parent, f"decoding {source.where}", total * math.prod(shape))
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


def _sizes_differ(source: Source, found: dict[str, tuple[int, ...]]) -> AssayError:
    sizes = ", ".join(f"{name} {shape[1]}×{shape[2]}" for name, shape in found.items())
    return AssayError(f"the images of {source.where} differ in height×width ({sizes}); set data.size")


def _bad_images(source: Source, bad: list[tuple[str, str]]) -> AssayError:
    shown = ", ".join(f"{name} ({reason})" for name, reason in bad[:3])
    more = f" and {len(bad) - 3:,} more" if len(bad) > 3 else ""
    return AssayError(f"{source.where} has unreadable images: {shown}{more}; mend them or set data.on_bad_image: skip")
