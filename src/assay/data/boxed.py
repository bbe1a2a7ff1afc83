"""Whether there are boxes where a split needs them."""

import numpy as np

from assay.data.boxes import Boxes
from assay.data.groups import Indices
from assay.data.images import ImageSet
from assay.errors import AssayError


def check_boxes(images: ImageSet, indices: dict[str, Indices]) -> None:
    """Raise AssayError where images have boxes, and those to train on have none to learn from."""
    if isinstance(images.targets, Boxes) and not _learned(images.targets, indices["train"]):
        raise AssayError(
            f"the {len(indices['train']):,} training images of {images.source} have no box to learn from; difficult "
            "ones and crowds are not learned"
        )


def unboxed(images: ImageSet, indices: dict[str, Indices]) -> list[str]:
    """A sentence for each split but the training one whose images have no box that is measured."""
    if not isinstance(images.targets, Boxes):
        return []
    return [
        f"the {len(rows):,} {split} images of {images.source} have no box: there is nothing to find there"
        for split, rows in indices.items()
        if split != "train" and len(rows) and not _learned(images.targets, rows)
    ]


def _learned(boxes: Boxes, rows: Indices) -> int:
    return int(np.count_nonzero(boxes.subset(rows).flags == 0))
