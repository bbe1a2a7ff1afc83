"""The data of a recipe, from its source to a split that is ready to be batched."""

from collections.abc import Callable
from pathlib import Path

from assay.data.augment import augmenter
from assay.data.batches import ImageData, normalization
from assay.data.cache import open_images
from assay.data.splits import split
from assay.recipe import Data


def load(data: Data, seed: int, root: Path, progress: Callable[[int, int], None] | None = None) -> ImageData:
    """The images of a recipe, decoded, split for this seed and ready to be batched.

    Raises:
        AssayError: the source is missing or bad, or cannot be split as asked.
    """
    images = open_images(data, root, progress)
    augmenter(data.augment, *images.pixels.shape[2:])
    indices = split(data, images, seed)
    mean, std = normalization(data, images, indices["train"])
    return ImageData(images, indices, mean, std, data.augment, data.balance)
