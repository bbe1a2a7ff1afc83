"""The pictures that a run keeps for its report: image, truth and answer, small."""

from io import BytesIO

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt8
from PIL import Image

from assay.data.batches import ImageData
from assay.tasks.pictures import COUNT, sample
from assay.tasks.pictures import gallery as thumbnails
from assay.tasks.segmentation.maps import decoded, encoded
from assay.tasks.segmentation.scores import Matrices, of_pairs
from assay.tasks.segmentation.weights import masks_of


def gallery(
    indices: Int64[np.ndarray, " n"], matrices: Matrices, said: tuple[bytes, ...], data: ImageData, seed: int
) -> pl.DataFrame:
    """Up to 25 pictures of each kind: "sample" is drawn by the seed, "worst" has the lowest mean IoU of the image's
    classes first, "middle" those around the median, "best" the highest first; of equals the first image.

    Columns: kind, name, miou (null: all is void), truth and said (label maps as PNG of the size of png), png.
    """
    ious, exists = of_pairs(matrices)
    means = np.where(exists.any(axis=1), ious.sum(axis=1) / np.maximum(exists.sum(axis=1), 1), np.nan)
    order = np.argsort(means, kind="stable")[: np.count_nonzero(~np.isnan(means))]
    few = min(COUNT, len(order))
    middle = order[(len(order) - few) // 2 :][:few]
    kinds = {"sample": sample(len(indices), seed), "worst": order[:few], "middle": middle, "best": order[::-1][:few]}
    chosen = np.concatenate(list(kinds.values()))
    found = thumbnails(kinds, indices, data.images, {"miou": pl.Series(means[chosen]).fill_nan(None)})
    sizes = [Image.open(BytesIO(png)).size for png in found["png"]]
    masks = masks_of(data)
    truth = [shrunk(masks.own(int(i)), size) for i, size in zip(indices[chosen], sizes, strict=True)]
    answers = [shrunk(decoded(said[row]), size) for row, size in zip(chosen, sizes, strict=True)]
    return found.with_columns(truth=pl.Series(truth), said=pl.Series(answers))


def shrunk(labels: UInt8[np.ndarray, "height width"], size: tuple[int, int]) -> bytes:
    """A label map of ``size`` (width, height) as PNG: the class nearest to each pixel's middle."""
    return encoded(np.array(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)))
