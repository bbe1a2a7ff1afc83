"""Discs on a gray ground, drawn here: pictures of which two numbers are known exactly, without any data."""

from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image

from assay.data.images import Contents, Source
from assay.data.targets import Values
from assay.seeds import numpy_generator

COUNT, SIDE = 2000, 32
MOST = 6
"""Discs in a picture, at most; at least one."""
DIAMETERS = (3.0, 10.0)
"""In pixels."""
TARGETS = ("count", "mean diameter")

Discs = Float64[np.ndarray, "discs 3"]
"""x and y of the middle, in pixels from the upper left corner, and the diameter."""


def discs(root: Path) -> Source:
    """2,000 pictures without a test split of their own, the same on every machine."""
    return Source(where="discs", identity=["discs", 1], contents=_contents)


def _contents() -> Contents:
    scenes = [arranged(numpy_generator(0, "discs", i)) for i in range(COUNT)]
    truth = np.array([(len(scene), scene[:, 2].mean()) for scene in scenes])
    return Contents(
        classes=list(TARGETS),
        names=[f"{i:05d}" for i in range(COUNT)],
        targets=Values(truth, TARGETS),
        is_test=np.zeros(COUNT, dtype=bool),
        image=lambda i: Image.fromarray(drawn(scenes[i], numpy_generator(0, "discs drawn", i))),
    )


def arranged(generator: np.random.Generator) -> Discs:
    """One to six discs, wholly inside the picture and at least a pixel apart."""
    diameters = np.sort(generator.uniform(*DIAMETERS, size=generator.integers(1, MOST + 1)))[::-1]
    placed: list[tuple[float, float, float]] = []
    for diameter in diameters:
        for _ in range(1000):
            x, y = generator.uniform(diameter / 2 + 1, SIDE - diameter / 2 - 1, size=2)
            if all(np.hypot(x - a, y - b) > (diameter + other) / 2 + 1 for a, b, other in placed):
                placed.append((x, y, diameter))
                break
    return np.array(placed)


def drawn(scene: Discs, generator: np.random.Generator) -> UInt8[np.ndarray, "side side"]:
    """The picture (32, 32) in gray levels: edges one pixel wide, each disc of its own brightness, noise over all."""
    middle = np.arange(SIDE) + 0.5
    picture = np.full((SIDE, SIDE), generator.uniform(20, 60))
    for (x, y, diameter), brightness in zip(scene, generator.uniform(110, 230, size=len(scene)), strict=True):
        distance = np.hypot(middle[None, :] - x, middle[:, None] - y)
        cover = np.clip(diameter / 2 - distance + 0.5, 0, 1)
        picture += cover * (brightness - picture)
    noisy = picture + generator.normal(0, 12, picture.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
