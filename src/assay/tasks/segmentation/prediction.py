"""What a network says of the pixels of one picture, in the picture's own pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from assay.data.geometry import Size
from assay.data.palette import Colour, colours_of, palette
from assay.tasks.segmentation.own_pixels import Map, labels_and_entropies, part


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the network says of the pixels of one picture."""

    picture: Path
    classes: tuple[str, ...]
    logs: Map
    """Log-probabilities on the part of the canvas where the picture lies."""
    size: Size
    """Of the picture itself, to which ``logs`` are brought by bilinear interpolation."""
    temperature: float = 1.0
    """Divides the logarithms before the entropy, as the run's validation images ask; no label changes by it."""
    stated: list[Colour] | None = None
    """The colours that the source gives its classes."""

    @property
    def labels(self) -> UInt8[np.ndarray, "height width"]:
        """The most probable class of each pixel, of equals the first."""
        return self._own[0]

    @property
    def entropy(self) -> Float32[np.ndarray, "height width"]:
        """−Σ p·log p of each pixel, in nats."""
        return self._own[1]

    @cached_property
    def _own(self) -> tuple[UInt8[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
        return labels_and_entropies(self.logs, self.size, self.temperature)

    @property
    def colours(self) -> UInt8[np.ndarray, "classes 3"]:
        """Of the classes."""
        return palette(self.classes, self.stated)

    @property
    def areas(self) -> dict[str, float]:
        """Class → its share of the pixels."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.classes))
        return dict(zip(self.classes, (counts / counts.sum()).tolist(), strict=True))

    @property
    def cells(self) -> dict[str, str]:
        """Heading → text: the classes that are said, the largest area first."""
        areas = self.areas
        largest = sorted((name for name in areas if areas[name]), key=lambda name: -areas[name])
        shown = ", ".join(f"{name} {100 * areas[name]:.1f} %" for name in largest)
        return {"picture": str(self.picture), "areas": shown, "mean entropy": f"{self.entropy.mean():.3f}"}

    @property
    def record(self) -> dict[str, Any]:
        """picture, areas (class → share of the pixels), entropy (its mean over the pixels, in nats)."""
        return {"picture": str(self.picture), "areas": self.areas, "entropy": float(self.entropy.mean())}


def told(
    answers: Float32[Tensor, "batch classes height width"], pictures: Sequence[Path], about: Mapping[str, Any]
) -> list[Prediction]:
    """What is said of each picture. ``about`` may have the pictures' own ``sizes`` and how they ``fit`` the canvas;
    without, they are as large as the canvas."""
    canvas = answers.shape[2], answers.shape[3]
    sizes = about.get("sizes", [canvas] * len(pictures))
    temperature = about.get("measured", {}).get("temperature", 1.0)
    found = []
    for picture, size, logits in zip(pictures, sizes, answers, strict=True):
        logs = part(logits, size, about.get("fit", "stretch")).log_softmax(dim=0)
        found.append(Prediction(picture, tuple(about["classes"]), logs, tuple(size), temperature, colours_of(about)))
    return found


def together(said: Sequence[Prediction]) -> Prediction:
    """The mean of the probabilities, each by its own temperature."""
    calibrated = torch.stack([(one.logs / one.temperature).log_softmax(dim=0) for one in said])
    return replace(said[0], logs=calibrated.exp().mean(dim=0).log(), temperature=1.0)
