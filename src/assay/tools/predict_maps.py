"""Answers that are maps, drawn: a mask, the picture under the colours of its classes, how unsure each pixel is."""

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from assay.data.decode import Form, decode
from assay.system.files import write
from assay.tasks.segmentation.maps import png
from assay.tasks.segmentation.prediction import Prediction
from assay.tools.pictures import Picture

LEAST, MOST = 480, 1600
"""Pixels that the longer side of a drawing has, at least and at most; a mask has those of its picture."""
COVER = 0.5
"""How much the colours of the classes cover of the picture."""
SURE_TO_UNSURE = ((255, 255, 255), (253, 187, 132), (179, 0, 0), (40, 0, 30))
"""The colours of an entropy of 0, a third, two thirds, and of that of equal probabilities."""


def write_drawings(answer: Prediction, picture: Picture, place: Path) -> dict[str, Path]:
    """Mask, overlay and entropy of an answer as files whose names begin like ``place``; what each is → its path."""
    with picture.open() as image:
        pixels = decode(image, Form("rgb")).pixels.transpose(1, 2, 0)
    drawings = {
        "mask": png(answer.labels, answer.colours),
        "overlay": as_png(overlay(pixels, answer)),
        "entropy": as_png(entropy_map(answer.entropy, len(answer.classes))),
    }
    paths = {kind: place.with_name(f"{place.name}.{kind}.png") for kind in drawings}
    for kind, path in paths.items():
        write(path, drawings[kind])
    return paths


def overlay(pixels: UInt8[np.ndarray, "height width 3"], answer: Prediction) -> Image.Image:
    """The picture under the colours of its classes, with a legend of those that are said, the largest area first."""
    size = shown_size(*answer.size)
    below = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=3)
    labels = np.array(Image.fromarray(answer.labels).resize(size, Image.Resampling.NEAREST))
    covered = Image.blend(below, Image.fromarray(answer.colours[labels]), COVER)
    said = sorted((name for name, share in answer.areas.items() if share), key=lambda name: -answer.areas[name])
    colours = [answer.colours[answer.classes.index(name)].tolist() for name in said]
    texts = [f"{name} {100 * answer.areas[name]:.1f} %" for name in said]
    return above(covered, legend(texts, colours, covered.width))


def entropy_map(entropy: Float[np.ndarray, "height width"], classes: int) -> Image.Image:
    """White where the network is sure, dark red to black where all classes are as probable."""
    share = np.clip(entropy / math.log(max(2, classes)), 0, 1)
    small = np.array(Image.fromarray(share.astype(np.float32)).resize(shown_size(*share.shape), Image.Resampling.BOX))
    stops = np.linspace(0, 1, len(SURE_TO_UNSURE))
    channels = [np.interp(small, stops, values) for values in zip(*SURE_TO_UNSURE, strict=True)]
    return Image.fromarray(np.stack(channels, axis=-1).round().astype(np.uint8))


def shown_size(height: int, width: int) -> tuple[int, int]:
    """Width and height of a drawing of a picture: so many times a small one that words find room in it."""
    longer = max(height, width)
    share = MOST / longer if longer > MOST else -(-LEAST // longer)
    return max(1, round(width * share)), max(1, round(height * share))


def legend(texts: Sequence[str], colours: Sequence[Sequence[int]], width: int) -> Image.Image:
    """A square of each colour with its text, in as many lines as the width asks for; wider where one text is."""
    height = max(12, width // 50)
    font = ImageFont.load_default(height)
    width = max([width, *(round(font.getlength(text)) + 3 * height for text in texts)])
    places: list[tuple[int, int]] = []
    left, top, line = height // 2, height // 2, 2 * height
    for text in texts:
        wide = round(font.getlength(text)) + 3 * height
        if left + wide > width and left > height:
            left, top = height // 2, top + line
        places.append((left, top))
        left += wide
    image = Image.new("RGB", (width, top + line), "white")
    draw = ImageDraw.Draw(image)
    for text, colour, (x, y) in zip(texts, colours, places, strict=True):
        draw.rectangle((x, y, x + height, y + height), fill=tuple(colour), outline="black")
        draw.text((x + 1.5 * height, y + height / 2), text, fill="black", font=font, anchor="lm")
    return image


def as_png(image: Image.Image) -> bytes:
    """The bytes of a file."""
    buffer = BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def above(upper: Image.Image, lower: Image.Image) -> Image.Image:
    """One picture above another, on white."""
    image = Image.new("RGB", (max(upper.width, lower.width), upper.height + lower.height), "white")
    image.paste(upper, (0, 0))
    image.paste(lower, (0, upper.height))
    return image
