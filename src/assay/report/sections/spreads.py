"""Means over seeds of what a table says of every class, kind or size, for figures that show all variants."""

import polars as pl

from assay.report.subject import Subject


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
