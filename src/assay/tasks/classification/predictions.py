"""What a classifier says of the images of a split."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Int64

from assay.data.batches import ImageData
from assay.tasks import rows
from assay.tasks.pictures import COUNT, gallery, sample
from assay.tasks.scores import Score, mean_score, ratio_score, supported_score


@dataclass(frozen=True)
class Predictions:
    """What a network says of the images of one split, in the order of the split's indices."""

    indices: Int64[np.ndarray, " n"]
    """Of the images in their source."""
    labels: Int64[np.ndarray, " n"]
    probabilities: Float32[np.ndarray, "n classes"]
    losses: Float32[np.ndarray, " n"]

    @property
    def predicted(self) -> Int64[np.ndarray, " n"]:
        """The most probable class, of equals the first."""
        predicted: Int64[np.ndarray, " n"] = self.probabilities.argmax(axis=1)
        return predicted

    @property
    def confidence(self) -> Float32[np.ndarray, " n"]:
        """The probability of the predicted class."""
        confidence: Float32[np.ndarray, " n"] = self.probabilities.max(axis=1)
        return confidence

    @property
    def right(self) -> Bool[np.ndarray, " n"]:
        """Where the predicted class is the label."""
        right: Bool[np.ndarray, " n"] = self.predicted == self.labels
        return right

    @property
    def truth(self) -> Bool[np.ndarray, "n classes"]:
        """Which class is the label."""
        truth: Bool[np.ndarray, "n classes"] = np.eye(self.probabilities.shape[1], dtype=bool)[self.labels]
        return truth

    @property
    def is_finite(self) -> bool:
        """Whether all probabilities and losses are."""
        return rows.are_finite(self.probabilities, self.losses)

    def table(self, split: str, names: Sequence[str]) -> pl.DataFrame:
        """A row an image: split, image, name, label, predicted, confidence, loss, probabilities of all classes."""
        return pl.DataFrame(
            {
                **rows.which(split, self.indices, names),
                "label": self.labels,
                "predicted": self.predicted,
                "confidence": self.confidence,
                "loss": self.losses,
                "probabilities": pl.Series(self.probabilities).arr.to_list(),
            }
        )

    @classmethod
    def read(cls, table: pl.DataFrame) -> "Predictions":
        """The inverse of ``table``."""
        chances = table["probabilities"].explode().to_numpy().astype(np.float32).reshape(len(table), -1)
        indices, losses = rows.read(table)
        return cls(indices, table["label"].to_numpy().astype(np.int64), chances, losses)

    def evidence(self, metric: str) -> Score | None:
        """A metric as a function of image weights; None where it is not a property of answers, or an area under a
        curve, which is measured with the curves."""
        if top := re.fullmatch(r"top_([1-9][0-9]*)_accuracy", metric):
            return mean_score(self.among(int(top[1])))
        if metric in ("accuracy", "loss"):
            return mean_score(self.right if metric == "accuracy" else self.losses)
        truth = self.truth
        said = np.eye(truth.shape[1], dtype=bool)[self.predicted]
        shares = {
            "precision": (truth & said, said.astype(np.int64)),
            "recall": (truth & said, truth.astype(np.int64)),
            "f1": (2 * (truth & said), truth + said.astype(np.int64)),
        }
        name, _, average = metric.replace("balanced_accuracy", "recall_macro").rpartition("_")
        if name not in shares or average not in ("macro", "weighted"):
            return None
        return (ratio_score if average == "macro" else supported_score)(*shares[name], truth)

    def among(self, k: int) -> Bool[np.ndarray, " n"]:
        """Where the label is among the ``k`` most probable classes; of equals the first classes count."""
        best = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :k]
        among: Bool[np.ndarray, " n"] = (best == self.labels[:, None]).any(axis=1)
        return among

    def gallery(self, data: ImageData, seed: int) -> pl.DataFrame:
        """Up to 25 images of each kind, as PNG: "sample" is drawn by the seed, "mistake" has the surest wrong answers,
        "unsure" the least sure answers, right or wrong. An image may be of several kinds."""
        kinds = {"sample": sample(len(self.labels), seed), "mistake": self.mistakes(), "unsure": self.unsure()}
        chosen = np.concatenate(list(kinds.values()))
        answers = {"label": self.labels, "predicted": self.predicted, "confidence": self.confidence}
        return gallery(kinds, self.indices, data.images, {name: of_all[chosen] for name, of_all in answers.items()})

    def mistakes(self) -> Int64[np.ndarray, " k"]:
        """Rows with a wrong prediction, the most confident first, of equals the first image."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")][:COUNT]

    def unsure(self) -> Int64[np.ndarray, " k"]:
        """Rows with the smallest probability of the predicted class, that first, of equals the first image."""
        return np.argsort(self.confidence, kind="stable")[:COUNT]
