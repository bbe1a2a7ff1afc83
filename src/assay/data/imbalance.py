"""Classes of unequal size: thinned on purpose before the training, evened out while it lasts.

Evening out holds no image back for good: within as many epochs as it takes, every image of a class has had its turn.
Thinning is part of the split: a smaller share is a subset of a larger one, and what one class keeps hangs on no other.
"""

from collections.abc import Mapping

import numpy as np

from assay.data.groups import Indices
from assay.data.images import ImageSet
from assay.errors import AssayError, unknown
from assay.recipe import Balance
from assay.seeds import numpy_generator


def thinned(
    train: Indices, images: ImageSet, shares: Mapping[str, float], groups: Indices | None, seed: int
) -> Indices:
    """``train`` with only a share of the images of some classes, drawn by the run's seed.

    With ``groups`` whole originals are kept or dropped, as many as come closest to the share, and at least one.

    Raises:
        AssayError: a class that is not there, a share of its images that is none, or images without labels.
    """
    labels, kept = images.labels_for("data.imbalance")[train], np.ones(len(train), dtype=bool)
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
                f"a share of {1 / max(len(own), 1):.2g} leaves one"
            )
        _, original = np.unique(train[own] if groups is None else groups[train[own]], return_inverse=True)
        order = numpy_generator(seed, "imbalance", label).permutation(int(original.max()) + 1)
        sizes = np.bincount(original)[order]
        number = int(np.abs(np.cumsum(sizes) - wanted).argmin()) + 1
        kept[own] = np.isin(original, order[:number])
    return train[kept]


def epoch_size(counts: Indices, balance: Balance) -> int:
    """Images in an epoch, where the classes have ``counts`` training images."""
    return int(counts.sum()) if balance == "none" else int(np.count_nonzero(counts)) * _each(counts, balance)


def balanced(train: Indices, labels: Indices, balance: Balance, seed: int, epoch: int) -> Indices:
    """The training images of an epoch (from 1), not yet in order: of every class as many as of the largest or smallest.

    A function of (seed, epoch) alone. Of a class of n images each is there ⌊m / n⌋ or ⌈m / n⌉ times, where m is what
    every class gets; whose turn it is follows one permutation of the class until it is used up, then another one.
    """
    if balance == "none":
        return train
    counts = np.bincount(labels[train])
    wanted = _each(counts, balance)
    parts = []
    for label in np.flatnonzero(counts):
        own = train[labels[train] == label]
        times, rest = divmod(wanted, len(own))
        parts += [own] * times
        if rest:
            passes, turn = divmod(epoch - 1, -(-len(own) // rest))
            order = numpy_generator(seed, "balance", int(label), passes).permutation(own)
            parts.append(order.take(np.arange(turn * rest, (turn + 1) * rest), mode="wrap"))
    return np.concatenate(parts)


def _each(counts: Indices, balance: Balance) -> int:
    return int(counts.max() if balance == "oversample" else counts[counts > 0].min())
