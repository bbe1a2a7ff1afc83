"""Small sets of pictures with masks, written as files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from assay.data.cache import open_source
from assay.data.images import Contents
from assay.data.mask_files import MaskFiles
from assay.recipe import Data

PALETTE = {0: (10, 20, 30), 1: (128, 0, 0), 2: (0, 128, 0)}


def picture(path: Path, size: tuple[int, int] = (8, 6), seed: int = 0) -> None:
    """A picture of (height, width) of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def mask(
    path: Path,
    pixels: np.ndarray,
    palette: Mapping[int, tuple[int, int, int]] | None = None,
    **options: object,
) -> None:
    """A mask of values (h, w), with a palette if one is given, or of colours (h, w, 3)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if palette is not None:
        image = Image.fromarray(pixels, "L")
        image.putpalette([part for value in range(256) for part in palette.get(value, (0, 0, 0))])
    image.save(path, **options)


def values(*, size: tuple[int, int] = (8, 6), **places: int) -> np.ndarray:
    """Class 0, and the rows ``r1``, ``r2``, … of other values."""
    found = np.zeros(size, np.uint8)
    for row, value in places.items():
        found[int(row[1:])] = value
    return found


def colours(of: np.ndarray, palette: Mapping[int, tuple[int, int, int]] = PALETTE) -> np.ndarray:
    """A mask of values as one of colours."""
    table = np.zeros((256, 3), np.uint8)
    for value, colour in palette.items():
        table[value] = colour
    return table[of]


def plant(root: Path, masks: Mapping[str, np.ndarray], classes: str | None = "ground\ndisc\ncross\n") -> Path:
    """``set/images/NAME.png`` and ``set/masks/NAME.png`` of every name, which may begin with a split."""
    folder = root / "set"
    for k, (name, pixels) in enumerate(masks.items()):
        picture(folder / "images" / f"{name}.png", pixels.shape[:2], k)
        mask(folder / "masks" / f"{name}.png", pixels)
    if classes is not None:
        (folder / "classes.txt").write_text(classes, encoding="utf-8")
    return folder


LISTED = "0 ground 10 20 30\n1 disc 128 0 0\n2 cross 0 128 0\n"
ROWS = values(r1=1, r2=2)


def contents(path: Path, **keys: Any) -> Contents:
    """What lies in a folder or zip, by these keys of ``data``."""
    return open_source(Data.model_validate({"source": str(path), **keys}), path.parent).contents()


def read(path: Path, **keys: Any) -> np.ndarray:
    """The first mask."""
    targets = contents(path, **keys).targets
    assert isinstance(targets, MaskFiles)
    return targets.read(0)
