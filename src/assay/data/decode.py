"""Pictures to rows of uint8: orientation, colour and size made equal, in parallel threads and bounded memory."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from assay.data.geometry import Size, inner
from assay.data.images import Contents
from assay.recipe import Fit

Color = Literal["gray", "rgb"]
T = TypeVar("T")
_GRAY = {"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"}
_CHUNK_BYTES = 4 << 20
_AREA_WORTH_THREADS = 256 * 256
"""Below this many pixels, Python's share of the work makes threads slower than none (measured)."""


@dataclass(frozen=True)
class Decoded:
    """A picture as pixels, and the height and width it had before it was fitted to the canvas."""

    pixels: UInt8[np.ndarray, "c h w"]
    size: Size


@dataclass(frozen=True)
class Bad:
    """A picture that could not be decoded, and why."""

    name: str
    reason: str


def decode(
    image: Image.Image, color: Color | None, size: Size | None, fit: Fit = "stretch"
) -> UInt8[np.ndarray, "c h w"]:
    """One picture as uint8, turned upright (EXIF), on black where transparent, 16 bits scaled to 8.

    ``color`` None keeps gray pictures gray and makes everything else RGB; ``size`` is (height, width), reached by
    antialiased bilinear resampling, without regard to the aspect ratio or, under ``letterbox``, with black around it;
    None keeps the picture's own.

    Raises:
        Exception: whatever Pillow meets in a damaged file.
    """
    return _decoded(image, color, size, fit).pixels


def _decoded(image: Image.Image, color: Color | None, size: Size | None, fit: Fit) -> Decoded:
    image.load()
    image = _eight_bits(ImageOps.exif_transpose(image))
    image = _on_black(image)
    mode = {"gray": "L", "rgb": "RGB", None: "L" if _is_gray(image) else "RGB"}[color]
    if image.mode != mode:
        image = image.convert(mode)
    own = image.height, image.width
    array = np.asarray(image if size is None else fitted(image, size, fit, Image.Resampling.BILINEAR, 0))
    return Decoded(array[None] if mode == "L" else np.ascontiguousarray(array.transpose(2, 0, 1)), own)


def fitted(image: Image.Image, size: Size, fit: Fit, resample: Image.Resampling, around: int) -> Image.Image:
    """A picture or a mask on a canvas of height and width ``size``; the value ``around`` where it does not reach."""
    if (image.height, image.width) == size:
        return image
    taken, first = inner(np.array([[image.height, image.width]]), size, fit)
    (height, width), (top, left) = taken[0].tolist(), first[0].tolist()
    image = image.resize((width, height), resample)
    if (height, width) == size:
        return image
    canvas = Image.new(image.mode, (size[1], size[0]), around)
    canvas.paste(image, (left, top))
    return canvas


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, whose range is unknown")
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("its pixels have more than 16 bits")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _on_black(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    gray = _is_gray(image)
    image = image.convert("RGBA")
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, image).convert("L" if gray else "RGB")


def _is_gray(image: Image.Image) -> bool:
    if image.mode in ("P", "PA"):
        palette = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in _GRAY


def decode_all(contents: Contents, color: Color | None, size: Size | None, fit: Fit) -> Iterator[list[Decoded | Bad]]:
    """Every picture in order, a chunk at a time; large ones by threads, for Pillow decodes outside Python's lock."""
    workers = min(8, os.cpu_count() or 1) if _first_area(contents) > _AREA_WORTH_THREADS else 1

    def chunk(indices: range) -> list[Decoded | Bad]:
        return [_attempt(contents, i, color, size, fit) for i in indices]

    if workers == 1:
        yield from map(chunk, _chunks(contents, size))
        return
    with ThreadPoolExecutor(workers) as pool:
        chunks = (pool.submit(chunk, indices) for indices in _chunks(contents, size))
        yield from _ahead(chunks, 2 * workers)


def _first_area(contents: Contents) -> int:
    try:
        with contents.image(0) as image:
            return image.width * image.height
    except Exception:
        return 0


def _attempt(contents: Contents, i: int, color: Color | None, size: Size | None, fit: Fit) -> Decoded | Bad:
    try:
        with contents.image(i) as image:
            return _decoded(image, color, size, fit)
    except MemoryError:
        raise
    except Exception as error:
        return Bad(contents.names[i], _reason(error))


def _reason(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return "not an image"
    return " ".join(str(error).split()) or type(error).__name__


def _chunks(contents: Contents, size: Size | None) -> Iterator[range]:
    n = len(contents.names)
    pixels = 3 * size[0] * size[1] if size else 3 * 256 * 256
    step = max(1, min(256, _CHUNK_BYTES // pixels))
    for start in range(0, n, step):
        yield range(start, min(start + step, n))


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
