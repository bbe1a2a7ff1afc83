"""Which image trains, which validates, which tests: stratified, exact in number, a function of the seeds alone.

Stratified by the label; where there is none, by what stands for it: see ``Targets.strata``. Only of a label must each
split have some images, and a number of images is shared out evenly only over labels.

The test split comes first and depends on ``data.split_seed``: all runs of a study are tested on the same images. Then
the training split is reduced to ``data.train`` (the same share of every class, or as many of each), then the classes
of ``data.imbalance`` are thinned, by the run's seed both, and last the validation images are cut, from what is left of
the training split by the run's seed, or from the test split by ``data.split_seed``. So the test images always have
their natural mix, and validation images have the mix of the split that they are cut from.
Every class draws its own permutation, of which an amount is a prefix: a smaller amount is a subset of a larger one.

With ``data.group`` all copies of an original go the same way. The numbers are then as close to what is asked as whole
groups allow: within the size of the largest one.
"""

import numpy as np

from assay.data.groups import Indices, allot_blocks, group_numbers, strata
from assay.data.images import ImageSet
from assay.data.imbalance import thinned
from assay.data.targets import Labels
from assay.errors import AssayError
from assay.recipe import Data
from assay.seeds import numpy_generator

_HELD_OUT = 0.2


def split(data: Data, images: ImageSet, seed: int) -> dict[str, Indices]:
    """Sorted, disjoint indices of ``train``, ``validation`` (may be empty) and ``test``.

    Raises:
        AssayError: an amount is more than there is, or leaves a split or a class of it without images, or copies of one
            original lie on both sides of the source's own split, or ``data.imbalance`` names no class or leaves none,
            or it or ``data.balance`` is asked of images without labels.
    """
    if data.balance != "none":
        images.labels_for("data.balance")
    groups = None if data.group is None else group_numbers(data.group, images.names)
    cut = _Cutter(images, groups)
    if images.is_test.any():
        if groups is not None:
            _check_own_split(images, groups)
        test, train = np.flatnonzero(images.is_test), np.flatnonzero(~images.is_test)
        if data.test is not None:
            test, _ = cut(test, data.test, "data.test", numpy_generator(data.split_seed, "test"))
    else:
        amount = _HELD_OUT if data.test is None else data.test
        everything = np.arange(len(images))
        test, train = cut(everything, amount, "data.test", numpy_generator(data.split_seed, "test"), leave="train")
    cut.require(train, "the training split")
    if data.train != 1.0:
        train, _ = cut(train, data.train, "data.train", numpy_generator(seed, "subset"), even=True)
    if data.imbalance is not None:
        train = thinned(train, images, dict(data.imbalance), groups, seed)

    validation = np.empty(0, dtype=np.int64)
    if data.validation and data.validation_from == "test":
        generator = numpy_generator(data.split_seed, "validation")
        validation, test = cut(test, data.validation, "data.validation", generator, leave="test")
    elif data.validation:
        generator = numpy_generator(seed, "split")
        validation, train = cut(train, data.validation, "data.validation", generator, leave="train")
    return {"train": np.sort(train), "validation": np.sort(validation), "test": np.sort(test)}


