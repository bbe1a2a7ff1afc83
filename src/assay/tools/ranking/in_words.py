"""A ranking in words."""

from typing import Any

import polars as pl

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
