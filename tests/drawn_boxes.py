"""Pictures with boxes, written as Pascal VOC, COCO and YOLO write them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

Box = tuple[str, float, float, float, float]
"""Class, x1, y1, x2, y2 of pixels' edges."""


def jpeg(path: Path, size: tuple[int, int] = (40, 60), orientation: int = 1) -> Path:
    """A picture of ``size`` (height, width) as its file stores it, with EXIF's ``orientation``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    drawn = np.random.default_rng(len(path.name)).integers(0, 255, (*size, 3), np.uint8)
    Image.fromarray(drawn).save(path, exif=exif)
    return path


def xml(path: Path, boxes: Sequence[Box], size: tuple[int, int] | None = (40, 60), difficult: int = 0) -> Path:
    """VOC's file of a picture: corners are pixels counted from 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    objects = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{x1 + 1:g}</xmin>"
        f"<ymin>{y1 + 1:g}</ymin><xmax>{x2:g}</xmax><ymax>{y2:g}</ymax></bndbox></object>"
        for name, x1, y1, x2, y2 in boxes
    )
    of = "" if size is None else f"<size><width>{size[1]}</width><height>{size[0]}</height></size>"
    path.write_text(f"<annotation><filename>{path.stem}.jpg</filename>{of}{objects}</annotation>")
    return path
