"""What a network, or several, say of one picture: boxes, in the picture's own pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from assay.data.geometry import Size, onto_source, placed
from assay.models.detector import Found
from assay.tasks.box_matching import have_extent
from assay.tasks.detection.coco import bboxes
from assay.tasks.detection.fusion import fused
from assay.tasks.detection.thresholds import THRESHOLD


@dataclass(frozen=True, eq=False)
class Prediction:
    """The boxes of one picture, by falling score."""

    picture: Path
    classes: tuple[str, ...]
    edges: Float32[np.ndarray, "boxes 4"]
    """x1, y1, x2, y2 of pixels' edges."""
    labels: Int64[np.ndarray, " boxes"]
    scores: Float32[np.ndarray, " boxes"]
    thresholds: tuple[float, ...]
    """The score of each class from which a box is shown."""
    size: Size
    """Height and width of the picture."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What is drawn of it → the name of the file."""

    @property
    def shown(self) -> "Prediction":
        """The boxes that reach the threshold of their class."""
        return self._only(self.scores >= np.array(self.thresholds, np.float32)[self.labels])

    @property
    def cells(self) -> dict[str, str]:
        """Heading → text: how many boxes of each class are shown, the most frequent first."""
        counts = np.bincount(self.shown.labels, minlength=len(self.classes))
        order = [i for i in np.argsort(-counts, kind="stable") if counts[i]]
        said = ", ".join(f"{counts[i]} {self.classes[i]}" for i in order)
        best = f"{self.scores[0]:.3f}" if len(self.scores) else ""
        return {"picture": str(self.picture), "boxes": said or "none", "highest score": best}

    @property
    def record(self) -> dict[str, Any]:
        """picture, height, width, boxes: those shown, each with class, score and bbox (x, y, width, height); files,
        where it is drawn."""
        shown = self.shown
        rows = zip(shown.labels, shown.scores.tolist(), bboxes(shown.edges), strict=True)
        boxes = [{"class": self.classes[label], "score": score, "bbox": bbox} for label, score, bbox in rows]
        height, width = self.size
        found = {"picture": str(self.picture), "height": height, "width": width, "boxes": boxes}
        return found | ({"files": dict(self.files)} if self.files else {})

    def _only(self, rows: np.ndarray) -> "Prediction":
        return replace(self, edges=self.edges[rows], labels=self.labels[rows], scores=self.scores[rows])


def told(answers: Sequence[Found], pictures: Sequence[Path], about: Mapping[str, Any]) -> list[Prediction]:
    """What is said of each picture, without boxes that lie beside it on the canvas.

    ``about`` may have the pictures' own ``sizes`` and how they ``fit`` the canvas; without, they are as large as the
    canvas, the ``shape`` of the run's images.
    """
    classes, canvas = tuple(about["classes"]), tuple(about["shape"][1:])
    sizes = about.get("sizes", [canvas] * len(pictures))
    measured = about.get("measured", {})
    thresholds = tuple(measured.get(f"threshold_{name}", THRESHOLD) for name in classes)
    found = []
    for picture, size, said in zip(pictures, sizes, answers, strict=True):
        scale, offset = placed(np.array([size]), canvas, about.get("fit", "stretch"))
        many = (len(said.scores), 1)
        own = onto_source(said.edges.numpy(), np.tile(scale, many), np.tile(offset, many))
        edges = np.clip(own, 0, np.tile(size[::-1], 2)).astype(np.float32)
        inside = have_extent(edges)
        labels, scores = said.labels.numpy()[inside], said.scores.float().numpy()[inside]
        found.append(Prediction(picture, classes, edges[inside], labels, scores, thresholds, tuple(size)))
    return found


def together(said: Sequence[Prediction]) -> Prediction:
    """The boxes of several networks, fused (``fusion.fused``); a class is shown from the mean of their thresholds."""
    edges, labels, scores = fused([(one.edges, one.labels, one.scores) for one in said])
    thresholds = np.mean([one.thresholds for one in said], axis=0).tolist()
    return replace(said[0], edges=edges, labels=labels, scores=scores, thresholds=tuple(thresholds))
