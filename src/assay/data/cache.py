"""Decode once: a folder per source, size and colour, which appears whole or not at all and which all processes map."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from assay.data.boxes import AROUND, Boxes
from assay.data.decode import Form
from assay.data.depth import in_words
from assay.data.geometry import Size
from assay.data.images import Contents, ImageSet, Source
from assay.data.mask_files import MaskFiles
from assay.data.palette import colours_of
from assay.data.pixels_file import Written, check_limit, write_pixels
from assay.data.publish import entry_folder, make, touch
from assay.data.sources.catalogue import find, find_with_table
from assay.data.targets import Labels, Targets, read_targets, write_targets
from assay.data.upright import largest, with_upright_masks
from assay.data.warned import listening
from assay.errors import AssayError, quoted
from assay.recipe import Data, Fit
from assay.recipe.packed import packed
from assay.system import files

Progress = Callable[[int, int], None]
_VERSION = 2
_LONG = 120
"""Characters of a reason beside which an error names no other picture."""


def open_source(data: Data, root: Path) -> Source:
    """The source of ``data``, nothing of it decoded. AssayError where it is missing or malformed."""
    if data.table is not None:
        return find_with_table(data, root)
    if packed(data.source):
        from assay.data.sources.packed.contents import packed_source

        return packed_source(data, root)
    return find(data.source, root, data.layout, data.ignore, data.truth)


def open_images(
    data: Data,
    root: Path,
    progress: Progress | None = None,
    rows: Int64[np.ndarray, " n"] | None = None,
) -> ImageSet:
    """The decoded source of ``data``; ``progress(done, total)`` is called while it is decoded for the first time.

    ``rows`` are those of its pictures that are wanted, ascending; None: all.

    Raises:
        AssayError: the source is missing, malformed or has images or labels that cannot be read, or the disk is full.
    """
    source = open_source(data, root)
    chosen = None if rows is None else hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()
    identity = [_VERSION, source.identity, _size(data), data.color, data.fit, data.range, chosen]
    folder = entry_folder("images", json.dumps(identity, sort_keys=True))

    def read(place: Path) -> ImageSet | None:
        return _open(place, source, data.fit)

    images = read(folder)
    if images is None:
        contents = source.contents()
        size = _canvas(data, source, contents)
        part = contents if rows is None else contents.only(rows)
        images = make(folder, lambda place: _fill(place, source, part, data, size, progress, rows is None), read)
    if images.skipped and data.on_bad_image == "fail":
        raise _bad_images(source, images.skipped)
    return images


def _size(data: Data) -> Size | None:
    return (data.size, data.size) if isinstance(data.size, int) else data.size


def _canvas(data: Data, source: Source, contents: Contents) -> Size | None:
    """Height and width of all images; None where that is their own, and the same."""
    if data.size is not None or data.fit != "pad":
        return _size(data)
    size = largest(contents)
    if size is not None:
        check_limit(source.where, (len(contents.names), 1 if data.color == "gray" else 3, *size))
    return size


def _open(folder: Path, source: Source, fit: Fit) -> ImageSet | None:
    touch(folder)
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
        targets = read_targets(folder)
        is_test, sizes, spreads = (
            np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("is_test", "sizes", "spreads")
        )
        is_validation = _validation(folder / "is_validation.npy")
    except (OSError, ValueError, EOFError):
        return None
    images = ImageSet(
        pixels,
        targets,
        index["names"],
        is_test,
        index["classes"],
        [(name, reason) for name, reason in index["skipped"]],
        folder.name,
        source.where,
        sizes,
        fit,
        index["unlisted"],
        is_validation,
        tuple(index["range"]) if isinstance(index["range"], list) else index["range"],
        spreads,
        [(name, note) for name, note in index["notes"]],
        colours_of(index),
    )
    return replace(images, targets=targets.placed(*images.placement)) if isinstance(targets, Boxes) else images


def _validation(path: Path) -> Bool[np.ndarray, " n"] | None:
    """None where the source has no validation split of its own: there is no such file."""
    return np.load(path, allow_pickle=False) if path.exists() else None


def _fill(
    folder: Path,
    source: Source,
    contents: Contents,
    data: Data,
    size: Size | None,
    progress: Progress | None,
    is_whole: bool,
) -> None:
    around = AROUND if isinstance(contents.targets, Boxes) else 0
    form = Form(data.color, size, data.fit, None if data.range == "data" else data.range, around)
    contents = with_upright_masks(contents)
    with listening():
        found = write_pixels(folder / "pixels.npy", source.where, contents, form, progress)
    skipped = contents.misplaced + [(b.name, b.reason) for b in found.bad]
    if skipped and data.on_bad_image == "fail":
        raise _bad_images(source, skipped)
    targets = contents.targets.subset(np.array(found.rows, dtype=np.int64))
    _check_readable(source, contents.classes, targets, skipped, is_whole)
    _check_range(source, data, found)
    if not isinstance(targets, MaskFiles):
        write_targets(targets, folder)
    np.save(folder / "is_test.npy", contents.is_test[found.rows], allow_pickle=False)
    if contents.is_validation is not None and contents.is_validation[found.rows].any():
        np.save(folder / "is_validation.npy", contents.is_validation[found.rows], allow_pickle=False)
    np.save(folder / "sizes.npy", np.array(found.sizes, dtype=np.int32), allow_pickle=False)
    np.save(folder / "spreads.npy", np.array(found.spreads, dtype=np.uint8), allow_pickle=False)
    index = {
        "source": source.where,
        "classes": contents.classes,
        "names": [contents.names[i] for i in found.rows],
        "skipped": skipped,
        "unlisted": contents.unlisted,
        "range": found.form.range if found.deep else None,
        "notes": [*_of_read(contents, found), *found.notes, *_mixed(contents, found)],
        "colours": contents.colours,
    }
    files.write(folder / "index.json", json.dumps(index, ensure_ascii=False))


def _check_readable(
    source: Source, classes: list[str], targets: Targets, skipped: list[tuple[str, str]], is_whole: bool
) -> None:
    """Of a part of a source that was chosen, some classes may have no image."""
    if is_whole and isinstance(targets, Labels):
        counts = np.bincount(targets.values, minlength=len(classes))
        if unread := [name for name, count in zip(classes, counts, strict=True) if not count]:
            raise AssayError(f"class {quoted(unread)} of {source.where} has no readable image")
    if not len(targets):
        why = f": {skipped[0][0]} ({skipped[0][1]})" if skipped else ""
        raise AssayError(f"{source.where} has no readable image{why}")


def _check_range(source: Source, data: Data, found: Written) -> None:
    if isinstance(data.range, tuple) and not found.deep:
        raise AssayError(
            f"data.range: {in_words(data.range)} is of pictures with more than 8 bits a value, and {source.where} has "
            "none; leave it out"
        )


def _of_read(contents: Contents, found: Written) -> list[tuple[str, str]]:
    """The source's notes on the pictures that could be read."""
    names = {contents.names[i] for i in found.rows}
    return [(name, note) for name, note in contents.notes if name in names]


def _mixed(contents: Contents, found: Written) -> list[tuple[str, str]]:
    """Notes on the pictures with more than 8 bits, where others have 8."""
    if len(found.deep) == len(found.rows):
        return []
    note = "more than 8 bits a value, unlike the others, which are left as they are"
    return [(contents.names[found.rows[k]], note) for k in found.deep]


def _bad_images(source: Source, bad: list[tuple[str, str]]) -> AssayError:
    told = [f"{name} ({reason})" for name, reason in bad[:3]]
    few = 1 if len(told[0]) > _LONG else 3
    more = f" and {len(bad) - few:,} more" if len(bad) > few else ""
    return AssayError(
        f"{source.where} has images or labels that cannot be read: {', '.join(told[:few])}{more}; mend them or set "
        "data.on_bad_image: skip"
    )
