"""Schedules that differ in words and not in fact."""

import itertools
from collections.abc import Mapping

import polars as pl

from assay.language.speech import say
from assay.recipe.study import Study

Pairs = list[tuple[str, str]]


def same_schedules(study: Study, histories: pl.DataFrame) -> Pairs:
    """Pairs of variants that differ in their schedule alone and had the same learning rate in every epoch of every
    seed they share, number for number."""
    factors = {key for key in study.factors if "schedule" in key.split(".")}
    rates: Mapping[str, dict[int, list[float]]] = {
        str(variant): {seed: run["lr"].to_list() for (seed,), run in rows.group_by("seed")}
        for (variant,), rows in histories.sort("epoch").group_by("variant", maintain_order=True)
    }
    found = []
    for one, other in itertools.combinations(rates, 2):
        shared = rates[one].keys() & rates[other].keys()
        differ = {key for key in study.factors if study.plan[one].levels[key] != study.plan[other].levels[key]}
        if shared and differ and differ <= factors and all(rates[one][s] == rates[other][s] for s in shared):
            found.append((one, other))
    return found


def told(pairs: Pairs, name: Mapping[str, str]) -> list[str]:
    """A sentence for each pair."""
    return [
        say(
            "The schedules of {one} and {other} are the same: the learning rates of all epochs are equal.",
            one=name[a],
            other=name[b],
        )
        for a, b in pairs
    ]
