"""The pictures that a run keeps for its report: image, truth, answer and where it was unsure, small."""

from io import BytesIO

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Int64, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional

from assay.data.batches import ImageData
from assay.data.palette import palette, with_void
from assay.tasks.pictures import inside, sample, thumbnail
from assay.tasks.segmentation.maps import decoded, png
from assay.tasks.segmentation.scores import Matrices, of_pairs
from assay.tasks.segmentation.weights import masks_of

COUNT = 6
"""Of each kind."""
SIDE = 192
"""Pixels of the longer side, at most."""


def gallery(
    indices: Int64[np.ndarray, " n"],
    matrices: Matrices,
    said: tuple[bytes, ...],
    unsure: tuple[bytes, ...],
    data: ImageData,
    seed: int,
) -> pl.DataFrame:
    """Up to 6 pictures of each kind: "sample" is drawn by the seed, "worst" has the lowest mean IoU of the image's
    classes first, "middle" those around the median, "best" the highest first; of equals the first image.

    Columns: kind, name, miou (null: all is void), png, truth and said (label maps as PNG of the size of png), unsure
    (PNG, black where the entropy is that of mere chance).
    """
    ious, exists = of_pairs(matrices)
    means = np.where(exists.any(axis=1), ious.sum(axis=1) / np.maximum(exists.sum(axis=1), 1), np.nan)
    order = np.argsort(means, kind="stable")[: np.count_nonzero(~np.isnan(means))]
    few = min(COUNT, len(order))
    middle = order[(len(order) - few) // 2 :][:few]
    kinds = {
        "sample": sample(len(indices), seed)[:COUNT],
        "worst": order[:few],
        "middle": middle,
        "best": order[::-1][:few],
    }
    chosen = np.concatenate(list(kinds.values()))
    masks, images = masks_of(data), indices[chosen].tolist()
    colours = with_void(palette(data.classes, data.images.colours))
    pngs = [thumbnail(inside(data.images, i), SIDE) for i in images]
    sizes = [Image.open(BytesIO(png)).size for png in pngs]
    return pl.DataFrame(
        {
            "kind": [kind for kind, rows in kinds.items() for _ in rows],
            "name": [data.images.names[i] for i in images],
            "miou": pl.Series(means[chosen]).fill_nan(None),
            "png": pngs,
            "truth": [shrunk(masks.own(i), size, colours) for i, size in zip(images, sizes, strict=True)],
            "said": [shrunk(decoded(said[row]), size, colours) for row, size in zip(chosen, sizes, strict=True)],
            "unsure": [unsure[row] for row in chosen],
        }
    )


def shrunk(
    labels: UInt8[np.ndarray, "height width"], size: tuple[int, int], colours: UInt8[np.ndarray, "256 3"]
) -> bytes:
    """A label map of ``size`` (width, height) as PNG: the class nearest to each pixel's middle."""
    return png(np.array(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)), colours)


def unsureness(entropies: Float32[Tensor, "height width"], classes: int) -> bytes:
    """A map of entropies in nats as a small gray PNG: white is sure, black the entropy of mere chance."""
    share = min(1.0, SIDE / max(entropies.shape))
    size = [max(1, round(side * share)) for side in entropies.shape]
    small = functional.interpolate(entropies[None, None], size=size, mode="area")[0, 0]
    gray = (255 - 255 * small / float(np.log(max(classes, 2)))).clamp(0, 255).round().to(torch.uint8)
    buffer = BytesIO()
    Image.fromarray(gray.numpy()).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()
