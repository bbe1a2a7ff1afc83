"""What each of several devices takes of every batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from jaxtyping import Int64

Places = slice | Int64[np.ndarray, " n"]
"""Of an epoch's order."""


@dataclass(frozen=True)
class Own:
    """A share of the batches of an epoch."""

    places: Places
    sizes: list[int]
    """Of its parts of the batches."""


@dataclass(frozen=True)
class Share:
    """Neighbouring images of every batch, as many as other devices have, or one more or less."""

    number: int = 0
    """Of the device, from 0."""
    of: int = 1
    """Devices."""

    def size(self, batch: int) -> int:
        """Its images of a batch of so many."""
        return len(self._within(batch))

    def own(self, sizes: Sequence[int], before: bool = False) -> Own:
        """Its places in batches of these sizes; ``before``: and before each part the image before it in its batch,
        before the first the last."""
        if self.of == 1:
            return Own(slice(None), list(sizes))
        parts = []
        for start, size in zip(accumulate(sizes, initial=0), sizes, strict=False):
            within = self._within(size)
            parts.append([start + place % size for place in range(within.start - before, within.stop)])
        return Own(np.array([place for part in parts for place in part], np.int64), [*map(len, parts)])

    def _within(self, batch: int) -> range:
        return range(batch * self.number // self.of, batch * (self.number + 1) // self.of)


WHOLE = Share()
