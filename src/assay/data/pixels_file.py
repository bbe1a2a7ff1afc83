"""Decoded pictures, row after row, in an npy file; and what turned up on the way."""

import math
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from assay.data.decode import Decoded, Form
from assay.data.decode_all import Bad, Larger, attempt, decode_all, spans
from assay.data.depth import UnknownRange
from assay.data.geometry import Size
from assay.data.images import Contents
from assay.data.mask_files import MaskFiles
from assay.data.mask_writer import mask_writer
from assay.data.npy import write_header
from assay.data.publish import check_space
from assay.errors import AssayError

Progress = Callable[[int, int], None]
LIMIT = "ASSAY_DECODED_LIMIT"
"""The environment variable with the GiB that pictures in their own size may take; there may be a bomb among them."""
GIBIBYTES = 4.0


@dataclass(frozen=True)
class Written:
    """Of the pictures that were kept, in order."""

    form: Form
    rows: list[int] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    spreads: list[int] = field(default_factory=list)
    """The highest value of a channel less its lowest: the largest such difference."""
    deep: list[int] = field(default_factory=list)
    """Which ones had more than 8 bits a value."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    """Those that were not kept."""


class _Colored(Exception):
    """A coloured picture came after gray ones, and the recipe leaves the colour to the source."""


def write_pixels(path: Path, where: str, contents: Contents, form: Form, progress: Progress | None) -> Written:
    """Decode all pictures; where they turn out to be coloured, or to have more than 8 bits, begin anew as that asks.

    Their masks, where they have some, become files beside ``path``.

    Raises:
        AssayError: their sizes differ, the range of their values is not to be found, or they take too much room.
    """
    while True:
        try:
            return _write(path, where, contents, form, progress)
        except _Colored:
            form = replace(form, color="rgb")
        except UnknownRange:
            form = replace(form, range=_found_range(where, contents))


def _found_range(where: str, contents: Contents) -> tuple[float, float]:
    """The lowest and the highest value in the training images that have more than 8 bits."""
    train = contents.only(np.flatnonzero(~contents.is_test))
    there = [each for chunk in spans(train) for each in chunk if each is not None]
    if not there:
        raise AssayError(
            f"pictures of {where} have more than 8 bits a value, but none of those to train on, which would tell the "
            "range; set data.range: full, or [low, high]"
        )
    return min(low for low, _ in there), max(high for _, high in there)


def _write(path: Path, where: str, contents: Contents, form: Form, progress: Progress | None) -> Written:
    """Append row after row to an npy file whose header is written last: how many are readable shows at the end."""
    total, done, found = len(contents.names), 0, Written(form)
    if form.size is not None:
        check_space(path.parent, f"decoding {where}", total * math.prod(form.size))
    shape: tuple[int, ...] | None = None
    has_masks = isinstance(contents.targets, MaskFiles)
    with open(path, "wb") as file, mask_writer(path.parent, form.fit) if has_masks else nullcontext() as add_mask:
        for chunk in decode_all(contents, form):
            for i, each in enumerate(chunk, start=done):
                if isinstance(each, Larger) and shape is not None and sorted(each.size) != sorted(shape[1:]):
                    raise _sizes_differ(where, contents.names, (found.rows[0], shape[1:]), (i, each.size))
                one = attempt(contents, i, form) if isinstance(each, Larger) else each
                if isinstance(one, Bad):
                    found.bad.append(one)
                    continue
                if shape is None:
                    shape = one.pixels.shape
                    _check_total(path, where, (total, *shape), form)
                    write_header(file, (total, *shape))
                if one.pixels.shape[1:] != shape[1:]:
                    raise _sizes_differ(where, contents.names, (found.rows[0], shape[1:]), (i, one.pixels.shape[1:]))
                if one.pixels.shape[0] > shape[0]:
                    raise _Colored
                file.write(np.broadcast_to(one.pixels, shape).tobytes())
                if add_mask is not None and one.mask is not None:
                    add_mask(one.mask, (one.pixels.shape[1], one.pixels.shape[2]))
                _note(found, contents.names[i], i, one)
            done += len(chunk)
            if progress is not None:
                progress(done, total)
        if shape is not None:
            write_header(file, (len(found.rows), *shape))
    return found


def _sizes_differ(where: str, names: list[str], *found: tuple[int, tuple[int, ...]]) -> AssayError:
    sizes = ", ".join(f"{names[i]} {height}×{width}" for i, (height, width) in found)
    return AssayError(f"the images of {where} differ in height×width ({sizes}); set data.size, or data.fit: pad")


def _note(found: Written, name: str, i: int, one: Decoded) -> None:
    found.rows.append(i)
    found.sizes.append(one.size)
    found.spreads.append(int(np.ptp(one.pixels, axis=(1, 2)).max()))
    found.notes.extend((name, note) for note in one.notes)
    if one.is_deep:
        found.deep.append(len(found.rows) - 1)


def _check_total(path: Path, where: str, shape: tuple[int, ...], form: Form) -> None:
    """Raise AssayError where the decoded pictures do not fit on the disk, or below the limit."""
    if form.size is None:
        check_limit(where, shape)
    check_space(path.parent, f"decoding {where}", math.prod(shape))


def check_limit(where: str, shape: tuple[int, ...]) -> None:
    """Raise AssayError for (pictures, channels, height, width) of pictures in their own size that need too much."""
    count, _, height, width = shape
    needed, limit = math.prod(shape) / 2**30, _limit()
    if needed > limit:
        raise AssayError(
            f"the {count:,} pictures of {where} take {needed:,.1f} GiB in their own size, {height:,}×{width:,}, and "
            f"the limit is {limit:g}; set data.size to what a network needs, or {LIMIT} to more GiB"
        )


def _limit() -> float:
    text = os.environ.get(LIMIT, "")
    try:
        return float(text or GIBIBYTES)
    except ValueError:
        raise AssayError(f"{LIMIT}: found {text!r}, expected a number of GiB") from None
