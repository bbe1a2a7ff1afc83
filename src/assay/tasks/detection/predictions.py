"""What a network says of the images of a split: boxes in the pictures' own pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64

from assay.data.batches import ImageData
from assay.tasks import rows
from assay.tasks.box_matching import Area, Detections, Matches, Objects, match
from assay.tasks.box_scores import first, map_score
from assay.tasks.box_scores import recall_score as recall_of
from assay.tasks.detection import pictures
from assay.tasks.detection.calibration import Scored, ece_score, scored, temperature, tempered
from assay.tasks.detection.columns import COLUMNS, flattened, of_edges, of_numbers, starts
from assay.tasks.detection.errors import KINDS, Errors, cost_score, errors
from assay.tasks.detection.thresholds import (
    Counted,
    chosen,
    count_error_score,
    counted,
    f1_score,
    precision_score,
    recall_score,
)
from assay.tasks.scores import Score


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network says of the images of one split, in the order of the split's indices; in the pictures' own
    pixels."""

    indices: Int64[np.ndarray, " n"]
    """Of the images in their source."""
    classes: tuple[str, ...]
    truth: Objects
    said: Detections
    """Of each image by falling score."""
    sizes: Int64[np.ndarray, "n 2"]
    """Height and width."""
    counted: Bool[np.ndarray, " detections"]
    """Of what is said, whether its score reaches the threshold of its class."""
    temperatures: Float64[np.ndarray, " n"]
    """By which the scores of each image are calibrated; nan where no validation images chose one."""
    thresholds: Float64[np.ndarray, " classes"] | None = None
    """None for predictions that were read from a table."""

    @property
    def is_finite(self) -> bool:
        """Whether all that is said is."""
        return rows.are_finite(self.said.edges, self.said.scores)

    def matches(self, area: Area = "all") -> Matches:
        """What became of the boxes, where objects of one area count."""
        if area not in self._matches:
            self._matches[area] = match(self.truth, self.said, len(self.classes), area)
        return self._matches[area]

    @property
    def above(self) -> Counted:
        """What the boxes that are counted find."""
        return counted(self.matches(), self.counted)

    @property
    def scored(self) -> Scored:
        """The boxes whose scores may be believed or not."""
        return scored(self.matches(), self.said.scores)

    @cached_property
    def errors(self) -> Errors:
        """What is wrong with the boxes that count for AP."""
        return errors(self.truth, self.said, first(self.matches()))

    def by(self, thresholds: Float64[np.ndarray, " classes"], temperature: float) -> "Predictions":
        """The same with what other images have chosen."""
        above = self.said.scores >= thresholds[self.said.labels]
        return replace(self, counted=above, thresholds=thresholds, temperatures=np.full(len(self.indices), temperature))

    def table(self, split: str, names: Sequence[str]) -> pl.DataFrame:
        """A row an image: split, image, name, truth (boxes of each class); boxes, classes and scores that are said, and
        which of them are counted; true_boxes, true_classes and their flags; temperature (null: none was chosen);
        height, width.

        Classes are numbers, in the order of ``truth``.
        """
        return pl.DataFrame(
            {
                **rows.which(split, self.indices, names),
                "truth": self._counts(),
                "boxes": of_edges(self.said.edges, self.said.starts),
                "classes": of_numbers(self.said.labels, self.said.starts),
                "scores": of_numbers(self.said.scores, self.said.starts),
                "counted": of_numbers(self.counted, self.said.starts),
                "true_boxes": of_edges(self.truth.edges, self.truth.starts),
                "true_classes": of_numbers(self.truth.labels, self.truth.starts),
                "flags": of_numbers(self.truth.flags, self.truth.starts),
                "temperature": pl.Series(self.temperatures).fill_nan(None),
                "height": self.sizes[:, 0],
                "width": self.sizes[:, 1],
            }
        )

    @classmethod
    def read(cls, table: pl.DataFrame) -> "Predictions":
        """The inverse of ``table``."""
        classes = tuple(field.name for field in table.schema["truth"].fields)  # type: ignore[attr-defined]
        flat: dict[str, Any] = {name: flattened(table[name]).astype(kind) for name, kind in COLUMNS.items()}
        said, there = (starts(table[name]) for name in ("scores", "flags"))
        return cls(
            table["image"].to_numpy().astype(np.int64),
            classes,
            Objects(flat["true_boxes"].reshape(-1, 4), flat["true_classes"], flat["flags"], there),
            Detections(flat["boxes"].reshape(-1, 4), flat["classes"], flat["scores"], said),
            table.select("height", "width").to_numpy().astype(np.int64),
            flat["counted"],
            table["temperature"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        )

    def evidence(self, metric: str) -> Score | None:
        """What ``metrics`` lists, as functions of image weights."""
        return _evidence(self, metric)

    @property
    def metrics(self) -> list[str]:
        """All that there is evidence of."""
        of_classes = [f"{prefix}_{name}" for prefix in OF_CLASS for name in self.classes]
        return [*PRECISIONS, *RECALLS, *OTHERS, "ece_tempered", *(f"error_{kind}" for kind in KINDS), *of_classes]

    def gallery(self, data: ImageData, seed: int) -> pl.DataFrame:
        """The pictures of a report: see ``pictures.gallery``."""
        assert self.thresholds is not None
        return pictures.gallery(self.truth, self.said, self.indices, self.sizes, self.thresholds, data, seed)

    @cached_property
    def _matches(self) -> dict[Area, Matches]:
        return {}

    def _counts(self) -> pl.Series:
        images = np.repeat(np.arange(len(self.indices)), np.diff(self.truth.starts))
        counts = np.zeros((len(self.indices), len(self.classes)), np.int64)
        np.add.at(counts, (images, self.truth.labels), 1)
        return pl.DataFrame(counts, schema=list(self.classes), orient="row").to_struct()


def settled(predictions: dict[str, Predictions]) -> dict[str, Predictions]:
    """The same by the thresholds and the temperature that the validation images choose, where there are any."""
    if (own := predictions.get("validation")) is None:
        return predictions
    thresholds, warmth = chosen(own.matches(), own.said.scores), temperature(own.scored)
    return {split: each.by(thresholds, warmth) for split, each in predictions.items()}


PRECISIONS: dict[str, tuple[Area, float | None]] = {
    "map": ("all", None), "map_50": ("all", 0.5), "map_75": ("all", 0.75),
    "map_small": ("small", None), "map_medium": ("medium", None), "map_large": ("large", None),
}  # fmt: skip
"""Metric → the objects that count, and the overlap from which one is found; None: the mean over COCO's ten."""
RECALLS: dict[str, tuple[Area, int]] = {
    "recall_1": ("all", 1), "recall_10": ("all", 10), "recall_100": ("all", 100),
    "recall_small": ("small", 100), "recall_medium": ("medium", 100), "recall_large": ("large", 100),
}  # fmt: skip
"""Metric → the objects that count, and how many detections an image and class."""
OF_CLASS = {"ap50": 0.5, "ap": None}
"""What a metric of one class begins with → the overlap."""
OTHERS: dict[str, Callable[[Predictions], Score]] = {
    "precision": lambda found: precision_score(found.above),
    "recall": lambda found: recall_score(found.above),
    "f1": lambda found: f1_score(found.above),
    "count_error": lambda found: count_error_score(found.above),
    "ece": lambda found: ece_score(found.scored, len(found.indices)),
}


def _evidence(found: Predictions, metric: str) -> Score | None:
    """The metric; None for one that is no property of these answers."""
    if metric in PRECISIONS:
        area, iou = PRECISIONS[metric]
        return map_score(found.matches(area), iou)
    if metric in RECALLS:
        return recall_of(found.matches(RECALLS[metric][0]), RECALLS[metric][1])
    if metric in OTHERS:
        return OTHERS[metric](found)
    if metric == "ece_tempered":
        chosen = not np.isnan(found.temperatures).any()
        return ece_score(tempered(found.scored, found.temperatures), len(found.indices)) if chosen else None
    for number, kind in enumerate(KINDS):
        if metric == f"error_{kind}":
            return cost_score(found.truth, found.said, first(found.matches()), found.errors, number)
    for prefix, iou in OF_CLASS.items():
        name = metric.removeprefix(f"{prefix}_")
        if metric != name and name in found.classes:
            return map_score(found.matches(), iou, found.classes.index(name))
    return None
