"""The pictures of a report: a sample of the test images, the surest mistakes, and the least sure answers."""

from io import BytesIO

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt8
from PIL import Image

from assay import seeds
from assay.evaluate.measuring import Trained
from assay.tasks.classification import Predictions

COUNT = 25
"""Of each kind, a square of 5 × 5."""
SIDE = 96
"""Pixels of the longer side, at most."""
SCHEMA = {
    "kind": pl.String,
    "name": pl.String,
    "label": pl.Int64,
    "predicted": pl.Int64,
    "confidence": pl.Float32,
    "png": pl.Binary,
}


def pictures_table(trained: Trained) -> pl.DataFrame:
    """Up to 25 test images of each kind, as PNG: "sample" is drawn by the seed, "mistake" has the surest wrong answers,
    "unsure" the least sure answers, right or wrong. An image may be of several kinds."""
    test, images = trained.predictions["test"], trained.data.images
    predicted, confidence = test.predicted, test.confidence
    kinds = {"sample": sample(len(test.labels), trained.recipe.seed), "mistake": mistakes(test), "unsure": unsure(test)}
    return pl.DataFrame(
        [
            {
                "kind": kind,
                "name": images.names[test.indices[row]],
                "label": test.labels[row],
                "predicted": predicted[row],
                "confidence": confidence[row],
                "png": thumbnail(images.pixels[test.indices[row]]),
            }
            for kind, rows in kinds.items()
            for row in rows
        ],
        schema=SCHEMA,
    )


def sample(n: int, seed: int) -> Int64[np.ndarray, " k"]:
    """Up to 25 of ``n`` rows, in order: the same for every variant that is tested on the same images."""
    chosen = seeds.numpy_generator(seed, "pictures").choice(n, min(COUNT, n), replace=False)
    return np.sort(chosen).astype(np.int64)


def mistakes(test: Predictions) -> Int64[np.ndarray, " k"]:
    """Up to 25 rows with a wrong prediction, the most confident first, of equals the first image."""
    wrong = np.flatnonzero(test.predicted != test.labels)
    return wrong[np.argsort(-test.confidence[wrong], kind="stable")][:COUNT]


def unsure(test: Predictions) -> Int64[np.ndarray, " k"]:
    """Up to 25 rows with the smallest probability of the predicted class, that first, of equals the first image."""
    return np.argsort(test.confidence, kind="stable")[:COUNT]


def thumbnail(pixels: UInt8[np.ndarray, "channels height width"]) -> bytes:
    """PNG of a gray or RGB image, no side longer than 96 pixels; a smaller image keeps its size."""
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    image.thumbnail((SIDE, SIDE))
    buffer = BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
