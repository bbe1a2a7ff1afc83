"""Discs, squares and triangles on a streaked ground, drawn here: every pixel's class is known exactly, without any
data."""

from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image

from assay.data.images import Contents, Source
from assay.data.mask_files import MaskFiles
from assay.data.own_masks import VOID
from assay.seeds import numpy_generator

TRAIN, TEST, SIDE = 300, 100, 64
CLASSES = ("background", "disc", "square", "triangle")
SHARES = {"disc": 0.7, "square": 0.6, "triangle": 0.25}
"""How many pictures have a shape, independently of the others; of those, every other has two."""
RADII = {"disc": (7.0, 13.0), "square": (6.0, 11.0), "triangle": (5.0, 8.0)}
"""In pixels; the triangle is the rare small class."""
COLORS = {"disc": (190, 90, 80), "square": (90, 170, 90), "triangle": (100, 110, 200)}
"""Their mean; a shape's own differs so much that colour alone tells the class of most, not of all."""
RIM = 0.3
"""Pixels nearer than this to a shape's outline are void."""

Plane = Float64[np.ndarray, "side side"]


def scenes(root: Path) -> Source:
    """300 pictures to train on and 100 to test, 64×64 RGB, the same on every machine."""
    return Source(where="scenes", identity=["scenes", 1], contents=_contents)


def _contents() -> Contents:
    splits = ["train"] * TRAIN + ["test"] * TEST
    return Contents(
        classes=list(CLASSES),
        names=[f"{split}/{i:05d}" for i, split in enumerate(splits)],
        targets=MaskFiles(lambda i: scene(i)[1], len(splits)),
        is_test=np.array(splits) == "test",
        image=lambda i: Image.fromarray(scene(i)[0]),
    )


def scene(i: int) -> tuple[UInt8[np.ndarray, "side side 3"], UInt8[np.ndarray, "side side"]]:
    """(picture, mask) ``i``: its shapes in any order, the later over the earlier, edges one pixel wide, under noise."""
    generator = numpy_generator(0, "scenes", i)
    picture, mask = _ground(generator), np.zeros((SIDE, SIDE), np.uint8)
    there = [shape for shape, share in SHARES.items() if generator.random() < share]
    drawn = there + [shape for shape in there if generator.random() < 0.5]
    for shape in generator.permutation(drawn).tolist():
        radius = generator.uniform(*RADII[shape])
        x, y = generator.uniform(radius, SIDE - radius, 2)
        outside = _outside(shape, x, y, radius)
        color = generator.normal(COLORS[shape], 30)
        picture += np.clip(0.5 - outside, 0, 1)[:, :, None] * (color - picture)
        mask[outside < 0] = CLASSES.index(shape)
        mask[np.abs(outside) < RIM] = VOID
    noisy = picture + generator.normal(0, 12, picture.shape)
    return noisy.round().clip(0, 255).astype(np.uint8), mask


def _ground(generator: np.random.Generator) -> Float64[np.ndarray, "side side 3"]:
    """Streaks of any direction and width over a colour between gray and that of a shape."""
    middle = np.arange(SIDE) + 0.5
    angle, width = generator.uniform(0, np.pi), generator.uniform(4, 16)
    along = middle[None, :] * np.cos(angle) + middle[:, None] * np.sin(angle)
    streaks = 25 * np.sin(2 * np.pi * along / width + generator.uniform(0, 2 * np.pi))
    return np.asarray(generator.normal(120, 20, 3) + streaks[:, :, None])


def _outside(shape: str, x: float, y: float, radius: float) -> Plane:
    """How far the middle of each pixel is from the shape about (x, y), in pixels; below 0 inside. Of a corner's
    surroundings it is less than that."""
    right, down = np.meshgrid(np.arange(SIDE) + 0.5 - x, np.arange(SIDE) + 0.5 - y)
    if shape == "disc":
        return np.asarray(np.hypot(right, down) - radius)
    if shape == "square":
        return np.asarray(np.maximum(np.abs(right), np.abs(down)) - radius)
    slope = np.sqrt(3) / 2 * np.abs(right) - down / 2  # its three sides are radius / 2 from the middle
    return np.asarray(np.maximum(slope, down) - radius / 2)
