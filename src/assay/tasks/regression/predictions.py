"""What a network says of the images of a split, in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int64

from assay.data.batches import ImageData
from assay.tasks import rows
from assay.tasks.pictures import COUNT, gallery, sample
from assay.tasks.scores import Score, mean_score, r2_score, rank_correlation_score, root_mean_score

Numbers = Float64[np.ndarray, "n targets"]


@dataclass(frozen=True)
class Predictions:
    """What a network says of the images of one split, in the order of the split's indices."""

    indices: Int64[np.ndarray, " n"]
    """Of the images in their source."""
    targets: tuple[str, ...]
    """Their names."""
    truth: Numbers
    """In the targets' own units, as is what is ``said``."""
    said: Numbers
    losses: Float32[np.ndarray, " n"]
    """Of standardised values."""

    @property
    def errors(self) -> Numbers:
        """What is said minus what is true."""
        errors: Numbers = self.said - self.truth
        return errors

    @property
    def is_finite(self) -> bool:
        """Whether all that is said, and all losses, are."""
        return rows.are_finite(self.said, self.losses)

    def table(self, split: str, names: Sequence[str]) -> pl.DataFrame:
        """A row an image: split, image, name, truth and said (a field a target), loss."""
        said = {"truth": self._fields(self.truth), "said": self._fields(self.said), "loss": self.losses}
        return pl.DataFrame(rows.which(split, self.indices, names) | said)

    @classmethod
    def read(cls, table: pl.DataFrame) -> "Predictions":
        """The inverse of ``table``."""
        fields = [table[column].struct.unnest() for column in ("truth", "said")]
        truth, said = (part.to_numpy().astype(np.float64) for part in fields)
        indices, losses = rows.read(table)
        return cls(indices, tuple(fields[0].columns), truth, said, losses)

    def evidence(self, metric: str) -> Score | None:
        """Loss, R² and Spearman's correlation as functions of image weights; MAE and RMSE of a single target; of
        several, all four of each: ``mae_<target>``."""
        if metric == "loss":
            return mean_score(self.losses)
        if metric in ("r2", "spearman"):
            return SCORES[metric](self.truth, self.said)
        name, _, target = metric.partition("_")
        targets = self.targets if len(self.targets) > 1 else ("",)
        if name not in SCORES or target not in targets:
            return None
        column = targets.index(target)
        return SCORES[name](self.truth[:, column], self.said[:, column])

    @property
    def metrics(self) -> list[str]:
        """All that there is evidence of."""
        if len(self.targets) == 1:
            return ["loss", *SCORES]
        return ["loss", "r2", "spearman", *(f"{name}_{target}" for name in SCORES for target in self.targets)]

    def gallery(self, data: ImageData, seed: int) -> pl.DataFrame:
        """Up to 25 images of each kind, as PNG: "sample" is drawn by the seed, "worst" has the largest losses first, of
        equals the first image. An image may be of both kinds."""
        kinds = {"sample": sample(len(self.losses), seed), "worst": np.argsort(-self.losses, kind="stable")[:COUNT]}
        chosen = np.concatenate(list(kinds.values()))
        said = {"truth": self._fields(self.truth[chosen]), "said": self._fields(self.said[chosen])}
        return gallery(kinds, self.indices, data.images, said)

    def _fields(self, numbers: Numbers) -> pl.Series:
        return pl.DataFrame(numbers, schema=list(self.targets), orient="row").to_struct()


def _mean_absolute_error(truth: Float64[np.ndarray, " n"], said: Float64[np.ndarray, " n"]) -> Score:
    return mean_score(np.abs(said - truth))


def _root_mean_squared_error(truth: Float64[np.ndarray, " n"], said: Float64[np.ndarray, " n"]) -> Score:
    return root_mean_score((said - truth) ** 2)


SCORES = {
    "r2": r2_score,
    "spearman": rank_correlation_score,
    "mae": _mean_absolute_error,
    "rmse": _root_mean_squared_error,
}
