"""Pictures with boxes, written as Pascal VOC, COCO and YOLO write them."""

import json
import zlib
from collections.abc import Mapping, Sequence
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
    drawn = np.random.default_rng(zlib.crc32(path.name.encode())).integers(0, 255, (*size, 3), np.uint8)
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


def coco(folder: Path, pictures: Mapping[str, Mapping[str, Sequence[Box]]], classes: Sequence[str]) -> Path:
    """COCO's set: split → picture's name → its boxes; ids of categories have holes."""
    number = {name: 10 * k + 3 for k, name in enumerate(classes)}
    for split, those in pictures.items():
        images = [{"id": k, "file_name": name, "height": 40, "width": 60} for k, name in enumerate(those)]
        objects = [
            {"image_id": k, "category_id": number[name], "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": 0}
            for k, boxes in enumerate(those.values())
            for name, x1, y1, x2, y2 in boxes
        ]
        for name in those:
            jpeg(folder / f"{split}2017" / name)
        write_json(
            folder / "annotations" / f"instances_{split}2017.json",
            {
                "images": images,
                "annotations": [{"id": k, **each} for k, each in enumerate(objects)],
                "categories": [{"id": each, "name": name} for name, each in reversed(number.items())],
            },
        )
    return folder


def write_json(path: Path, values: object) -> None:
    """A JSON file in a folder that need not be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def yolo(folder: Path, pictures: Mapping[str, Mapping[str, Sequence[Box]]], classes: Sequence[str]) -> Path:
    """YOLO's set as Roboflow lays it out: split → picture's name → its boxes."""
    for split, those in pictures.items():
        for name, boxes in those.items():
            jpeg(folder / split / "images" / name)
            rows = [
                f"{classes.index(label)} {(x1 + x2) / 120:.6f} {(y1 + y2) / 80:.6f} {(x2 - x1) / 60:.6f} "
                f"{(y2 - y1) / 40:.6f}\n"
                for label, x1, y1, x2, y2 in boxes
            ]
            path = folder / split / "labels" / f"{Path(name).stem}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(rows))
    listed = "".join(f"- {name}\n" for name in classes)
    places = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n"
    (folder / "data.yaml").write_text(f"{places}nc: {len(classes)}\nnames:\n{listed}")
    return folder


def voc(folder: Path, pictures: Mapping[str, Mapping[str, Sequence[Box]]]) -> Path:
    """VOC's set: split → picture's name → its boxes."""
    for split, those in pictures.items():
        for name, boxes in those.items():
            jpeg(folder / "JPEGImages" / name)
            xml(folder / "Annotations" / f"{Path(name).stem}.xml", boxes)
        path = folder / "ImageSets" / "Main" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{Path(name).stem}\n" for name in those))
    return folder
