"""scikit-learn's handwritten digits, scattered over a gray ground: every box is known exactly, without any data."""

from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image

from assay.data.boxes import Boxes
from assay.data.images import Contents, Source
from assay.seeds import numpy_generator

TRAIN, TEST, SIDE = 400, 100, 96
FROM = (12, 44)
"""Sides of a digit in pixels, drawn so that as many are below their geometric mean as above."""
COUNTS = (0.04, 0.16, 0.2, 0.2, 0.16, 0.12, 0.12)
"""How many pictures have 0, 1, … digits, at most; one that finds no room is left out."""
FOR_TRAINING = 1437
"""The digits before this one are for training pictures, the others for test pictures."""
INK = 0.25
"""Share of the full ink from which a pixel belongs to a digit."""

Picture = UInt8[np.ndarray, "side side"]
Edges = Float64[np.ndarray, "k 4"]


def scattered_digits(root: Path) -> Source:
    """400 pictures to train on and 100 to test, 96×96 gray, with up to six digits each, the same on every machine."""
    return Source(where="scattered-digits", identity=["scattered-digits", 1], contents=_contents)


def _contents() -> Contents:
    splits = ["train"] * TRAIN + ["test"] * TEST
    drawn = [scattered(i) for i in range(len(splits))]
    counts = [len(labels) for _, _, labels in drawn]
    labels = np.array([label for _, _, those in drawn for label in those], np.int64)
    return Contents(
        classes=[str(digit) for digit in range(10)],
        names=[f"{split}/{i:05d}" for i, split in enumerate(splits)],
        targets=Boxes(
            np.concatenate([edges for _, edges, _ in drawn]).astype(np.float32),
            labels,
            np.zeros(len(labels), np.uint8),
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        ),
        is_test=np.array(splits) == "test",
        image=lambda i: Image.fromarray(drawn[i][0]),
    )


def scattered(i: int) -> tuple[Picture, Edges, list[int]]:
    """(picture, boxes of the ink, their digits) of picture ``i``: digits that touch no other, light on dark, under
    noise."""
    generator = numpy_generator(0, "scattered digits", i)
    glyphs, digits = _digits()
    first, end = (0, FOR_TRAINING) if i < TRAIN else (FOR_TRAINING, len(glyphs))
    ground = generator.uniform(20, 90)
    picture = np.full((SIDE, SIDE), ground)
    edges: list[tuple[int, int, int, int]] = []
    labels: list[int] = []
    for _ in range(generator.choice(len(COUNTS), p=COUNTS)):
        which = int(generator.integers(first, end))
        ink = _ink(glyphs[which], round(float(np.exp(generator.uniform(*np.log(FROM))))))
        (height, width), light = ink.shape, generator.uniform(140, 250)
        x, y = generator.integers(0, SIDE - width + 1), generator.integers(0, SIDE - height + 1)
        if any(x < x2 and x1 < x + width and y < y2 and y1 < y + height for x1, y1, x2, y2 in edges):
            continue
        picture[y : y + height, x : x + width] += ink * (light - ground)
        edges.append((x, y, x + width, y + height))
        labels.append(int(digits[which]))
    noisy = picture + generator.normal(0, 8, picture.shape)
    return noisy.round().clip(0, 255).astype(np.uint8), np.array(edges, np.float64).reshape(-1, 4), labels


def _ink(glyph: Float64[np.ndarray, "8 8"], side: int) -> Float64[np.ndarray, "h w"]:
    """A digit enlarged to ``side``, 0 to 1, cut to its ink."""
    large = np.asarray(Image.fromarray(glyph.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC))
    there = large >= INK
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    cut = np.where(there, large, 0)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.asarray(cut.clip(0, 1), np.float64)


@cache
def _digits() -> tuple[Float64[np.ndarray, "n 8 8"], UInt8[np.ndarray, " n"]]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images / 16, bunch.target.astype(np.uint8)
