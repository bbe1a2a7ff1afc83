"""The data of a recipe, from its source to a split that is ready to be batched."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from assay.data.augment import augmenter
from assay.data.batches import ImageData, normalization
from assay.data.boxed import check_boxes
from assay.data.cache import open_images, open_source
from assay.data.crops import check_crop
from assay.data.groups import Indices
from assay.data.images import ImageSet
from assay.data.masked import check_masks
from assay.data.mosaic import check_mosaic
from assay.data.splits import split
from assay.recipe import Data

Progress = Callable[[int, int], None]


def load(data: Data, seed: int, root: Path, progress: Progress | None = None) -> ImageData:
    """The images of a recipe, decoded, split for this seed and ready to be batched.

    Raises:
        AssayError: the source is missing or bad, or cannot be split as asked.
    """
    images = open_images(data, root, progress)
    return _ready(data, images, split(data, images, seed))


def load_chosen(
    data: Data, seed: int, root: Path, choose: Callable[[ImageData], ImageData], progress: Progress | None = None
) -> ImageData:
    """As ``load``, but of each split only what ``choose`` leaves is decoded; the source is split before that, and what
    is found out over its images (``data.range``, ``normalize: standard``) is so over those.

    ``choose`` gets images without pixels. One that cannot be read is left out after it was chosen. Raises AssayError as
    ``load`` does.
    """
    every = _listed(data, root)
    none = np.zeros(1, np.float32)
    wanted = choose(ImageData(every, split(data, every, seed), none, none)).indices
    rows = np.unique(np.concatenate(list(wanted.values())))
    images = open_images(data, root, progress, None if len(rows) == len(every) else rows)
    place = {name: k for k, name in enumerate(images.names)}
    names = {split: [every.names[i] for i in indices] for split, indices in wanted.items()}
    indices = {split: np.array([place[n] for n in those if n in place], np.int64) for split, those in names.items()}
    return _ready(data, images, indices)


def validates(data: Data, root: Path) -> bool:
    """Whether the source has a validation split of its own. AssayError where it is missing or malformed."""
    own = open_source(data, root).contents().is_validation
    return own is not None and bool(own.any())


def _listed(data: Data, root: Path) -> ImageSet:
    """A source before it is decoded: all that is true of its pictures, and of their pixels nothing."""
    source = open_source(data, root)
    contents = source.contents()
    own = contents.is_validation
    nothing = np.empty((len(contents.names), 0, 0, 0), np.uint8)
    return ImageSet(
        nothing,
        contents.targets,
        contents.names,
        contents.is_test,
        contents.classes,
        [],
        source=source.where,
        is_validation=own if own is not None and own.any() else None,
    )


def _ready(data: Data, images: ImageSet, indices: dict[str, Indices]) -> ImageData:
    augmenter(data.augment)
    check_crop(data.crop, images)
    check_mosaic(data.mosaic, images)
    check_boxes(images, indices)
    check_masks(images, indices)
    mean, std = normalization(data, images, indices["train"])
    return ImageData(images, indices, mean, std, data.augment, data.balance, data.crop, data.mosaic)
