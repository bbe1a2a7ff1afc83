"""What a network says of the images of a split: boxes in the pictures' own pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Float64, Int64

from assay.data.batches import ImageData
from assay.tasks import rows
from assay.tasks.box_scores import Detections, Matches, Objects, map_score, match
from assay.tasks.detection import pictures
from assay.tasks.scores import Score

OVERALL: dict[str, float | None] = {"map": None, "map_50": 0.5, "map_75": 0.75}
"""Metric → the overlap from which a box is found; None: the mean over all that COCO asks for."""

THRESHOLD = 0.5
"""Of every class where no validation images choose them."""


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
    thresholds: Float64[np.ndarray, " classes"] | None = None
    """None for predictions that were read from a table."""

    @property
    def is_finite(self) -> bool:
        """Whether all that is said is."""
        return rows.are_finite(self.said.edges, self.said.scores)

    @cached_property
    def matches(self) -> Matches:
        """What became of the boxes."""
        return match(self.truth, self.said, len(self.classes))

    def by(self, thresholds: Float64[np.ndarray, " classes"]) -> "Predictions":
        """The same with other thresholds."""
        return replace(self, counted=self.said.scores >= thresholds[self.said.labels], thresholds=thresholds)

    def table(self, split: str, names: Sequence[str]) -> pl.DataFrame:
        """A row an image: split, image, name, truth (boxes of each class); boxes, classes and scores that are said, and
        which of them are counted; true_boxes, true_classes and their flags; height, width.

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
        )

    def evidence(self, metric: str) -> Score | None:
        """What ``metrics`` lists, as functions of image weights."""
        if metric in OVERALL:
            return map_score(self.matches, OVERALL[metric])
        for prefix, iou in (("ap_50_", 0.5), ("ap_", None)):
            if metric.startswith(prefix) and metric.removeprefix(prefix) in self.classes:
                return map_score(self.matches, iou, self.classes.index(metric.removeprefix(prefix)))
        return None

    @property
    def metrics(self) -> list[str]:
        """All that there is evidence of."""
        return [*OVERALL, *(f"{prefix}_{name}" for prefix in ("ap", "ap_50") for name in self.classes)]

    def gallery(self, data: ImageData, seed: int) -> pl.DataFrame:
        """The pictures of a report: see ``pictures.gallery``."""
        assert self.thresholds is not None
        return pictures.gallery(self.truth, self.said, self.indices, self.sizes, self.thresholds, data, seed)

    def _counts(self) -> pl.Series:
        images = np.repeat(np.arange(len(self.indices)), np.diff(self.truth.starts))
        counts = np.zeros((len(self.indices), len(self.classes)), np.int64)
        np.add.at(counts, (images, self.truth.labels), 1)
        return pl.DataFrame(counts, schema=list(self.classes), orient="row").to_struct()


def settled(predictions: dict[str, Predictions]) -> dict[str, Predictions]:
    """The same with the thresholds that the validation images choose."""
    return predictions


COLUMNS = {
    "boxes": np.float32, "classes": np.int64, "scores": np.float32, "counted": np.bool_,
    "true_boxes": np.float32, "true_classes": np.int64, "flags": np.int64,
}  # fmt: skip


def of_edges(edges: Float32[np.ndarray, "m 4"], starts: Int64[np.ndarray, " _"]) -> pl.Series:
    """A list of boxes an image."""
    flat = pl.Series(edges, dtype=pl.Array(pl.Float32, 4))
    return _lists(flat, starts)


def of_numbers(numbers: np.ndarray, starts: Int64[np.ndarray, " _"]) -> pl.Series:
    """A list of numbers an image."""
    return _lists(pl.Series(numbers), starts)


def flattened(lists: pl.Series) -> np.ndarray:
    """The inverse of both, without where the images begin."""
    return lists.filter(lists.list.len() > 0).explode().to_numpy()


def starts(lists: pl.Series) -> Int64[np.ndarray, " _"]:
    """Where the images of lists begin, and where the last ends."""
    return np.concatenate([[0], lists.list.len().to_numpy().cumsum()]).astype(np.int64)


def _lists(flat: pl.Series, starts: Int64[np.ndarray, " _"]) -> pl.Series:
    parts = [
        flat.slice(start, end - start) for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    ]
    return pl.Series(parts, dtype=pl.List(flat.dtype))
