"""A ranking as a table for the terminal."""

import polars as pl
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from assay.runs.display import unread
from assay.tools.ranking.in_words import INTERVALS
from assay.tools.ranking.ranking import Ranking


def ranking_table(found: Ranking) -> RenderableType:
    """The ranking for the terminal: the numbers with their intervals, the cost, what was left out, the sentence."""
    table = Table("", "backbone", "cross-SI", "cross-CSI", "LogME", box=None, pad_edge=False)
    for heading in ("width", "size", "parameters", "MACs", "features (s)"):
        table.add_column(heading, justify="right")
    for row in found.table.filter(pl.col("place").is_not_null()).iter_rows(named=True):
        qualities = [f"{row[n]:.3f} [{row[f'{n}_low']:.3f}, {row[f'{n}_high']:.3f}]" for n in INTERVALS]
        costs = [row["size"], f"{row['parameters'] / 1e6:.1f} M", f"{row['macs'] / 1e6:,.0f} M"]
        numbers = [*qualities, f"{row['logme']:.4f}", f"{row['width']:,}", *costs, f"{row['features_seconds']:.1f}"]
        table.add_row(str(row["place"]), Text(row["model"]), *map(Text, numbers))
    missing = [
        Text(f"{row['model']} was not ranked: {row['reason']}")
        for row in found.table.filter(pl.col("place").is_null()).iter_rows(named=True)
    ]
    return Group(table, *missing, *unread(found.left_out), "", Text(found.recommendation))
