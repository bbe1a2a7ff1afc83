"""Numbers of mean 0 and deviation 1 over the training images: what a network learns in place of values in own units."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from assay.data.batches import Batch, ImageData, Split
from assay.data.targets import Values
from assay.errors import AssayError

LEAST = 1e-4
"""Of its mean, a target's deviation must be more: values come in single precision, which rounds to 6e-8 of them, and
that shall be less than a thousandth of a deviation."""


@dataclass(frozen=True, eq=False)
class Standard:
    """Mean and deviation of each target, in its own unit."""

    mean: Float64[np.ndarray, " k"]
    deviation: Float64[np.ndarray, " k"]

    def on(self, device: torch.device) -> Callable[[Float32[Tensor, "b k"]], Float32[Tensor, "b k"]]:
        """(values − mean) / deviation of values that lie on the device, without a copy for each batch."""
        mean, deviation = (torch.from_numpy(part).float().to(device) for part in (self.mean, self.deviation))
        return lambda values: (values - mean) / deviation

    def in_own_units(self, values: Float[np.ndarray, "n k"]) -> Float64[np.ndarray, "n k"]:
        """The inverse, in double precision."""
        own: Float64[np.ndarray, "n k"] = values.astype(np.float64) * self.deviation + self.mean
        return own


@dataclass(frozen=True)
class StandardSplit:
    """The batches of a split, its values standardised."""

    split: Split
    standard: Standard

    def __iter__(self) -> Iterator[Batch]:
        standardised = self.standard.on(self.split.device)
        for images, values in self.split:
            yield images, standardised(values)


def standard_of(data: ImageData) -> Standard:
    """Mean and deviation of the targets over the training images, by sums that no order of the images changes.

    Raises AssayError for images whose target is not numbers, and for a target that does not vary.
    """
    targets = values_of(data)
    values = targets.values[data.indices["train"]]
    moments = [_moments(column) for column in values.T.tolist()]
    for name, (mean, deviation) in zip(targets.names, moments, strict=True):
        if 1e-12 * abs(mean) < deviation <= LEAST * abs(mean):
            raise AssayError(
                f"target '{name}' of {data.images.source} varies by only {deviation:.3g} around {mean:.10g}, too "
                "little for single precision; take a constant off its values, such as their mean"
            )
        if deviation <= 1e-12 * abs(mean):
            raise AssayError(
                f"target '{name}' of {data.images.source} does not vary over the {len(values):,} training images "
                f"(it is {mean:g}), and there is nothing to learn; expected different numbers"
            )
    return Standard(np.array([mean for mean, _ in moments]), np.array([deviation for _, deviation in moments]))


def values_of(data: ImageData) -> Values:
    """The numbers of all images. AssayError where they have labels, say."""
    targets = data.images.targets
    if not isinstance(targets, Values):
        raise AssayError(
            f"regression needs numbers an image, and the images of {data.images.source} have {targets.kind}"
        )
    return targets


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (over n), of sums that are exact before they are rounded."""
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
