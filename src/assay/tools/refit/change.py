"""What one network says of a split, and what another one says of the same images: right answers gained and lost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assay.results.comparing.compare import ALPHA
from assay.results.comparing.comparison import Decision
from assay.results.statistics import intervals
from assay.results.statistics.answers import Groups, compared
from assay.tasks.classification.predictions import Predictions
from assay.tasks.scores import mean_score
from assay.uncertainty.measures import calibration_error, negative_log_likelihood


@dataclass(frozen=True)
class Standing:
    """How good one network's answers on a split are."""

    images: int
    accuracy: float
    nll: float
    """Mean of −log p(label), in nats."""
    ece: float
    """Expected calibration error in 15 bins, from 0 to 1."""


@dataclass(frozen=True)
class Change:
    """What became of the answers on the same images from one network to another; the difference is after minus before.

    (gained − forgotten) / images is the difference.
    """

    gained: int
    """Images that were wrong and are right."""
    forgotten: int
    """Images that were right and are wrong."""
    gained_per_class: tuple[int, ...]
    forgotten_per_class: tuple[int, ...]
    difference: float
    """Of the accuracies."""
    low: float | None = None
    """End of the paired 95 % bootstrap interval over images; None for images that the networks were trained on."""
    high: float | None = None
    p: float | None = None
    """Of McNemar's test, or with copies that of exchanging the answers to whole originals …"""
    p_holm: float | None = None
    """… and corrected for the comparisons made."""
    decided: Decision = "cannot tell"
    """Better or worse where the corrected p is below 0.05 and the interval excludes 0."""


def standing(of: Predictions) -> Standing:
    """The quality of a network's answers."""
    accuracy = float(of.right.mean())
    nll, ece = (measure(of.probabilities, of.labels) for measure in (negative_log_likelihood, calibration_error))
    return Standing(len(of.labels), accuracy, nll, ece)


def change(before: Predictions, after: Predictions) -> Change:
    """The images gained and forgotten, counted and not yet judged."""
    was, now = before.right, after.right
    classes = before.probabilities.shape[1]
    gained, forgotten = (np.bincount(before.labels[each], minlength=classes) for each in (now & ~was, was & ~now))
    sums = int(gained.sum()), int(forgotten.sum())
    return Change(*sums, tuple(gained.tolist()), tuple(forgotten.tolist()), (sums[0] - sums[1]) / len(was))


def judged(pairs: Sequence[tuple[Predictions, Predictions]], groups: Groups | None = None) -> list[Change]:
    """The changes of several pairs (before, after) on images that taught none of them, p corrected for their number.

    ``groups`` numbers the originals of the images, where some are copies.
    """
    found = []
    for before, after in pairs:
        both = mean_score(np.concatenate([after.right, before.right]))
        one = compared(mean_score(after.right), mean_score(before.right), both, len(before.labels), groups)
        counted = change(before, after)
        found.append(counted if one is None else replace(counted, low=one.low, high=one.high, p=one.p))
    corrected = intervals.holm([c.p for c in found if c.p is not None])
    return [_decide(replace(c, p_holm=float(p))) for c, p in zip(found, corrected, strict=True)]


def _decide(c: Change) -> Change:
    if c.p_holm is None or c.low is None or c.high is None or c.p_holm >= ALPHA or c.low <= 0 <= c.high:
        return c
    return replace(c, decided="better" if c.low > 0 else "worse")
