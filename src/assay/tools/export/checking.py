"""Whether an exported file answers as torch does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from torch import Tensor

from assay.models.detector import Found
from assay.tasks.classification.losses import probabilities
from assay.tools.answering import Pixels
from assay.tools.export.graph import Graph

TOLERANCE = 1e-4
"""A larger difference between outputs is told as one."""
IMAGES = 100
"""Of the test images so many are asked, evenly spread."""


@dataclass(frozen=True)
class Checked:
    """An exported file against torch, on the same pictures."""

    images: int
    largest: dict[str, float]
    """Output → the largest absolute difference of its numbers; of boxes as a share of the images' longer side."""
    same: float
    """The share of equal answers: of images, of their pixels where these are what is answered."""

    @property
    def agrees(self) -> bool:
        """Whether no output differs by more than ``TOLERANCE``."""
        return max(self.largest.values()) <= TOLERANCE

    @property
    def in_words(self) -> str:
        """In a sentence, and another where they do not agree."""
        largest = ", ".join(
            f"{off:.1e} ({name}{', as a share of the longer side' if name == 'boxes' else ''})"
            for name, off in self.largest.items()
        )
        told = f"against torch on {self.images:,} test images: largest difference {largest}"
        told += f", same answers {100 * self.same:.4g} %"
        return told if self.agrees else f"{told}; the difference is above {TOLERANCE:g}"


@dataclass(frozen=True)
class Side:
    """A network in one of two forms."""

    graph: Graph
    """Its outputs …"""
    ask: Callable[[Pixels], Any]
    """… and the task's answers."""


def checked(task: str, names: Sequence[str], own: Side, file: Side, pixels: Pixels, size: int) -> Checked:
    """The outputs called ``names`` and the answers of a file against torch's own, ``size`` pictures at a time."""
    largest, same = dict.fromkeys(names, 0.0), list[np.ndarray]()
    for start in range(0, len(pixels), size):
        part = pixels[start : start + size]
        for name, one, other in zip(names, own.graph(part), file.graph(part), strict=True):
            off = (one - other).abs().max().item()
            largest[name] = max(largest[name], off / max(part.shape[2:]) if name == "boxes" else off)
        same.append(equal(task, own.ask(part), file.ask(part)))
    return Checked(len(pixels), largest, float(np.concatenate(same).mean()))


def equal(task: str, one: Any, other: Any) -> np.ndarray:
    """Of each image whether two answers to it are the same, or which share of its pixels is in the same class."""
    match task:
        case "detection":
            return np.array([are_same(*pair) for pair in zip(one, other, strict=True)], float)
        case "classification":
            found: Tensor = probabilities(one).argmax(dim=1) == probabilities(other).argmax(dim=1)
        case "multilabel":
            found = ((one > 0) == (other > 0)).all(dim=1)
        case "segmentation":
            found = (one.argmax(dim=1) == other.argmax(dim=1)).flatten(1).float().mean(dim=1)
        case _:
            found = ((one - other).abs() <= TOLERANCE).all(dim=1)
    return found.double().numpy()


def are_same(one: Found, other: Found) -> bool:
    """Whether every box has a partner of its own: of the same class, within a tenth of a pixel, with a score within
    ``TOLERANCE``. In whatever order, which between nearly equal scores follows their last bits."""
    fit = one.labels[:, None] == other.labels
    for a, b, off in ((one.edges, other.edges, 0.1), (one.scores[:, None], other.scores[:, None], TOLERANCE)):
        fit &= ((a[:, None] - b).abs() <= off).all(dim=2)
    partners = maximum_bipartite_matching(csr_array(fit.numpy()))
    return len(one.labels) == len(other.labels) and bool((partners >= 0).all())
