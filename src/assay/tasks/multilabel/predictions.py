"""What a network says of the labels of the images of a split."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from assay.data.batches import ImageData
from assay.recipe import Loss
from assay.tasks.multilabel.losses import binary_cross_entropy
from assay.tasks.multilabel.pictures import chosen
from assay.tasks.pictures import sample, thumbnail
from assay.tasks.scores import Score, average_precision_score, f1_score, mean_score, ratio_score

THRESHOLD = 0.5
"""A label is said of an image where its probability is above this: the same for every label, and not tuned."""

GALLERY: dict[str, Any] = {
    "kind": pl.String,
    "name": pl.String,
    "tags": pl.List(pl.String),
    "predicted": pl.List(pl.String),
    "label": pl.String,
    "probability": pl.Float32,
    "png": pl.Binary,
}


@dataclass(frozen=True)
class Predictions:
    """What a network says of the images of one split, in the order of the split's indices."""

    indices: Int64[np.ndarray, " n"]
    """Of the images in their source."""
    labels: tuple[str, ...]
    """Their names, in the order of the columns."""
    truth: Bool[np.ndarray, "n labels"]
    """Which images have which labels."""
    probabilities: Float32[np.ndarray, "n labels"]
    losses: Float32[np.ndarray, " n"]

    @property
    def predicted(self) -> Bool[np.ndarray, "n labels"]:
        """The labels that are said."""
        predicted: Bool[np.ndarray, "n labels"] = self.probabilities > THRESHOLD
        return predicted

    @property
    def is_finite(self) -> bool:
        """Whether all probabilities and losses are."""
        return bool(np.isfinite(self.probabilities).all() and np.isfinite(self.losses).all())

    @classmethod
    def gathered(cls, answers: Iterable[Tensor], data: ImageData, split: str, loss: Loss) -> "Predictions":
        """From the logits of the split's batches."""
        indices = np.asarray(data.indices[split], dtype=np.int64)
        logits, tags = torch.cat(list(answers)), data.images.targets.take(torch.from_numpy(indices))
        losses = binary_cross_entropy(logits, tags).mean(dim=1)  # type: ignore[arg-type]
        chances = logits.float().sigmoid().numpy()
        return cls(indices, tuple(data.classes), np.asarray(tags) > 0, chances, losses.numpy())

    def table(self, split: str, names: Sequence[str]) -> pl.DataFrame:
        """A row an image: split, image, name, tags and predicted (names of labels), loss, probabilities (by label)."""
        return pl.DataFrame(
            {
                "split": [split] * len(self.indices),
                "image": self.indices,
                "name": [names[i] for i in self.indices],
                "tags": self.named(self.truth),
                "predicted": self.named(self.predicted),
                "loss": self.losses,
                "probabilities": pl.DataFrame(self.probabilities, schema=list(self.labels), orient="row").to_struct(),
            }
        )

    @classmethod
    def read(cls, table: pl.DataFrame) -> "Predictions":
        """The inverse of ``table``."""
        chances = table["probabilities"].struct.unnest()
        truth = np.column_stack([table["tags"].list.contains(label).to_numpy() for label in chances.columns])
        indices, losses = table["image"].to_numpy().astype(np.int64), table["loss"].to_numpy().astype(np.float32)
        return cls(indices, tuple(chances.columns), truth, chances.to_numpy().astype(np.float32), losses)

    def evidence(self, metric: str) -> Score | None:
        """The means over labels, exact match, share of wrong labels and loss, and of each label ``f1_<label>`` and
        ``average_precision_<label>``, as functions of image weights."""
        truth, said = self.truth, self.predicted
        known: dict[str, Callable[[], Score]] = {
            "average_precision_macro": lambda: average_precision_score(truth, self.probabilities),
            "f1_macro": lambda: f1_score(truth, said, "macro"),
            "f1_micro": lambda: f1_score(truth, said, "micro"),
            "precision_macro": lambda: ratio_score(truth & said, said),
            "recall_macro": lambda: ratio_score(truth & said, truth),
            "exact_match": lambda: mean_score((truth == said).all(axis=1)),
            "hamming_loss": lambda: mean_score((truth != said).mean(axis=1)),
            "loss": lambda: mean_score(self.losses),
        }
        if metric in known:
            return known[metric]()
        for i, label in enumerate(self.labels):
            if metric == f"average_precision_{label}":
                return average_precision_score(truth[:, i], self.probabilities[:, i])
            if metric == f"f1_{label}":
                return f1_score(truth[:, [i]], said[:, [i]], "macro")
        return None

    def gallery(self, data: ImageData, seed: int) -> pl.DataFrame:
        """Up to 25 images of each kind, as PNG: "sample" is drawn by the seed; "false_alarm", "miss" and "unsure" are
        of the answer about one ``label``, with its ``probability``: see ``pictures.chosen``."""
        kinds = {"sample": [(row, None) for row in sample(len(self.indices), seed).tolist()]}
        about = chosen(self.truth, self.predicted, self.probabilities)
        kinds |= {kind: those.tolist() for kind, those in about.items()}
        tags, predicted, images = self.named(self.truth), self.named(self.predicted), data.images
        return pl.DataFrame(
            [
                {
                    "kind": kind,
                    "name": images.names[self.indices[row]],
                    "tags": tags[row],
                    "predicted": predicted[row],
                    "label": None if label is None else self.labels[label],
                    "probability": None if label is None else self.probabilities[row, label],
                    "png": thumbnail(images.pixels[self.indices[row]]),
                }
                for kind, those in kinds.items()
                for row, label in those
            ],
            schema=GALLERY,
        )

    def named(self, which: Bool[np.ndarray, "n labels"]) -> pl.Series:
        """Of each row the names of its labels."""
        rows = [[self.labels[i] for i in np.flatnonzero(row)] for row in which]
        return pl.Series(rows, dtype=pl.List(pl.String))
