"""Which answers about single labels the pictures of a report show."""

import numpy as np
from jaxtyping import Bool, Float32, Int64

from assay.tasks.pictures import COUNT

Chosen = Int64[np.ndarray, "k 2"]
"""(row of the image, column of the label)."""


def chosen(
    truth: Bool[np.ndarray, "n labels"], said: Bool[np.ndarray, "n labels"], chances: Float32[np.ndarray, "n labels"]
) -> dict[str, Chosen]:
    """Up to 25 answers of each kind: "false_alarm" has the labels with the highest probabilities that are said and not
    there, "miss" those with the lowest that are there and not said, "unsure" those nearest to a half, right or wrong.

    Of equals the first image and label. An image may be there with several labels, and of several kinds.
    """
    return {
        "false_alarm": _first(said & ~truth, -chances),
        "miss": _first(truth & ~said, chances),
        "unsure": _first(np.ones_like(truth), np.abs(chances - 0.5)),
    }


def _first(which: Bool[np.ndarray, "n labels"], order: Float32[np.ndarray, "n labels"]) -> Chosen:
    """Those of ``which`` with the lowest ``order``."""
    there = np.argwhere(which)
    return there[np.argsort(order[which], kind="stable")][:COUNT]
