"""What a network says of the images of a split, in numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from assay.data.batches import ImageData
from assay.data.standard import standard_of, values_of
from assay.recipe import Loss
from assay.tasks.pictures import COUNT, sample, thumbnail
from assay.tasks.regression.losses import per_sample_loss
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
        return bool(np.isfinite(self.said).all() and np.isfinite(self.losses).all())

    @classmethod
    def gathered(cls, answers: Iterable[Tensor], data: ImageData, split: str, loss: Loss) -> "Predictions":
        """From the network's outputs for the split's batches."""
        indices = np.asarray(data.indices[split], dtype=np.int64)
        targets, standard = values_of(data), standard_of(data)
        outputs = torch.cat(list(answers))
        wanted = standard.standardised(targets.take(torch.from_numpy(indices)))
        losses = per_sample_loss(loss)(outputs, wanted).numpy()
        return cls(indices, targets.names, targets.values[indices], standard.in_own_units(outputs.numpy()), losses)

    def table(self, split: str, names: Sequence[str]) -> pl.DataFrame:
        """A row an image: split, image, name, truth and said (a field a target), loss."""
        columns = {
            "split": [split] * len(self.indices),
            "image": self.indices,
            "name": [names[i] for i in self.indices],
        }
        said = {"truth": self._fields(self.truth), "said": self._fields(self.said), "loss": self.losses}
        return pl.DataFrame(columns | said)

    @classmethod
    def read(cls, table: pl.DataFrame) -> "Predictions":
        """The inverse of ``table``."""
        fields = [table[column].struct.unnest() for column in ("truth", "said")]
        truth, said = (part.to_numpy().astype(np.float64) for part in fields)
        indices, losses = table["image"].to_numpy().astype(np.int64), table["loss"].to_numpy().astype(np.float32)
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
        rows = np.concatenate(list(kinds.values()))
        images, here = data.images, self.indices[rows]
        return pl.DataFrame(
            {
                "kind": [kind for kind, those in kinds.items() for _ in those],
                "name": [images.names[i] for i in here],
                "truth": self._fields(self.truth[rows]),
                "said": self._fields(self.said[rows]),
                "png": [thumbnail(images.pixels[i]) for i in here],
            }
        )

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
