"""What every index is: a mean over samples, with what chance alone would give and how sure it is."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

LEVEL_QUANTILE = 1.959963984540054
"""Of the normal distribution, for intervals of 95 %."""


@dataclass(frozen=True, eq=False)
class Index:
    """A mean of values between 0 and 1, one for each sample; ``float(index)`` is the mean."""

    name: str
    value: float
    interval: tuple[float, float]
    """95 %; see ``wilson`` for what it assumes."""
    chance: float
    """The expected value if the labels (or targets) were dealt out at random, each as often as it occurs."""
    per_class: dict[int, float]
    """The mean over the samples of each class; empty for continuous targets."""
    per_sample: Float64[np.ndarray, " n"]

    def __float__(self) -> float:
        """The value."""
        return self.value

    def __repr__(self) -> str:
        """For example ``separation 0.9883 [0.9822, 0.9923], chance 0.0998``."""
        low, high = self.interval
        return f"{self.name} {self.value:.4f} [{low:.4f}, {high:.4f}], chance {self.chance:.4f}"


def index(
    name: str, values: Float64[np.ndarray, " n"], chance: float, y: Int64[np.ndarray, " n"] | None = None
) -> Index:
    """The index whose value for each sample is in ``values``, for samples with the labels ``y``."""
    mean = float(values.mean())
    return Index(name, mean, wilson(mean, len(values)), chance, {} if y is None else _per_class(values, y), values)


def wilson(mean: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (JASA 22, 1927), for ``n`` samples taken as independent.

    Also holds, on the wide side, for the mean of values between 0 and 1 that are not only 0 or 1, because their
    variance is at most mean · (1 − mean). Samples share neighbours, so they are not quite independent; and the interval
    speaks of other samples under the same network, not of training again.
    """
    z2 = LEVEL_QUANTILE**2
    middle = (mean + z2 / (2 * n)) / (1 + z2 / n)
    half = LEVEL_QUANTILE * math.sqrt(max(mean * (1 - mean), 0.0) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, min(middle - half, mean)), min(1.0, max(middle + half, mean))


def _per_class(values: Float64[np.ndarray, " n"], y: Int64[np.ndarray, " n"]) -> dict[int, float]:
    classes, place = np.unique(y, return_inverse=True)
    means = np.bincount(place, values) / np.bincount(place)
    return {int(c): float(mean) for c, mean in zip(classes, means, strict=True)}
