"""Means over seeds of what a table says of every class, kind or size, for figures that show all variants."""

import polars as pl

from assay.language.speech import say
from assay.report.subject import Subject


def marks(subject: Subject) -> str:
    """How the marks of such a figure are read, behind another sentence; nothing of a single seed."""
    if subject.seeds == 1:
        return ""
    return say(" Marks: mean over seeds; lines: from the lowest to the highest seed.")


def over_seeds(several: bool) -> str:
    """How the shares in a table with one line a class are read."""
    if several:
        return say("Means over seeds ± half of the 95 % t interval, cut at 0 and 1.")
    return say("One seed: no intervals.")


def spread(subject: Subject, table: pl.DataFrame, label: str, value: pl.Expr, counted: str) -> pl.DataFrame:
    """A row per variant and ``label``: mean, low, high of ``value`` over the seeds; images, the mean of ``counted``.

    Variants are in the order and by the names of the page; a label without a value has no row.
    """
    rank = {name: i for i, name in enumerate(subject.order)}
    return (
        table.with_columns(_value=value)
        .filter(pl.col("_value").is_not_null())
        .group_by("variant", pl.col(label).alias("label"), maintain_order=True)
        .agg(
            mean=pl.col("_value").mean(),
            low=pl.col("_value").min(),
            high=pl.col("_value").max(),
            images=pl.col(counted).mean(),
        )
        .sort(pl.col("variant").replace_strict(rank, return_dtype=pl.Int64), maintain_order=True)
        .with_columns(pl.col("variant").replace(subject.shown))
    )
