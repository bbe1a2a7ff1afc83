"""Two runs on the same test images: how far apart they are, and whether that could be chance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Int64

from assay.results.statistics.evidence import bootstrap, swap
from assay.results.statistics.intervals import bootstrap_accuracy_difference, mcnemar
from assay.tasks.scores import MeanScore, Score

Groups = Int64[np.ndarray, " images"]
Method = Literal[
    "bootstrap over test images, McNemar", "bootstrap over test images, swaps", "bootstrap over originals, swaps"
]


class Tested(NamedTuple):
    """A metric of a minus that of b, the ends of its 95 % interval over images, a two-sided p, and how they came."""

    difference: float
    low: float | None
    high: float | None
    p: float | None
    method: Method


@dataclass(frozen=True)
class Answers:
    """What one run says of its test images."""

    table: pl.DataFrame
    """A row an image, with its number in the source (``image``) and its name."""
    truth: Sequence[str]
    """The columns that say what is true of an image."""
    evidence: Callable[[pl.DataFrame], Score | None]
    """From rows of the table to the metric as a function of their weights; None where it is none."""
    group: Callable[[Sequence[str]], Groups] | None = None
    """From names of images to numbers of their originals, where some are copies."""


def tested(a: Answers, b: Answers) -> Tested | None:
    """The difference between two runs; None where they were not tested on the same images, or the metric is no property
    of answers.

    The images (with copies: their originals) are drawn with replacement for the interval. p is that of McNemar's exact
    test where an image is either right or wrong and stands for itself, else that of exchanging the two runs' answers.
    """
    keys = ["image", "name", *a.truth]
    first, second = a.table.sort("image"), b.table.sort("image")
    if not first.height or not first.select(keys).equals(second.select(keys)):
        return None
    scores = (a.evidence(first), b.evidence(second), a.evidence(pl.concat([first, second])))
    one, other, both = scores
    if one is None or other is None or both is None:
        return None
    groups = None if a.group is None else a.group(first["name"].to_list())
    return compared(one, other, both, first.height, groups)


def compared(one: Score, other: Score, both: Score, images: int, groups: Groups | None = None) -> Tested | None:
    """The same from the two metrics and that of both runs' answers, those of ``one`` first; None where a metric does
    not exist for these images."""
    if groups is None and isinstance(one, MeanScore) and isinstance(other, MeanScore) and one.is_share:
        right, also = one.values.astype(bool), other.values.astype(bool)
        difference, low, high = bootstrap_accuracy_difference(right, also)
        p: float | None = mcnemar(right, also)
        method: Method = "bootstrap over test images, McNemar"
    else:
        difference, low, high = bootstrap(one, other, images, groups)
        p = swap(both, images, groups)
        method = f"bootstrap over {'test images' if groups is None else 'originals'}, swaps"  # type: ignore[assignment]
    return None if difference is None else Tested(difference, low, high, p, method)
