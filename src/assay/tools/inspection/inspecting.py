"""Source → inspection: opened as a recipe opens it, and everything there is to say about it."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int64

from assay.data import ImageSet, open_images, split
from assay.data.boxes import Boxes
from assay.data.groups import group_numbers
from assay.data.targets import Labels, Masks
from assay.errors import AssayError
from assay.recipe import Data
from assay.tools.inspection.canvas import on_one_canvas
from assay.tools.inspection.copies import Copies, Progress, find_copies
from assay.tools.inspection.labels import conflicts, most_doubtful, sample_scores
from assay.tools.inspection.leaks import Leak, leak
from assay.tools.inspection.originals import propose, propose_films
from assay.tools.inspection.truth import alike

Indices = Int64[np.ndarray, " _"]


@dataclass(frozen=True, eq=False)
class Grouping:
    """Originals told apart by a pattern on the file names."""

    pattern: str
    given: bool
    """By the user; else the names suggested it."""
    numbers: Indices

    @cached_property
    def sizes(self) -> Indices:
        """Copies of each original."""
        return np.bincount(self.numbers)


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found out about a source."""

    data: Data
    images: ImageSet
    copies: Copies
    alike: Indices
    """A number for each image, the same where the same is true of them: the label, where there is one."""
    scores: Indices | None
    """The sample score of each image, by its pixels; None where images have no labels."""
    grouping: Grouping | None
    own_split: Leak | None
    """Of the source's own test split; None without one."""
    random_split: Leak | None
    """Of the test images that a recipe without ``group`` holds out of a source without a test split."""
    grouped_split: Leak | None
    """The same with the ``group`` given or proposed."""
    chosen: bool
    """Whether the threshold of near copies was chosen from the data."""
    not_split: str | None = field(default=None)
    """Why a source without a test split cannot be split."""
    suspects: pl.DataFrame | None = None
    """Labelled boxes that a finished run speaks against; None where none was asked."""

    @property
    def has_test(self) -> bool:
        """Whether the source has a test split of its own."""
        return bool(self.images.is_test.any())

    @cached_property
    def crossing(self) -> Int64[np.ndarray, "m 2"]:
        """Pairs of copies that the grouping takes for different originals."""
        pairs = self.copies.pairs
        if self.grouping is None:
            return pairs[:0]
        numbers = self.grouping.numbers
        return np.asarray(pairs[numbers[pairs[:, 0]] != numbers[pairs[:, 1]]])

    @cached_property
    def conflicts(self) -> Int64[np.ndarray, "m 2"]:
        """Pairs of copies of which different things are true; of masks and boxes, which differ as pictures do, only
        pairs that are equal in every pixel."""
        found = conflicts(self.copies, self.alike)
        return found[self.copies.equal(*found.T)] if isinstance(self.images.targets, Masks | Boxes) else found

    @cached_property
    def doubtful(self) -> Indices:
        """Images with a negative score, the most doubtful first."""
        return np.empty(0, np.int64) if self.scores is None else most_doubtful(self.copies, self.scores)

    @cached_property
    def agreement(self) -> float:
        """Share of the images whose nearest image has their label; nothing of images without labels."""
        return float("nan") if self.scores is None else float((self.scores > 0).mean())

    @cached_property
    def chance(self) -> float:
        """What ``agreement`` would be without any likeness within classes."""
        counts = np.bincount(self.alike)
        n = len(self.images)
        return float((counts * (counts - 1)).sum() / (n * (n - 1)))


def inspect(
    data: Data,
    root: Path,
    *,
    near: float | None = None,
    decoding: Progress | None = None,
    searching: Progress | None = None,
) -> Inspection:
    """Look at a source: copies, leaks, and of labels the doubtful ones.

    Args:
        data: what says where the images and what is true of them come from, ``size``, ``fit``, ``color``, ``group`` and
            ``on_bad_image`` are read.
        root: the data root.
        near: largest closeness of a near copy (``assay.tools.inspection.copies``); None chooses it from the data.
        decoding: called with (images done, images to do).
        searching: called with (rows done, rows to do).

    Raises:
        AssayError: the source is missing, bad or of one picture, ``group`` matches no name, or ``near`` is not between
            0 and 1.
    """
    if near is not None and not 0 <= near < 1:
        raise AssayError(f"near: found {near:g}, expected a share of the distance to the 50th neighbour, 0 to below 1")
    data = on_one_canvas(data, root)
    images = open_images(data, root, decoding)
    if len(images) < 2:
        raise AssayError(f"{images.source} has 1 picture, which is held against no other; expected 2 at least")
    given = None if data.group is None else Grouping(data.group, True, group_numbers(data.group, images.names))
    copies = find_copies(images.pixels, near, searching)
    same = alike(images)
    grouping = given or _proposed(images, copies)
    numbers = None if grouping is None else grouping.numbers
    own = random = grouped = reason = None
    if images.is_test.any():
        own = leak(images, copies, np.flatnonzero(images.is_test), np.flatnonzero(~images.is_test), numbers, same)
    else:
        try:
            random = _of_random_split(data, None, images, copies, numbers, same)
            if grouping is not None:
                grouped = _of_random_split(data, grouping.pattern, images, copies, numbers, same)
        except AssayError as error:
            reason = str(error)
    scores = sample_scores(copies, same) if isinstance(images.targets, Labels) else None
    return Inspection(data, images, copies, same, scores, grouping, own, random, grouped, near is None, reason)


def _proposed(images: ImageSet, copies: Copies) -> Grouping | None:
    nearest = copies.neighbors[:, 0]
    labels = images.targets.values if isinstance(images.targets, Labels) else np.zeros(len(images), np.int64)
    pattern = propose(images.names, nearest, labels)
    if isinstance(images.targets, Masks):
        pattern = propose_films(images.names, nearest) or pattern
    return None if pattern is None else Grouping(pattern, False, group_numbers(pattern, images.names))


def _of_random_split(
    data: Data, group: str | None, images: ImageSet, copies: Copies, numbers: Indices | None, same: Indices
) -> Leak:
    """Of the test images that a recipe with every other default holds out."""
    validation = None if images.is_validation is not None else 0
    cut = split(Data(source=data.source, group=group, validation=validation), images, seed=0)
    return leak(images, copies, cut["test"], np.append(cut["train"], cut["validation"]), numbers, same)


def split_names(found: Inspection) -> list[str]:
    """The split of each image in the source: training, validation or test, or all."""
    images = found.images
    if not found.has_test and images.is_validation is None:
        return ["all"] * len(images)
    names = np.where(images.is_test, "test", "training")
    return list(
        map(str, names if images.is_validation is None else np.where(images.is_validation, "validation", names))
    )
