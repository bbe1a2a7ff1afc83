"""What a pixel of each class counts in a weighted loss."""

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from assay.data.batches import ImageData
from assay.data.targets import Masks
from assay.errors import AssayError
from assay.recipe import CrossEntropy, Focal

Pixels = Int64[np.ndarray, "images classes"]


def masks_of(data: ImageData) -> Masks:
    """The masks of the images. AssayError where something else is true of them."""
    if not isinstance(data.images.targets, Masks):
        there = f"the images of {data.images.source} have {data.images.targets.kind}"
        raise AssayError(f"segmentation needs one class a pixel, and {there}")
    return data.images.targets


def class_weights(loss: CrossEntropy | Focal, data: ImageData) -> Float32[Tensor, " classes"] | None:
    """The weights of the classes, in their order; None where the loss has none.

    ``inverse``: n / (classes · n_c) for n_c of n known pixels. ``median_frequency``: median of f / f_c, with f_c the
    pixels of the class by all known pixels of the images that have it (Eigen & Fergus, arXiv:1411.4734, section 6.3.2).
    A class without pixels to train on has weight 0, and is not counted.
    """
    stated = loss.class_weights
    if stated is None:
        return None
    weights = np.array(stated) if isinstance(stated, tuple) else WEIGHTS[stated](data.pixel_counts)
    return torch.from_numpy(weights.astype(np.float32))


def inverse(pixels: Pixels) -> Float32[np.ndarray, " classes"]:
    """n / (classes · n_c)."""
    of_class = pixels.sum(axis=0)
    return _where_there(of_class.sum() / np.count_nonzero(of_class), of_class)


def median_frequency(pixels: Pixels) -> Float32[np.ndarray, " classes"]:
    """median of f / f_c."""
    of_class = pixels.sum(axis=0)
    around = (pixels > 0).T @ pixels.sum(axis=1)
    frequencies = of_class[of_class > 0] / around[of_class > 0]
    return _where_there(float(np.median(frequencies)) * around, of_class)


WEIGHTS = {"inverse": inverse, "median_frequency": median_frequency}


def _where_there(part: float | np.ndarray, pixels: Int64[np.ndarray, " classes"]) -> Float32[np.ndarray, " classes"]:
    return np.where(pixels > 0, part / np.maximum(pixels, 1), 0.0).astype(np.float32)
