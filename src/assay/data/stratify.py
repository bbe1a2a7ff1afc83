"""What a split keeps in proportion where an image has more than one label, or none."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

BINS, LEAST = 10, 10
"""So many bins of numbers at most; so many images in each at least."""


def rarest(present: Bool[np.ndarray, "n k"]) -> Int64[np.ndarray, " n"]:
    """Of the classes present in an image the one that is present in the fewest, of equals the first; k for none."""
    by_rarity = np.argsort(present.sum(axis=0), kind="stable")
    ordered = np.column_stack([present[:, by_rarity], np.ones(len(present), dtype=bool)])
    found: Int64[np.ndarray, " n"] = np.append(by_rarity, len(by_rarity)).astype(np.int64)[ordered.argmax(axis=1)]
    return found


def quantile_bins(values: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """Which tenth of all images a number is in; a wider share where a tenth would hold less than 10.

    Equal numbers share a bin, that of the one in their middle.
    """
    bins = max(1, min(BINS, len(values) // LEAST))
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    below = (np.cumsum(counts) - counts / 2) / max(len(values), 1)
    return (below * bins).astype(np.int64)[which]
