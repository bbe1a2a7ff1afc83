"""A table of layers in words."""

from itertools import pairwise

import polars as pl

from assay.language.script import as_name
from assay.language.speech import say


def reading(table: pl.DataFrame, index: str = "separation", split: str = "test") -> str:
    """The sentence a reader needs: where an index peaks, and which layers lower it by more than the intervals allow."""
    curve = table.filter((pl.col("index") == index) & (pl.col("split") == split)).sort("depth")
    if curve.is_empty():
        return say("No layer was measured by {index} on {split} images.", index=index, split=say(split))
    lines = list(curve.iter_rows(named=True))
    peak = max(lines, key=lambda line: line["value"])
    text = say(
        "On the {split} images {index} is highest after {layer} ({value:.3f})",
        split=say(split),
        index=say(index),
        layer=as_name(peak["layer"]),
        value=peak["value"],
    )
    drops = [
        say("{layer} by {value:.3f}", layer=as_name(after["layer"]), value=before["value"] - after["value"])
        for before, after in pairwise(lines)
        if after["high"] < before["low"]
    ]
    if not drops:
        return say("{text}; no layer clearly lowers it.", text=text)
    return say("{text}; lowered by {layers}.", text=text, layers=say(", ").join(drops))
