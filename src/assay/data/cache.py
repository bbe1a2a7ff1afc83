"""Decode once: a folder per source, size and colour, which appears whole or not at all and which all processes map."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Bool, Int32
from PIL import Image

from assay.data.boxes import Boxes
from assay.data.decode import Bad, decode_all, fitted
from assay.data.geometry import Size
from assay.data.images import Contents, ImageSet, Source
from assay.data.publish import check_space, entry_folder, make, touch
from assay.data.sources.catalogue import find, find_with_table
from assay.data.targets import VOID, Labels, Masks, Targets, read_targets, write_targets
from assay.errors import AssayError, quoted
from assay.recipe import Data, Fit
from assay.system import files

Progress = Callable[[int, int], None]
_VERSION = 1


def open_images(data: Data, root: Path, progress: Progress | None = None) -> ImageSet:
    """The decoded source of ``data``; ``progress(done, total)`` is called while it is decoded for the first time.

    Raises:
        AssayError: the source is missing, malformed or has unreadable images, or the disk is full.
    """
    source = find(data.source, root, data.layout) if data.table is None else find_with_table(data, root)
    fit = () if data.fit == "stretch" else (data.fit,)  # entries from before there was a choice are still read
    identity = json.dumps([_VERSION, source.identity, _size(data), data.color, *fit], sort_keys=True)
    folder = entry_folder("images", identity)

    def read(place: Path) -> ImageSet | None:
        return _open(place, source, data.fit)

    images = read(folder)
    if images is None:
        contents = source.contents()
        images = make(folder, lambda place: _fill(place, source, contents, data, progress), read)
    if images.skipped and data.on_bad_image == "fail":
        raise _bad_images(source, images.skipped)
    return images


def _size(data: Data) -> Size | None:
    return (data.size, data.size) if isinstance(data.size, int) else data.size


def _open(folder: Path, source: Source, fit: Fit) -> ImageSet | None:
    touch(folder)
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
        targets = read_targets(folder)
        is_test = np.load(folder / "is_test.npy", allow_pickle=False)
        is_validation = _validation(folder / "is_validation.npy")
        sizes = _sizes(folder / "sizes.npy", targets)
    except (OSError, ValueError, EOFError):
        return None
    skipped = [(name, reason) for name, reason in index["skipped"]]
    images = ImageSet(
        pixels,
        targets,
        index["names"],
        is_test,
        index["classes"],
        skipped,
        folder.name,
        source.where,
        sizes,
        fit,
        index.get("unlisted", 0),
        is_validation,
    )
    return replace(images, targets=targets.placed(*images.placement)) if isinstance(targets, Boxes) else images


def _sizes(path: Path, targets: Targets) -> Int32[np.ndarray, "n 2"] | None:
    """None in an entry made before sizes were kept: of labels, that is, which do without."""
    if isinstance(targets, Labels) and not path.exists():
        return None
    sizes: Int32[np.ndarray, "n 2"] = np.load(path, allow_pickle=False)
    return sizes


def _validation(path: Path) -> Bool[np.ndarray, " n"] | None:
    """None where the source has no validation split of its own: there is no such file."""
    return np.load(path, allow_pickle=False) if path.exists() else None


def _fill(folder: Path, source: Source, contents: Contents, data: Data, progress: Progress | None) -> None:
    try:
        kept, sizes, bad = _write_pixels(folder / "pixels.npy", source, contents, data, progress)
    except _Colored:
        rgb = data.model_copy(update={"color": "rgb"})
        kept, sizes, bad = _write_pixels(folder / "pixels.npy", source, contents, rgb, progress)
    skipped = contents.misplaced + [(b.name, b.reason) for b in bad]
    if skipped and data.on_bad_image == "fail":
        raise _bad_images(source, skipped)
    targets = contents.targets.subset(np.array(kept, dtype=np.int64))
    _check_readable(source, contents.classes, targets)
    if isinstance(targets, Masks):
        targets = _on_canvas(targets, _size(data), data.fit)
    write_targets(targets, folder)
    np.save(folder / "is_test.npy", contents.is_test[kept], allow_pickle=False)
    if contents.is_validation is not None and contents.is_validation[kept].any():
        np.save(folder / "is_validation.npy", contents.is_validation[kept], allow_pickle=False)
    np.save(folder / "sizes.npy", np.array(sizes, dtype=np.int32), allow_pickle=False)
    names = [contents.names[i] for i in kept]
    index = {
        "source": source.where,
        "classes": contents.classes,
        "names": names,
        "skipped": skipped,
        "unlisted": contents.unlisted,
    }
    files.write(folder / "index.json", json.dumps(index, ensure_ascii=False))


def _check_readable(source: Source, classes: list[str], targets: Targets) -> None:
    if isinstance(targets, Labels):
        counts = np.bincount(targets.values, minlength=len(classes))
        if unread := [name for name, count in zip(classes, counts, strict=True) if not count]:
            raise AssayError(f"class {quoted(unread)} of {source.where} has no readable image")
    if not len(targets):
        raise AssayError(f"{source.where} has no readable image")


def _on_canvas(masks: Masks, size: Size | None, fit: Fit) -> Masks:
    if size is None:
        return masks
    pictures = (fitted(Image.fromarray(mask), size, fit, Image.Resampling.NEAREST, VOID) for mask in masks.values)
    return Masks(np.stack([np.asarray(picture) for picture in pictures]))


class _Colored(Exception):
    """A coloured picture came after gray ones, and the recipe leaves the colour to the source."""


def _write_pixels(
    path: Path, source: Source, contents: Contents, data: Data, progress: Progress | None
) -> tuple[list[int], list[Size], list[Bad]]:
    """Append row after row to an npy file whose header is written last: how many are readable shows at the end.

    Which pictures were kept, their heights and widths, and the others.
    """
    total, done, size = len(contents.names), 0, _size(data)
    if size is not None:
        check_space(path.parent, f"decoding {source.where}", total * math.prod(size))
    kept: list[int] = []
    sizes: list[Size] = []
    bad: list[Bad] = []
    shape: tuple[int, ...] | None = None
    first = ""
    with open(path, "wb") as file:
        for chunk in decode_all(contents, data.color, size, data.fit):
            for i, found in enumerate(chunk, start=done):
                if isinstance(found, Bad):
                    bad.append(found)
                    continue
                row = found.pixels
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
                sizes.append(found.size)
            done += len(chunk)
            if progress is not None:
                progress(done, total)
        if shape is not None:
            file.seek(0)
            _write_header(file, (len(kept), *shape))
    return kept, sizes, bad


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
