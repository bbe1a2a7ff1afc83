"""Drawn pictures with any of five shapes in them, some of them rare: a multi-label data set that needs no file."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from assay.data.images import Contents, Source
from assay.data.targets import Tags
from assay.seeds import numpy_generator

SHARES = {"disc": 0.45, "square": 0.3, "triangle": 0.15, "cross": 0.08, "ring": 0.05}
"""How many pictures have a shape, independently of the others."""
COUNT = 2400
SIDE = 32
NOISE = 18
"""Standard deviation of a pixel, of 255."""


def shapes(root: Path) -> Source:
    """2,400 pictures, 32×32 RGB, without a test split of their own; more than a fourth of them without any."""
    return Source(where="shapes", identity=["shapes", 1], contents=_contents)


def _contents() -> Contents:
    drawn = numpy_generator(0, "shapes").random((COUNT, len(SHARES)))
    tags = (drawn < np.array(list(SHARES.values()))).astype(np.uint8)
    return Contents(
        classes=list(SHARES),
        names=[f"{i:05d}" for i in range(COUNT)],
        targets=Tags(tags),
        is_test=np.zeros(COUNT, dtype=bool),
        image=lambda i: _picture(i, tags[i]),
    )


def _picture(i: int, tags: UInt8[np.ndarray, " shapes"]) -> Image.Image:
    """The shapes of picture ``i`` in any order, places, sizes and colours, the later over the earlier, under noise."""
    generator = numpy_generator(0, "shapes", i)
    image = Image.new("RGB", (SIDE, SIDE), _color(generator, 0, 100))
    draw = ImageDraw.Draw(image)
    for shape in generator.permutation(np.flatnonzero(tags)):
        radius = int(generator.integers(4, 8))
        x, y = (int(place) for place in generator.integers(radius, SIDE - radius, 2))
        _draw(draw, list(SHARES)[shape], x, y, radius, _color(generator, 80, 256))
    noisy = np.asarray(image) + generator.normal(0, NOISE, (SIDE, SIDE, 3))
    return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))


def _draw(draw: ImageDraw.ImageDraw, shape: str, x: int, y: int, radius: int, color: tuple[int, int, int]) -> None:
    box = (x - radius, y - radius, x + radius, y + radius)
    match shape:
        case "disc":
            draw.ellipse(box, fill=color)
        case "ring":
            draw.ellipse(box, outline=color, width=2)
        case "square":
            draw.rectangle(box, fill=color)
        case "triangle":
            draw.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=color)
        case "cross":
            draw.rectangle((x - radius, y - 1, x + radius, y + 1), fill=color)
            draw.rectangle((x - 1, y - radius, x + 1, y + radius), fill=color)


def _color(generator: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    red, green, blue = generator.integers(low, high, 3).tolist()
    return red, green, blue
