"""Answers that are boxes, drawn on their picture, and as COCO writes results."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from assay.data.decode import Form, decode
from assay.data.palette import palette
from assay.system.files import write
from assay.tasks.detection.coco import results
from assay.tasks.detection.prediction import Prediction
from assay.tools.pictures import Picture
from assay.tools.predict_maps import as_png, shown_size

COCO = "coco.json"
"""Among the drawings: every box, not only those that are shown."""


def drawn_boxes(answer: Prediction, picture: Picture, place: Path) -> Prediction:
    """The answer, once its drawing is a file whose name begins like ``place``."""
    with picture.open() as image:
        pixels = decode(image, Form("rgb")).pixels.transpose(1, 2, 0)
    path = place.with_name(f"{place.name}.boxes.png")
    write(path, as_png(overlay(pixels, answer)))
    return replace(answer, files={"boxes": path.name})


def overlay(pixels: UInt8[np.ndarray, "height width 3"], answer: Prediction) -> Image.Image:
    """The picture with the boxes that are shown, each in the colour of its class, named with its score."""
    shown, colours = answer.shown, palette(answer.classes).tolist()
    size = shown_size(*answer.size)
    image = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=3)
    scale, line = size[0] / answer.size[1], max(1, max(size) // 400)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(max(10, max(size) // 60))
    rows = list(zip((shown.edges * scale).tolist(), shown.labels.tolist(), shown.scores.tolist(), strict=True))
    for edges, label, score in reversed(rows):  # the surest last, on top
        colour = tuple(colours[label])
        draw.rectangle(edges, outline=colour, width=line)
        text = f"{answer.classes[label]} {score:.2f}"
        _, _, width, height = draw.textbbox((0, 0), text, font=font)
        left, top = edges[0], edges[1] - height if edges[1] >= height else edges[1]
        draw.rectangle((left, top, left + width + line, top + height), fill=colour)
        draw.text((left + line, top), text, fill=readable(colours[label]), font=font)
    return image


def readable(colour: Sequence[int]) -> str:
    """Black on a light colour, white on a dark one, by its luma (ITU-R BT.601)."""
    red, green, blue = colour
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "white"


def coco_of(answers: Sequence[Prediction]) -> list[dict[str, Any]]:
    """All boxes of the answers in COCO's format of results: ``coco.results``, with ``image_ids``."""
    ids = image_ids([one.picture for one in answers])
    return [
        row
        for one, number in zip(answers, ids, strict=True)
        for row in results(one.edges, one.labels, one.scores, number)
    ]


def image_ids(pictures: Sequence[Path]) -> Sequence[int | str]:
    """The numbers that the pictures are named by, as COCO's are, where all are and no two the same; else the names,
    where no two are the same; else the paths."""
    if all(each.stem.isdecimal() for each in pictures):
        numbers = [int(each.stem) for each in pictures]
        if len(set(numbers)) == len(numbers):
            return numbers
    names = [each.name for each in pictures]
    return names if len(set(names)) == len(names) else [str(each) for each in pictures]
