"""What a network that ignores its images can reach: the level of chance of a metric, from the test truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from assay.language.speech import later, say


@dataclass(frozen=True)
class Chance:
    """A metric of one answer, the same for every image: the one that is best in this metric."""

    value: float
    """In the metric's own unit."""
    guess: str
    """What is answered: ``guessing the largest class``."""
    balanced: str = ""
    """The metric, where there is one, in which a frequent class lends such an answer nothing: what is no better than
    chance here has learned something all the same if it is better there."""

    parts: Mapping[str, object] = field(default_factory=dict)
    """For the placeholders of ``guess``."""

    @property
    def said(self) -> str:
        """The guess in the language of the page."""
        return say(self.guess, **self.parts)


AT_RANDOM = later("guessing at random")


def entropy(shares: Float64[np.ndarray, "*shape"]) -> float:
    """−Σ p·log p in nats; a share of 0 adds nothing."""
    there = shares[shares > 0]
    return float(-(there * np.log(there)).sum())
