"""Images on their way to the network: source, decode-once cache, split, batch, augmentation.

Importing this room imports no torch: names are looked up when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from assay.data.batches import ImageData
    from assay.data.cache import open_images
    from assay.data.images import ImageSet, data_root
    from assay.data.splits import split
    from assay.recipe import Data

__all__ = ["ImageData", "ImageSet", "data_root", "load", "open_images", "split"]

_HOMES = {
    "ImageData": "batches",
    "ImageSet": "images",
    "data_root": "images",
    "open_images": "cache",
    "split": "splits",
}


def load(data: "Data", seed: int, root: "Path", progress: "Callable[[int, int], None] | None" = None) -> "ImageData":
    """The images of a recipe, decoded, split for this seed and ready to be batched.

    Raises:
        AssayError: the source is missing or bad, or cannot be split as asked.
    """
    from assay.data.augment import augmenter
    from assay.data.batches import ImageData, normalization
    from assay.data.cache import open_images
    from assay.data.splits import split

    images = open_images(data, root, progress)
    augmenter(data.augment, *images.pixels.shape[2:])
    indices = split(data, images, seed)
    mean, std = normalization(data, images, indices["train"])
    return ImageData(images, indices, mean, std, data.augment, data.balance)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
