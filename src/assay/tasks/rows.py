"""The table of predictions, a row an image: the columns that those of every task have."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Float32, Int64

Indices = Int64[np.ndarray, " n"]


def which(split: str, indices: Indices, names: Sequence[str]) -> dict[str, Any]:
    """Split, image and name; ``names`` are those of all images of the source."""
    return {"split": [split] * len(indices), "image": indices, "name": [names[i] for i in indices]}


def read(table: pl.DataFrame) -> tuple[Indices, Float32[np.ndarray, " n"]]:
    """The images' indices and losses."""
    return table["image"].to_numpy().astype(np.int64), table["loss"].to_numpy().astype(np.float32)


def are_finite(*numbers: Float[np.ndarray, "..."]) -> bool:
    """Whether all of them are."""
    return all(bool(np.isfinite(each).all()) for each in numbers)
