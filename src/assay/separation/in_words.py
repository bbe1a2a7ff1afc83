"""A table of layers in words."""

from itertools import pairwise

import polars as pl


def reading(table: pl.DataFrame, index: str = "separation", split: str = "test") -> str:
    """The sentence a reader needs: where an index peaks, and which layers lower it by more than the intervals allow."""
    curve = table.filter((pl.col("index") == index) & (pl.col("split") == split)).sort("depth")
    if curve.is_empty():
        return f"No layer was measured by {index} on {split} images."
    lines = list(curve.iter_rows(named=True))
    peak = max(lines, key=lambda line: line["value"])
    text = f"On the {split} images {index} is highest after {peak['layer']} ({peak['value']:.3f})"
    drops = [
        f"{after['layer']} by {before['value'] - after['value']:.3f}"
        for before, after in pairwise(lines)
        if after["high"] < before["low"]
    ]
    return f"{text}; {'lowered by ' + ', '.join(drops) if drops else 'no layer clearly lowers it'}."
