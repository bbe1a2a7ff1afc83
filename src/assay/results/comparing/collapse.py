"""Runs that collapsed: training that ended in numbers which are not finite, at chance, or far below its like."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import polars as pl

from assay.language.speech import later, say
from assay.results.comparing.chance import Truth, is_at_chance, skill
from assay.results.comparing.compare import Values
from assay.results.folders import Run
from assay.results.metrics import lower_is_better, value_text
from assay.tasks.chance import Chance

DEVIATIONS = 5
"""Median absolute deviations below its variant's median …"""
LOST = 0.5
"""… and so much of what the median is above chance: of variants with healthy normal values a tenth has a run beyond
the first alone."""
FEWEST = 5
"""Seeds of a variant from which its own deviations say something."""
NOT_FINITE = later("not finite")


@dataclass(frozen=True)
class Collapse:
    """A run that collapsed."""

    variant: str
    seed: int
    value: float | None
    """None where it ended without one."""


def collapsed(runs: Sequence[Run], metric: str, frame: pl.DataFrame, truth: Truth) -> list[Collapse]:
    """Those of ``runs`` that failed because something was not finite, and of the finished ones in ``frame`` (a row a
    run: variant, seed, metrics) those at chance or far below the others of their variant."""
    found = broken(runs)
    for variant, level in truth.chance(metric).items():
        rows = frame.filter(pl.col("variant") == variant, pl.col(metric).is_not_null())
        values = dict(rows.select("seed", metric).iter_rows())
        fallen = far_below(metric, values, level)
        for row in rows.iter_rows(named=True):
            if row["seed"] in fallen or _at_chance(row, metric, level, truth):
                found.append(Collapse(variant, row["seed"], row[metric]))
    return found


def broken(runs: Sequence[Run]) -> list[Collapse]:
    """The runs that failed because something was not finite."""
    failed = [run for run in runs if run.state == "failed" and NOT_FINITE in (run.reason or "")]
    return [Collapse(run.variant, run.seed, None) for run in failed]


def _at_chance(row: Mapping[str, Any], metric: str, level: Chance, truth: Truth) -> bool:
    """Whether a run is no better than chance in the metric, and in the one that frequent classes lend nothing."""
    value = row[metric]
    if value is None or not is_at_chance(metric, value, level):
        return False
    other = row.get(level.balanced)
    own = truth.chance(level.balanced).get(str(row["variant"])) if other is not None else None
    return other is None or own is None or is_at_chance(level.balanced, other, own)


def far_below(metric: str, values: Mapping[int, float], level: Chance) -> list[int]:
    """The seeds of a variant whose values are further below the median than ``DEVIATIONS`` median absolute deviations
    (Hampel, JASA 69, 1974) and have ``LOST`` what the median is above chance; of fewer than ``FEWEST``, none."""
    if len(values) < FEWEST:
        return []
    sign, middle = -1 if lower_is_better(metric) else 1, median(values.values())
    spread = median(abs(value - middle) for value in values.values())
    usual = skill(metric, middle, level)
    if usual is None or usual <= 0:
        return []
    far = {seed: value for seed, value in values.items() if sign * (middle - value) > DEVIATIONS * spread}
    return [seed for seed, value in far.items() if (skill(metric, value, level) or 0.0) < (1 - LOST) * usual]


def without(values: Values, gone: Sequence[Collapse]) -> dict[str, dict[int, float]]:
    """The values of the runs that did not collapse."""
    fallen = {(one.variant, one.seed) for one in gone}
    return {v: {seed: x for seed, x in own.items() if (v, seed) not in fallen} for v, own in values.items()}


def told(metric: str, gone: Sequence[Collapse], planned: int, name: Callable[[str], str]) -> list[str]:
    """``1 of 5 runs of sgd collapsed (seed 3: 10.0 %).``, a sentence for each variant of ``planned`` runs."""
    by_variant: dict[str, list[Collapse]] = {}
    for one in gone:
        by_variant.setdefault(one.variant, []).append(one)
    return [_told(metric, those, planned, name(variant)) for variant, those in by_variant.items()]


def _told(metric: str, those: Sequence[Collapse], planned: int, name: str) -> str:
    reached = [one.value for one in those if one.value is not None]
    if len(reached) == planned > 1:
        return _collapsed(every(planned), name, ends(metric, reached))
    if not reached and len(those) == planned > 1:
        return _collapsed(every(planned), name, say(NOT_FINITE))
    count = say("The run") if planned == 1 else say("{count} of {n} runs", count=len(those), n=planned)
    values = [say(NOT_FINITE) if one.value is None else value_text(metric, one.value) for one in those]
    shown = [say("seed {seed}: {value}", seed=one.seed, value=value) for one, value in zip(those, values, strict=True)]
    return _collapsed(count, name, say(", ").join(shown))


def _collapsed(runs: str, name: str, values: str) -> str:
    return say("{runs} of {name} collapsed ({values}).", runs=runs, name=name, values=values)


def every(count: int) -> str:
    """``The run``, ``Both runs``, ``All 3 runs``."""
    return say("The run") if count == 1 else say("Both runs") if count == 2 else say("All {n} runs", n=count)


def ends(metric: str, values: Sequence[float]) -> str:
    """From the least to the largest, ``9.8 to 10.0 %``."""
    least, most = (value_text(metric, end) for end in (min(values), max(values)))
    return most if least == most else say("{low} to {high}", low=least.removesuffix(" %"), high=most)
