"""What a network says of the pixels of the images of a split, as counts an image and a label map each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Float64, Int64

from assay.data.batches import ImageData
from assay.tasks import rows
from assay.tasks.scores import Score, ratio_score
from assay.tasks.segmentation import pictures
from assay.tasks.segmentation.borders import Borders
from assay.tasks.segmentation.metrics import near_names
from assay.tasks.segmentation.scores import SCORES, Matrices, accuracy_score, hits, iou_score, of_class, true


class Sampled(NamedTuple):
    """Some known pixels of the images of a split, as many of each image as it has of them, at most."""

    logits: Float32[np.ndarray, "pixels classes"]
    labels: Int64[np.ndarray, " pixels"]


@dataclass(frozen=True, eq=False)
class Kept:
    """What needs the maps themselves."""

    entropies: Float32[np.ndarray, " n"]
    """The mean over the known pixels of the entropy of their probabilities, in nats; without any, over all."""
    said: tuple[bytes, ...]
    """The label maps, as PNG."""
    borders: Callable[[], Borders]
    """Counted when asked for …"""
    border: int | None
    """… at so many pixels, as ``evaluate: segmentation`` states."""
    unsure: tuple[bytes, ...] = ()
    """Where the network is unsure, as small gray PNG; none of predictions that were read from a table."""
    sampled: Sampled | None = None
    """None for predictions that were read from a table."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network says of the images of one split, in the order of the split's indices; in the pictures' own
    pixels."""

    indices: Int64[np.ndarray, " n"]
    """Of the images in their source."""
    classes: tuple[str, ...]
    confusion: Matrices
    losses: Float32[np.ndarray, " n"]
    """The mean over the known pixels of the canvas; nan for an image without any."""
    sizes: Int64[np.ndarray, "n 2"]
    """Height and width."""
    maps: Kept | None
    """None where only losses and counts were asked for."""

    @property
    def is_finite(self) -> bool:
        """Whether all that is said is, and so are the losses of images that have one."""
        known = true(self.confusion).any(axis=1)
        return rows.are_finite(self.losses[known], *([self.maps.entropies] if self.maps else []))

    @property
    def kept(self) -> Kept:
        """The maps, which somebody has asked for. ValueError where nobody has."""
        if self.maps is None:
            raise ValueError("these predictions were gathered for no measure: they have losses and counts only")
        return self.maps

    @property
    def right_shares(self) -> tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
        """The share of each image's known pixels that are right, and whether it has any."""
        right, known = hits(self.confusion).sum(axis=1), true(self.confusion).sum(axis=1)
        return right / np.maximum(known, 1), known > 0

    def table(self, split: str, names: Sequence[str]) -> pl.DataFrame:
        """A row an image: split, image, name, truth (pixels of each class), loss (null: all is void), entropy;
        confusion and border (rows true, columns said, one after the other), boundary_intersection, boundary_union;
        border_width (pixels; null: as ``NEAR`` and ``DILATION`` say); said (PNG), height, width."""
        near = self.kept.borders()
        truth = pl.DataFrame(true(self.confusion), schema=list(self.classes), orient="row").to_struct()
        return pl.DataFrame(
            {
                **rows.which(split, self.indices, names),
                "truth": truth,
                "loss": pl.Series(self.losses).fill_nan(None),
                "entropy": self.kept.entropies,
                "confusion": _lists(self.confusion),
                "border": _lists(near.confusion),
                "boundary_intersection": _lists(near.intersection),
                "boundary_union": _lists(near.union),
                "border_width": pl.Series([self.kept.border] * len(self.indices), dtype=pl.Int64),
                "said": list(self.kept.said),
                "height": self.sizes[:, 0],
                "width": self.sizes[:, 1],
            }
        )

    @classmethod
    def read(cls, table: pl.DataFrame) -> "Predictions":
        """The inverse of ``table``."""
        classes = tuple(field.name for field in table.schema["truth"].fields)  # type: ignore[attr-defined]
        counts = {name: np.array(table[name].to_list(), np.int64) for name in COUNTS}
        matrices = (counts[name].reshape(-1, len(classes), len(classes)) for name in ("confusion", "border"))
        confusion, border = matrices
        inner, outer = (counts[name].reshape(-1, len(classes)) for name in COUNTS[2:])
        indices, losses = rows.read(table.with_columns(pl.col("loss").fill_null(np.nan)))
        kept = Kept(
            table["entropy"].to_numpy().astype(np.float32),
            tuple(table["said"].to_list()),
            lambda: Borders(border, inner, outer),
            table["border_width"].to_list()[0] if "border_width" in table.columns else None,
        )
        sizes = table.select("height", "width").to_numpy().astype(np.int64)
        return cls(indices, classes, confusion, losses, sizes, kept)

    def evidence(self, metric: str) -> Score | None:
        """What ``metrics`` lists, as functions of image weights."""
        if metric in SCORES:
            return SCORES[metric](self.confusion)
        if metric == "loss":
            known = ~np.isnan(self.losses)[:, None]
            return ratio_score(np.where(known, self.losses[:, None], 0.0), known)
        near = dict(zip(near_names(self.maps.border), NEAR, strict=True)) if self.maps else {}
        if metric in near:
            return near[metric](self.kept.borders())
        return of_class(self.confusion, self.classes, metric)

    @property
    def metrics(self) -> list[str]:
        """All that there is evidence of."""
        by_class = (f"{name}_{label}" for name in ("iou", "dice") for label in self.classes)
        return ["loss", *SCORES, *(near_names(self.maps.border) if self.maps else ()), *by_class]

    def gallery(self, data: ImageData, seed: int) -> pl.DataFrame:
        """Up to 6 pictures of each kind: see ``pictures.gallery``."""
        return pictures.gallery(self.indices, self.confusion, self.kept.said, self.kept.unsure, data, seed)


COUNTS = ("confusion", "border", "boundary_intersection", "boundary_union")

NEAR: tuple[Callable[[Borders], Score], ...] = (
    lambda near: iou_score(near.confusion),
    lambda near: accuracy_score(near.confusion),
    lambda near: ratio_score(near.intersection, near.union),
)
"""In the order of ``near_names``."""


def _lists(counts: Int64[np.ndarray, "n ..."]) -> pl.Series:
    return pl.Series(counts.reshape(len(counts), -1)).arr.to_list()
