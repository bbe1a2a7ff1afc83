"""How many test images were seen in training: copies on the other side of a split, by the pixels and by the names."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from assay.data.boxes import Boxes
from assay.data.images import ImageSet
from assay.data.targets import Masks
from assay.tools.inspection.copies import Copies

Indices = Int64[np.ndarray, " _"]


@dataclass(frozen=True, eq=False)
class Leak:
    """The test images of a split that have a copy among the images to train on."""

    held_out: int
    """Number of test images."""
    test: Int64[np.ndarray, " m"]
    """Those with a copy."""
    train: Int64[np.ndarray, " m"]
    """The nearest copy of each."""
    equal: Bool[np.ndarray, " m"]
    """Equal in every pixel."""
    other_label: Bool[np.ndarray, " m"]
    """The copy has another label, or other values or tags."""
    named: int | None = None
    """How many of the test images have an original that is also trained on, by the file names."""

    def __len__(self) -> int:
        """Number of test images with a copy."""
        return len(self.test)


def leak(
    images: ImageSet, copies: Copies, test: Indices, train: Indices, groups: Indices | None, alike: Indices
) -> Leak:
    """What a split lets through; ``groups`` tells the originals by the file names, ``alike`` what is true of each."""
    trained = np.zeros(len(images), dtype=bool)
    trained[train] = True
    closest = copies.closest(trained)[test]
    found, copy = test[closest >= 0], closest[closest >= 0]
    named = None if groups is None else int(np.isin(groups[test], groups[train]).sum())
    equal = copies.equal(found, copy)
    other = alike[found] != alike[copy]
    if isinstance(images.targets, Masks | Boxes):  # of near copies, masks and boxes lie as the pictures differ
        other &= equal
    return Leak(len(test), found, copy, equal, other, named)
