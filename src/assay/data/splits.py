"""Which image trains, which validates, which tests: stratified, exact in number, a function of the seeds alone.

Stratified by the label; where there is none, by what stands for it: see ``Targets.strata``. Only of a label must each
split have some images, and a number of images is shared out evenly only over labels.

The test split comes first and depends on ``data.split_seed``: all runs of a study are tested on the same images. Then
the training split is reduced to ``data.train`` (the same share of every class, or as many of each), then the classes
of ``data.imbalance`` are thinned, by the run's seed both, and last the validation images are cut, from what is left of
the training split by the run's seed, or from the test split by ``data.split_seed``. So the test images always have
their natural mix, and validation images have the mix of the split that they are cut from. A source with a validation
split of its own keeps it whole, unless ``data.validation`` asks for an amount: then its images are training ones.
Every class draws its own permutation, of which an amount is a prefix: a smaller amount is a subset of a larger one.

With ``data.group`` all copies of an original go the same way. The numbers are then as close to what is asked as whole
groups allow: within the size of the largest one.
"""

from itertools import combinations

import numpy as np

from assay.data.groups import Indices, allot_blocks, group_numbers, strata
from assay.data.images import ImageSet
from assay.data.imbalance import thinned
from assay.data.targets import Labels
from assay.errors import AssayError, enumerated, quoted
from assay.language.script import as_name
from assay.language.speech import say
from assay.recipe import Data
from assay.seeds import numpy_generator

_HELD_OUT, _VALIDATING = 0.2, 0.1
"""Shares of what there is, for test and validation, where the recipe states none."""


def split(data: Data, images: ImageSet, seed: int) -> dict[str, Indices]:
    """Sorted, disjoint indices of ``train``, ``validation`` (may be empty) and ``test``.

    Raises:
        AssayError: an amount is more than there is, or leaves a split or a class of it without images, or copies of one
            original lie on both sides of the source's own split and ``data.group_across`` does not allow it, or
            ``data.imbalance`` names no class or leaves none, or it or ``data.balance`` is asked of images without
            labels.
    """
    if data.balance != "none":
        images.labels_for("data.balance")
    groups = None if data.group is None else group_numbers(data.group, images.names)
    sides = own_splits(data, images)
    if groups is not None and data.group_across == "refused":
        _check_own_splits(images, groups, sides)
    cut = _Cutter(images, groups)
    if len(sides["test"]):
        test, train = sides["test"], sides["train"]
        if data.test is not None:
            test, _ = cut(test, data.test, "data.test", numpy_generator(data.split_seed, "test"))
    else:
        amount = _HELD_OUT if data.test is None else data.test
        generator = numpy_generator(data.split_seed, "test")
        test, train = cut(sides["train"], amount, "data.test", generator, leave="train")
    cut.require(train, "the training split")
    if data.train != 1.0:
        train, _ = cut(train, data.train, "data.train", numpy_generator(seed, "subset"), even=True)
    if data.imbalance is not None:
        cut.raise_lost()
        train = thinned(train, images, dict(data.imbalance), groups, seed)

    validation = sides["validation"]
    amount = _VALIDATING if data.validation is None else data.validation
    if amount and not len(validation):
        if data.validation_from == "test":
            generator = numpy_generator(data.split_seed, "validation")
            validation, test = cut(test, amount, "data.validation", generator, leave="test")
        else:
            generator = numpy_generator(seed, "split")
            validation, train = cut(train, amount, "data.validation", generator, leave="train")
    cut.raise_lost()
    return {"train": np.sort(train), "validation": np.sort(validation), "test": np.sort(test)}


def own_splits(data: Data, images: ImageSet) -> dict[str, Indices]:
    """The source's own ``train``, ``validation`` and ``test`` images, as far as the recipe leaves them apart.

    Its validation images are among the training ones where the recipe says what validates.
    """
    validates = np.zeros(len(images), dtype=bool)
    if images.is_validation is not None and data.validation is None and data.validation_from == "train":
        validates = images.is_validation
    trains = ~validates & ~images.is_test
    return {
        name: np.flatnonzero(side)
        for name, side in (("train", trains), ("validation", validates), ("test", images.is_test))
    }


class _Cutter:
    """Cuts an amount from a pool of indices, stratum by stratum, and notes which classes are lost by it."""

    def __init__(self, images: ImageSet, groups: Indices | None) -> None:
        self.strata, self.groups = images.targets.strata(), groups
        self.classes = images.classes if isinstance(images.targets, Labels) else []
        self.number = max(len(self.classes), int(self.strata.max(initial=-1)) + 1)
        self.lost = np.zeros(self.number, dtype=bool)
        """The classes that some split would be without."""
        self.mistakes: list[str] = []
        """Which they are, and why: a sentence for each cut."""

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
            new = np.flatnonzero(lost & ~self.lost)
            if split_name and len(new):
                self.lost |= lost
                whole = "" if self.groups is None else ", in whole groups"
                each = [f"{self.classes[k]!r} ({counts[k]:,} images{whole})" for k in new]
                self.mistakes.append(
                    f"{key}: {amount:g} would leave class {enumerated(each)} without any in the {split_name} split"
                )

    def require(self, pool: Indices, what: str) -> None:
        """Something must be in ``pool``, and of every class; the classes that a cut has lost already are known."""
        if not len(pool):
            raise AssayError(f"there is no image in {what}")
        missing = np.flatnonzero((np.bincount(self.strata[pool], minlength=self.number) == 0) & ~self.lost)
        if self.classes and len(missing):
            self.mistakes.append(f"class {quoted([self.classes[k] for k in missing])} has no image in {what}")

    def raise_lost(self) -> None:
        """Raise AssayError for all the classes that some split would be without, at once."""
        if self.mistakes:
            raise AssayError("; ".join(self.mistakes))


def _check_own_splits(images: ImageSet, groups: Indices, sides: dict[str, Indices]) -> None:
    for one, other in combinations(sides.values(), 2):
        both = np.intersect1d(groups[one], groups[other])
        if len(both):
            first, second = (images.names[side[groups[side] == both[0]][0]] for side in (one, other))
            raise AssayError(
                f"data.group: the source's own split has copies of {len(both):,} originals on both sides, for example "
                f"{first!r} and {second!r}; take them out of one side, or state data.group_across: allowed"
            )


def crossing(data: Data, images: ImageSet) -> list[str]:
    """How many images of the source's own test and validation splits are of originals that are trained on, a sentence
    where ``data.group_across`` allows that and there are some."""
    if data.group is None or data.group_across == "refused":
        return []
    groups, sides = group_numbers(data.group, images.names), own_splits(data, images)
    known = {name: int(np.isin(groups[side], groups[sides["train"]]).sum()) for name, side in sides.items()}
    told = [
        say("{n:,} of {all:,} {split}", n=known[name], all=len(sides[name]), split=say(name))
        for name in ("test", "validation")
        if known[name]
    ]
    if not told:
        return []
    return [
        say(
            "{sides} images of {source} are of originals that are trained on too (data.group, in its own split): "
            "measured on them, remembering is rewarded",
            sides=say(" and ").join(told),
            source=as_name(images.source),
        )
    ]


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
