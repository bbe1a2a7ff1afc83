"""A ranking in words and as a table for the terminal."""

from typing import TYPE_CHECKING, Any

import polars as pl
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from assay.runs.display import unread

if TYPE_CHECKING:
    from assay.tools.ranking.ranking import Ranking

INTERVALS = ("cross_si", "cross_csi")


def recommendation(table: pl.DataFrame, pretrained: bool, grouped: bool = False) -> str:
    """What to take: the first of the table, who cannot be told apart from it, and who is cheaper among those."""
    ranked = table.filter(pl.col("place").is_not_null()).rows(named=True)
    if not ranked:
        return "None of these backbones could be ranked."
    first, others = ranked[0], ranked[1:]
    if not others:
        text = f"{first['model']} is the only backbone that could be ranked: there is nothing to compare it with."
    elif open_to := [row for row in others if not is_behind(row, first)]:
        names = listed([row["model"] for row in open_to])
        verb = "does" if len(open_to) == 1 else "do"
        text = (
            f"Take {first['model']}, without certainty: {names} {verb} not stand clearly behind it, since intervals of "
            f"cross-SI or cross-CSI overlap; more images would tell more."
        )
        cheapest = min([first, *open_to], key=lambda row: row["macs"])
        if cheapest is not first:
            text += (
                f" Of these, {cheapest['model']} is the cheapest: "
                f"{cheapest['macs'] / first['macs']:.0%} of the multiply-accumulates."
            )
    else:
        text = f"Take {first['model']}: its cross-SI and cross-CSI lie above those of all others, intervals and all."
    if others and (leaders := dissent(ranked)):
        text += f" The measures disagree: {leaders}."
    if grouped:
        text += " Copies of an original count as images of their own, so the intervals are too narrow."
    if not pretrained:
        text += " The weights are random, so this says nothing of trained backbones."
    return text


def is_behind(row: dict[str, Any], first: dict[str, Any]) -> bool:
    """Whether both intervals of ``row`` end below those of ``first``."""
    return all(row[f"{name}_high"] < first[f"{name}_low"] for name in INTERVALS)


def dissent(ranked: list[dict[str, Any]]) -> str:
    """Which measure puts another backbone first than the recommended one; empty where none does."""
    heads = {"cross_si": "cross-SI", "cross_csi": "cross-CSI", "logme": "LogME"}
    best = {text: max(ranked, key=lambda row: row[name])["model"] for name, text in heads.items()}
    return ", ".join(f"{text} puts {model} first" for text, model in best.items() if model != ranked[0]["model"])


def listed(names: list[str]) -> str:
    """Names as a person lists them."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def ranking_table(found: "Ranking") -> RenderableType:
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
