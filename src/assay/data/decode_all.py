"""All pictures of a source, in order, in parallel threads and bounded memory."""

import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

import numpy as np
from PIL import Image

from assay.data.decode import Decoded, Form, decode
from assay.data.depth import UnknownRange, span, values
from assay.data.geometry import Size
from assay.data.images import Contents
from assay.data.mask_files import MaskFiles
from assay.data.own_masks import VOID
from assay.data.warned import heard
from assay.errors import AssayError

T = TypeVar("T")
_CHUNK_BYTES = 4 << 20
_AREA_WORTH_THREADS = 256 * 256
"""Below this many pixels, Python's share of the work makes threads slower than none (measured)."""
MEMORY = 1 << 30
"""Bytes of the pictures that are decoded at once, and again of those that wait to be taken; one is always let in."""
_BYTES = {"1": 5, "L": 5, "RGB": 8, "CMYK": 12}
"""At most so many a pixel while a picture of a mode is decoded, otherwise 24 (measured)."""


@dataclass(frozen=True)
class Bad:
    """A picture that could not be decoded, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Larger:
    """A picture that was not decoded, since it is larger than the first and all are to keep their own size."""

    size: Size


def decode_all(contents: Contents, form: Form) -> Iterator[list[Decoded | Bad | Larger]]:
    """Every picture in order, a chunk at a time.

    Raises:
        UnknownRange: a picture has more than 8 bits a value, and ``form.range`` is None.
    """
    first, room = size_of(contents, 0), _Room(MEMORY)
    most = max(math.prod(first), _AREA_WORTH_THREADS) if first and form.size is None else math.inf

    def one(i: int) -> Decoded | Bad | Larger:
        if most < math.inf and (size := size_of(contents, i)) and math.prod(size) > most:
            return Larger(size)
        return attempt(contents, i, form, room)

    result = form.size or first
    each = 3 * (math.prod(result) if result else _CHUNK_BYTES)
    if isinstance(contents.targets, MaskFiles) and contents.targets.largest:
        each += math.prod(contents.targets.largest)
    yield from _in_order(one, len(contents.names), first, each)


def attempt(contents: Contents, i: int, form: Form, room: "_Room | None" = None) -> Decoded | Bad:
    """Picture ``i``; what warnings say meanwhile is among its notes."""
    with heard() as texts:
        try:
            with contents.image(i) as image, (room or _Room(MEMORY)).taken(_cost(image, contents)):
                found = _with_mask(decode(image, form), contents, i)
        except (MemoryError, UnknownRange, AssayError):
            raise
        except Exception as error:
            return Bad(contents.names[i], "; ".join([_reason(error), *texts]))
    return replace(found, notes=(*found.notes, *dict.fromkeys(texts)))


def _with_mask(found: Decoded, contents: Contents, i: int) -> Decoded:
    """Raises ValueError for a mask of another size than its picture's, or with a value that is no class's place."""
    if not isinstance(contents.targets, MaskFiles):
        return found
    mask, classes = contents.targets.own(i), len(contents.classes)
    if mask.shape != found.size:
        (h, w), (height, width) = mask.shape, found.size
        raise ValueError(f"its mask is {h}×{w} and the picture itself {height}×{width}, height×width")
    if strange := [value for value in np.unique(mask).tolist() if classes <= value != VOID]:
        raise ValueError(f"its mask has the value {strange[0]}, and the {classes} classes are 0 to {classes - 1}")
    return replace(found, mask=mask)


def spans(contents: Contents) -> Iterator[list[tuple[float, float] | None]]:
    """The lowest and the highest value of every picture in order, a chunk at a time; None of one that has 8 bits a
    value, or cannot be read."""
    room = _Room(MEMORY)

    def one(i: int) -> tuple[float, float] | None:
        with heard():
            try:
                with contents.image(i) as image, room.taken(_cost(image, contents)):
                    found = values(image)
                    return None if found is None else span(found)
            except MemoryError:
                raise
            except Exception:
                return None

    yield from _in_order(one, len(contents.names), size_of(contents, 0), 3)


def _in_order(one: Callable[[int], T], n: int, first: Size | None, each: int) -> Iterator[list[T]]:
    """``one`` of every picture, which gives ``each`` bytes; large ones by threads, for Pillow decodes outside Python's
    lock."""
    step = max(1, min(256, _CHUNK_BYTES // each))
    chunks = (range(start, min(start + step, n)) for start in range(0, n, step))
    is_large = first is not None and first[0] * first[1] > _AREA_WORTH_THREADS
    workers = min(8, os.cpu_count() or 1) if is_large else 1

    def of(indices: range) -> list[T]:
        return [one(i) for i in indices]

    if workers == 1:
        yield from map(of, chunks)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting = max(1, min(2 * workers, MEMORY // (step * each)))
        yield from _ahead((pool.submit(of, indices) for indices in chunks), waiting)


class _Room:
    """So many bytes for all threads together."""

    def __init__(self, total: int) -> None:
        self.total, self.used, self.changed = total, 0, threading.Condition()

    @contextmanager
    def taken(self, cost: int) -> Iterator[None]:
        """Wait until ``cost`` bytes are free, or nobody else has any."""
        with self.changed:
            self.changed.wait_for(lambda: not self.used or self.used + cost <= self.total)
            self.used += cost
        try:
            yield
        finally:
            with self.changed:
                self.used -= cost
                self.changed.notify_all()


def _cost(image: Image.Image, contents: Contents) -> int:
    plain = 0 if "transparency" in image.info else _BYTES.get(image.mode, 0)
    mask = _BYTES["L"] if isinstance(contents.targets, MaskFiles) else 0
    return image.width * image.height * ((plain or 24) + mask)


def size_of(contents: Contents, i: int) -> Size | None:
    """Height and width of picture ``i`` as its file states them, not yet turned upright; None if it is unreadable."""
    try:
        with heard(), contents.image(i) as image:
            return image.height, image.width
    except Exception:
        return None


def _reason(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return "not an image"
    return " ".join(str(error).split()) or type(error).__name__


def _ahead(futures: Iterable[Future[T]], most: int) -> Iterator[T]:
    source = iter(futures)
    waiting = deque(islice(source, most))
    try:
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(islice(source, 1))
    finally:
        for future in waiting:
            future.cancel()
