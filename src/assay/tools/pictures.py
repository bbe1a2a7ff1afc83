"""The pictures that a person names, as files or by the folders and zips they lie in, and their pixels."""

import os
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from assay.data.decode import Decoded, Form, decode
from assay.data.images import open_picture
from assay.data.sources.archive import zip_tree
from assay.data.sources.tree import folder_tree
from assay.data.warned import heard, listening
from assay.errors import AssayError, PictureWarning
from assay.recipe import Fit
from assay.runs.data import range_of
from assay.system.files import legible

Pixels = UInt8[np.ndarray, "channels height width"]


@dataclass(frozen=True)
class Picture:
    """A picture that has not been opened yet."""

    path: Path
    """As it is named, legible; of one in a zip: below the path of the zip."""
    open: Callable[[], Image.Image]
    """May raise anything."""


@dataclass(frozen=True)
class Unread:
    """A picture, or a place of pictures, that could not be read."""

    path: Path
    reason: str
    """A sentence that names it."""


def picture_file(path: Path) -> Picture:
    """The picture in one file."""
    return Picture(_named(path), partial(open_picture, path))


def pictures_at(
    places: Sequence[str | Path], masks_in: Callable[[Collection[str]], Collection[str]] = lambda names: ()
) -> tuple[list[Picture], list[Unread]]:
    """The pictures in the order of ``places``, below a folder and in a zip by name, and the places that hold none.

    A file is a picture whatever its ending; below folders and in zips, files that do not end like one are passed over.
    So are those that ``masks_in`` names of a place, and that is warned of.
    """
    found: list[Picture] = []
    unread: list[Unread] = []
    for place in map(Path, places):
        is_folder = place.is_dir()
        if not (is_folder or place.suffix.lower() == ".zip"):
            found.append(picture_file(place))
            continue
        try:
            tree = folder_tree(place) if is_folder else zip_tree(place)
        except AssayError as error:
            unread.append(Unread(place, str(error)))
        else:
            masks = set(masks_in(tree.pictures))
            if masks:
                text = f"{place}: {len(masks):,} of {len(tree.pictures):,} pictures are masks, which are passed over"
                warnings.warn(f"{text} (the first is {min(masks)})", PictureWarning, stacklevel=2)
            there = sorted(set(tree.pictures) - masks)
            found += [Picture(_named(place) / name, partial(tree.image, name)) for name in there]
    return found, unread


def _named(path: Path) -> Path:
    return Path(legible(str(path)))


def read_pixels(picture: Picture, about: dict[str, Any], fit: Fit) -> Pixels:
    """A picture in the size, colour and range of the run whose data.json is ``about``. AssayError where it cannot be
    read.

    What Pillow warns of, frames after the first, and more bits than the run's pictures have, are warned of under the
    picture's name.
    """
    with listening():
        found = _read(picture, about, fit)
    _warn(picture, found)
    return found.pixels


def _read(picture: Picture, about: dict[str, Any], fit: Fit) -> Decoded:
    path, (channels, height, width), ends = picture.path, about["shape"], range_of(about)
    form = Form("gray" if channels == 1 else "rgb", (height, width), fit, ends or "full", about.get("around", 0))
    try:
        with heard() as texts, picture.open() as image:
            found = decode(image, form)
    except FileNotFoundError:
        raise AssayError(f"there is no picture {path}") from None
    except UnidentifiedImageError:
        raise AssayError(f"{path} is not an image") from None
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AssayError(f"{path} cannot be read: {reason}") from None
    if found.is_deep and ends is None:
        texts.append("more than 8 bits a value, unlike the pictures of this run; 0…65,535 became 0…255")
    if fit == "pad" and (found.size[0] > height or found.size[1] > width):
        own = "×".join(map(str, found.size))
        texts.append(
            f"{own} (height×width) is larger than the {height}×{width} of this run's images, whose scale fit: pad "
            "keeps: it was shrunk, and things in it are smaller than those that were learned"
        )
    return replace(found, notes=(*found.notes, *texts))


def _warn(picture: Picture, found: Decoded) -> None:
    for note in found.notes:
        warnings.warn(f"{picture.path}: {note}", PictureWarning, stacklevel=3)


def read_in_batches(
    pictures: Sequence[Picture], about: dict[str, Any], fit: Fit, size: int
) -> Iterator[tuple[list[tuple[Picture, Decoded]], list[Unread]]]:
    """At most ``size`` pictures at a time, decoded by threads as by ``read_pixels``: those that can be read, in their
    order, and the rest."""

    def attempt(picture: Picture) -> Decoded | AssayError:
        try:
            return _read(picture, about, fit)
        except AssayError as error:
            return error

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(pictures), size):
            read: list[tuple[Picture, Decoded]] = []
            unread: list[Unread] = []
            part = pictures[start : start + size]
            with listening():
                each = list(pool.map(attempt, part))
            for picture, found in zip(part, each, strict=True):
                if isinstance(found, AssayError):
                    unread.append(Unread(picture.path, str(found)))
                else:
                    _warn(picture, found)
                    read.append((picture, found))
            yield read, unread


def normalized(
    pixels: UInt8[np.ndarray, "*batch channels height width"], about: dict[str, Any]
) -> Float32[Tensor, "*batch channels height width"]:
    """Pixels as the network of the run whose data.json is ``about`` wants them."""
    mean, std = (torch.tensor(about[name]).view(-1, 1, 1) for name in ("mean", "std"))
    return (torch.tensor(pixels) / 255 - mean) / std