class _Cutter:
    """Cuts an amount from a pool of indices, stratum by stratum, and checks that no class is lost by it."""

    def __init__(self, images: ImageSet, groups: Indices | None) -> None:
        self.strata, self.groups = images.targets.strata(), groups
        self.classes = images.classes if isinstance(images.targets, Labels) else []
        self.number = max(len(self.classes), int(self.strata.max(initial=-1)) + 1)

    def __call__(
        self,
        pool: Indices,
        amount: int | float,
        key: str,
        generator: np.random.Generator,
        *,
        leave: str | None = None,
        even: bool = False,
    ) -> tuple[Indices, Indices]:
        """(taken, rest); ``leave`` names the split that the rest becomes; ``even``: so many of each class."""
        counts = np.bincount(self.strata[pool], minlength=self.number)
        total = len(pool) if amount == 1 else _number(amount, len(pool))
        if total > len(pool):
            raise AssayError(f"{key} asks for {total:,} images and there are {len(pool):,} to take them from")
        allot = even_allotment if even and amount > 1 and self.classes else proportional_allotment
        wanted = allot(counts, total)
        there = strata(pool, self.strata, self.number, self.groups)
        shuffled = [generator.permutation(stratum.blocks) for stratum in there]
        numbers = allot_blocks(there, wanted, generator)
        taken = sum((n * stratum.counts for n, stratum in zip(numbers, there, strict=True)), np.zeros_like(counts))
        self._check(key, amount, counts, taken, leave)
        first = [blocks[:number].ravel() for blocks, number in zip(shuffled, numbers, strict=True)]
        rest = [blocks[number:].ravel() for blocks, number in zip(shuffled, numbers, strict=True)]
        return np.concatenate(first), np.concatenate(rest)

    def _check(self, key: str, amount: int | float, counts: Indices, taken: Indices, leave: str | None) -> None:
        images = f"{counts.sum():,} images" + ("" if self.groups is None else " in whole groups (data.group)")
        if not taken.sum():
            raise AssayError(f"{key}: {amount:g} of {images} is none; that split would be empty")
        if leave and taken.sum() == counts.sum():
            raise AssayError(f"{key}: {amount:g} takes all {images}; the {leave} split would be empty")
        if not self.classes:
            return
        there = counts > 0
        for lost, split_name in ((there & (taken == 0), key.removeprefix("data.")), (there & (taken == counts), leave)):
            if split_name and lost.any():
                k = int(np.flatnonzero(lost)[0])
                raise AssayError(
                    f"{key}: {amount:g} would leave class {self.classes[k]!r} ({counts[k]:,} images"
                    f"{'' if self.groups is None else ', in whole groups'}) without any in the {split_name} split"
                )

    def require(self, pool: Indices, what: str) -> None:
        """Every class must be in ``pool``, and something at all."""
        if not len(pool):
            raise AssayError(f"there is no image in {what}")
        missing = np.flatnonzero(np.bincount(self.strata[pool], minlength=self.number) == 0)
        if self.classes and len(missing):
            raise AssayError(f"class {self.classes[missing[0]]!r} has no image in {what}")


def _check_own_split(images: ImageSet, groups: Indices) -> None:
    both = np.intersect1d(groups[images.is_test], groups[~images.is_test])
    if len(both):
        one = np.flatnonzero(groups == both[0])
        first, second = (images.names[one[images.is_test[one] == side][0]] for side in (False, True))
        raise AssayError(
            f"data.group: the source's own split has copies of {len(both):,} originals on both sides, for example "
            f"{first!r} and {second!r}; take them out of one side"
        )


def _number(amount: int | float, n: int) -> int:
    return int(amount) if amount > 1 else int(amount * n + 0.5)


def proportional_allotment(counts: Indices, total: int) -> Indices:
    """``total`` divided in proportion to ``counts`` by largest remainders (Hamilton's method), exact in sum."""
    quotas = counts * total  # in units of 1 / counts.sum(), so that no rounding decides
    whole, remainders = np.divmod(quotas, max(int(counts.sum()), 1))
    order = np.argsort(-remainders, kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return whole


def even_allotment(counts: Indices, total: int) -> Indices:
    """``total`` divided as evenly as ``counts`` allow: no class gets two fewer than another unless it has no more."""
    taken = np.zeros_like(counts)
    while (left := total - int(taken.sum())) > 0:
        open_classes = np.flatnonzero(taken < counts)
        share = left // len(open_classes)
        if share == 0:
            taken[open_classes[:left]] += 1
        else:
            taken[open_classes] += np.minimum(share, counts[open_classes] - taken[open_classes])
    return taken
