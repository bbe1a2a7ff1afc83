"""The pictures of a report: a sample of the test images, and the mistakes the network is surest of."""

from io import BytesIO

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt8
from PIL import Image

from assay import seeds
from assay.evaluate.measuring import Trained
from assay.tasks.classification import Predictions

COUNT = 16
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
    """Up to 16 test images drawn by the seed (kind "sample") and up to 16 worst mistakes (kind "mistake"), as PNG."""
    test, images = trained.predictions["test"], trained.data.images
    predicted, confidence = test.predicted, test.confidence
    rows = [("sample", row) for row in sample(len(test.labels), trained.recipe.seed)]
    rows += [("mistake", row) for row in mistakes(test)]
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
            for kind, row in rows
        ],
        schema=SCHEMA,
    )


def sample(n: int, seed: int) -> Int64[np.ndarray, " k"]:
    """Up to 16 of ``n`` rows, in order: the same for every variant that is tested on the same images."""
    chosen = seeds.numpy_generator(seed, "pictures").choice(n, min(COUNT, n), replace=False)
    return np.sort(chosen).astype(np.int64)


def mistakes(test: Predictions) -> Int64[np.ndarray, " k"]:
    """Up to 16 rows with a wrong prediction, the most confident first, of equals the first image."""
    wrong = np.flatnonzero(test.predicted != test.labels)
    return wrong[np.argsort(-test.confidence[wrong], kind="stable")][:COUNT]


def thumbnail(pixels: UInt8[np.ndarray, "channels height width"]) -> bytes:
    """PNG of a gray or RGB image, no side longer than 96 pixels; a smaller image keeps its size."""
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    image.thumbnail((SIDE, SIDE))
    buffer = BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
