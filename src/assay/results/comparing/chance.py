"""The level of chance of a study's metric, and how far above it a value stands."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from assay.language.speech import say
from assay.recipe.study import Study
from assay.results.comparing.compare import Values
from assay.results.folders import Run, read_table
from assay.results.metrics import bounds, lower_is_better, value_text
from assay.results.statistics.intervals import mean_interval
from assay.tasks import catalogue
from assay.tasks.chance import Chance

LITTLE = 0.01
"""Of the way from chance to perfect: what gets no further is at chance."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of the test images of a study's finished ``runs``, read once for the variants that share them."""

    study: Study
    runs: Sequence[Run]

    @cached_property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Variant → the test rows of the predictions of its first finished run."""
        known: dict[str, pl.DataFrame] = {}
        found: dict[str, pl.DataFrame] = {}
        for run in self.runs:
            data = repr(self.study.plan[run.variant].recipe.data)
            if data not in known:
                known[data] = read_table(run.folder / "predictions.parquet").filter(pl.col("split") == "test")
            found.setdefault(run.variant, known[data])
        return found

    @cached_property
    def _known(self) -> dict[str, dict[str, Chance]]:
        return {}

    def chance(self, metric: str) -> dict[str, Chance]:
        """Variant → what ignoring the images reaches; without those of which the task cannot say."""
        if metric not in self._known:
            task, plan = catalogue.task(self.study.task), self.study.plan
            levels = {v: task.chance(table, metric, plan[v].recipe.train.loss) for v, table in self.tables.items()}
            self._known[metric] = {variant: level for variant, level in levels.items() if level is not None}
        return self._known[metric]


def shared(levels: Mapping[str, Chance]) -> Chance | None:
    """The level that all variants have; None where they have none or several."""
    found = list(levels.values())
    return found[0] if found and all(math.isclose(one.value, found[0].value) for one in found) else None


def skill(metric: str, value: float, level: Chance) -> float | None:
    """How much of the way from chance to perfect the value has gone: 1 is perfect, 0 chance, below it is worse.

    The skill score of forecasters (Murphy, Mon. Wea. Rev. 116, 1988), of which R² is one. None where there is no
    perfect value, or chance is perfect.
    """
    way = bounds(metric)[not lower_is_better(metric)] - level.value
    return (value - level.value) / way if math.isfinite(way) and way else None


def is_at_chance(metric: str, value: float, level: Chance) -> bool:
    """Whether it is no better than chance, by a hundredth of the way to perfect or less."""
    found = skill(metric, value, level)
    return found is not None and found <= LITTLE


def text(metric: str, level: Chance) -> str:
    """``10.0 %, guessing the largest class``."""
    return say("{value}, {guess}", value=value_text(metric, level.value), guess=level.said)


def not_above(metric: str, values: Values, levels: Mapping[str, Chance]) -> tuple[list[str], list[str]]:
    """The variants whose mean is no better than chance, and the others whose 95 % interval reaches down to it."""
    as_good, unsure = [], []
    for variant, level in levels.items():
        found = mean_interval(list(values[variant].values()), within=bounds(metric))
        if found.mean is None:
            continue
        near_end = found.high if lower_is_better(metric) else found.low
        if is_at_chance(metric, found.mean, level):
            as_good.append(variant)
        elif near_end is not None and (near_end < level.value) != lower_is_better(metric):
            unsure.append(variant)
    return as_good, unsure
