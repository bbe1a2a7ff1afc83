"""What a network says of the labels of the images of a split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64

from assay.data.batches import ImageData
from assay.tasks import rows
from assay.tasks.multilabel.pictures import chosen
from assay.tasks.pictures import gallery, sample
from assay.tasks.scores import Score, average_precision_score, f1_score, mean_score, ratio_score

THRESHOLD = 0.5
"""A label is said of an image where its probability is above this: the same for every label, and not tuned."""


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
        return rows.are_finite(self.probabilities, self.losses)

    def table(self, split: str, names: Sequence[str]) -> pl.DataFrame:
        """A row an image: split, image, name, tags and predicted (names of labels), loss, probabilities (by label)."""
        chances = pl.DataFrame(self.probabilities, schema=list(self.labels), orient="row").to_struct()
        return pl.DataFrame(
            {
                **rows.which(split, self.indices, names),
                "tags": self.named(self.truth),
                "predicted": self.named(self.predicted),
                "loss": self.losses,
                "probabilities": chances,
            }
        )

    @classmethod
    def read(cls, table: pl.DataFrame) -> "Predictions":
        """The inverse of ``table``."""
        chances = table["probabilities"].struct.unnest()
        truth = np.column_stack([table["tags"].list.contains(label).to_numpy() for label in chances.columns])
        indices, losses = rows.read(table)
        return cls(indices, tuple(chances.columns), truth, chances.to_numpy().astype(np.float32), losses)

    def evidence(self, metric: str) -> Score | None:
        """The means over labels, exact match, share of wrong labels and loss, and of each label ``f1_<label>`` and
        ``average_precision_<label>``, as functions of image weights."""
        truth, said = self.truth, self.predicted
        known: dict[str, Callable[[], Score]] = {
            "average_precision_macro": lambda: average_precision_score(truth, self.probabilities),
            "f1_macro": lambda: f1_score(truth, said, "macro"),
            "f1_micro": lambda: f1_score(truth, said, "micro"),
            "precision_macro": lambda: ratio_score(truth & said, said, truth),
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
        sampled, about = sample(len(self.indices), seed), chosen(self.truth, self.predicted, self.probabilities)
        kinds = {"sample": sampled} | {kind: those[:, 0] for kind, those in about.items()}
        here, answers = np.concatenate(list(kinds.values())), np.concatenate(list(about.values()))
        none, labels = [None] * len(sampled), [self.labels[column] for column in answers[:, 1]]
        said = {
            "tags": self.named(self.truth[here]),
            "predicted": self.named(self.predicted[here]),
            "label": none + labels,
            "probability": pl.Series(none + self.probabilities[tuple(answers.T)].tolist(), dtype=pl.Float32),
        }
        return gallery(kinds, self.indices, data.images, said)

    def named(self, which: Bool[np.ndarray, "n labels"]) -> pl.Series:
        """Of each row the names of its labels."""
        names = [[self.labels[i] for i in np.flatnonzero(row)] for row in which]
        return pl.Series(names, dtype=pl.List(pl.String))
