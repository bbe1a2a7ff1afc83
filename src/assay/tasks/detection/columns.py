"""Boxes as columns of a table, a list an image, and back."""

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64

COLUMNS = {
    "boxes": np.float32, "classes": np.int64, "scores": np.float32, "counted": np.bool_,
    "true_boxes": np.float32, "true_classes": np.int64, "flags": np.int64,
}  # fmt: skip
"""Column → what its lists are made of."""

Starts = Int64[np.ndarray, " _"]


def of_edges(edges: Float32[np.ndarray, "m 4"], starts: Starts) -> pl.Series:
    """A list of boxes an image."""
    return _lists(pl.Series(edges, dtype=pl.Array(pl.Float32, 4)), starts)


def of_numbers(numbers: np.ndarray, starts: Starts) -> pl.Series:
    """A list of numbers an image."""
    return _lists(pl.Series(numbers), starts)


def flattened(lists: pl.Series) -> np.ndarray:
    """The inverse of both, without where the images begin."""
    return lists.filter(lists.list.len() > 0).explode().to_numpy()


def starts(lists: pl.Series) -> Starts:
    """Where the images of lists begin, and where the last ends."""
    return np.concatenate([[0], lists.list.len().to_numpy().cumsum()]).astype(np.int64)


def _lists(flat: pl.Series, starts: Starts) -> pl.Series:
    counts = zip(starts[:-1].tolist(), np.diff(starts).tolist(), strict=True)
    return pl.Series([flat.slice(start, count) for start, count in counts], dtype=pl.List(flat.dtype))
