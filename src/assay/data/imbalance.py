"""Classes of unequal size: thinned on purpose before the training, evened out while it lasts.

Thinning is part of the split: a smaller share is a subset of a larger one, and what one class keeps hangs on no other.
"""

from collections.abc import Mapping

import numpy as np

from assay.data.groups import Indices
from assay.data.images import ImageSet
from assay.errors import AssayError, unknown
from assay.seeds import numpy_generator


def thinned(
    train: Indices, images: ImageSet, shares: Mapping[str, float], groups: Indices | None, seed: int
) -> Indices:
    """``train`` with only a share of the images of some classes, drawn by the run's seed.

    With ``groups`` whole originals are kept or dropped, as many as come closest to the share, and at least one.

    Raises:
        AssayError: a class that is not there, or a share of its images that is none.
    """
    labels, kept = images.labels[train], np.ones(len(train), dtype=bool)
    for name, share in shares.items():
        if name not in images.classes:
            error = unknown("class", name, images.classes)
            raise AssayError(f"data.imbalance: {error}")
        label = images.classes.index(name)
        own = np.flatnonzero(labels == label)
        wanted = int(share * len(own) + 0.5)
        if not wanted:
            raise AssayError(
                f"data.imbalance: {share:g} of the {len(own):,} training images of class {name!r} is none; "
                f"one needs a share of at least {1 / max(len(own), 1):.2g}"
            )
        _, original = np.unique(train[own] if groups is None else groups[train[own]], return_inverse=True)
        order = numpy_generator(seed, "imbalance", label).permutation(int(original.max()) + 1)
        sizes = np.bincount(original)[order]
        number = int(np.abs(np.cumsum(sizes) - wanted).argmin()) + 1
        kept[own] = np.isin(original, order[:number])
    return train[kept]
