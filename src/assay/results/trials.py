"""What the trials of a search say: their parameters, and validation values epoch by epoch. Nothing here is of the test
images, on which no trial is tried.

They lie in ``search/`` of the study's folder: ``study.yaml`` with the ranges, and a folder a trial with its
``parameters.json`` and the run itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import polars as pl

from assay.errors import AssayError
from assay.language.speech import later, say
from assay.recipe.design import FIRST_SEED, Search
from assay.recipe.study import Study, load_study
from assay.results.folders import read_table
from assay.results.metrics import known, label, lower_is_better
from assay.system.files import read_object

PLACE = "search"
"""The folder of the trials in that of the study."""
PARAMETERS = "parameters.json"
PROPOSED_BY = {
    "random": later("Optuna's RandomSampler"),
    "sobol": later("Optuna's QMCSampler, a scrambled Sobol sequence"),
    "optuna": later("Optuna's TPESampler, which learns from the trials before"),
}
"""Design → who proposed the parameters."""


@dataclass(frozen=True)
class Trial:
    """One trial and how far it is."""

    number: int
    """From 1."""
    parameters: dict[str, Any]
    """Dotted key → level."""
    state: Literal["waiting", "running", "finished", "stopped", "failed"]
    """``stopped``: ended early, since it fell behind."""
    values: tuple[float, ...] = ()
    """The watched validation value of every epoch so far; NaN where it was none."""
    epoch: int | None = None
    """The epoch whose weights the recipe keeps, from 1; None before there is one."""
    reason: str | None = None
    """Why it failed."""

    @property
    def name(self) -> str:
        """What it is called, as a variant too."""
        return trial_name(self.number)

    @property
    def is_done(self) -> bool:
        """Whether nobody needs to train it any more."""
        return self.state in ("finished", "stopped", "failed")

    @property
    def value(self) -> float | None:
        """The watched validation value of the epoch that is kept."""
        return None if self.epoch is None else self.values[self.epoch - 1]


def trial_name(number: int) -> str:
    """``trial 7``."""
    return f"trial {number}"


def trial_run(folder: Path, number: int) -> Path:
    """Where the run of a trial lies in a study's folder."""
    return folder / PLACE / f"trial-{number:03d}" / f"seed-{FIRST_SEED + number}"


class Searched(NamedTuple):
    """The study that searched for a study's variants, and how it did."""

    study: Study
    design: Search


def searched(folder: Path) -> Searched | None:
    """How the variants of a study's folder were searched for; None where they were not."""
    path = folder / PLACE / "study.yaml"
    study = load_study(path) if path.is_file() else None
    return Searched(study, study.search) if study and study.search else None


def watched(study: Study) -> str:
    """The value that the trials of a search are judged by: the one that the base watches."""
    return study.plan["base"].recipe.train.watch


def read_trials(folder: Path, study: Study) -> list[Trial]:
    """The trials begun in a study's folder, by number. ``study`` is the one that searches."""
    recipe = study.plan["base"].recipe
    proposed = {
        int(path.parent.name.removeprefix("trial-")): path for path in (folder / PLACE).glob(f"trial-*/{PARAMETERS}")
    }
    assert study.search
    asked = [number for number in sorted(proposed) if number <= study.search.trials]
    return [_trial(number, proposed[number], watched(study), recipe.train.keep) for number in asked]


class Far(NamedTuple):
    """Trials that are done, of those that are planned."""

    done: int
    planned: int


def how_far(folder: Path) -> Far | None:
    """How far the search of a study's folder is; None where there was none."""
    found = searched(folder)
    if found is None:
        return None
    return Far(sum(trial.is_done for trial in read_trials(folder, found.study)), found.design.trials)


def ranked(trials: Sequence[Trial], metric: str) -> list[Trial]:
    """Those that were trained to their end and have a value, the best first; of equals the first proposed."""
    sign = 1 if lower_is_better(metric) else -1
    whole = [(sign * trial.value, trial) for trial in trials if trial.state == "finished" and trial.value is not None]
    return [trial for _, trial in sorted(whole, key=lambda each: (each[0], each[1].number))]


def validation(metric: str) -> str:
    """``validation accuracy``."""
    there = f"validation_{metric}"
    return label(there) if known(there).of else say("validation {metric}", metric=label(metric))


def remark(folder: Path) -> list[str]:
    """Of a study whose variants were searched for, what its verdict rests on, in a sentence."""
    found = searched(folder)
    return [behind(*found, read_trials(folder, found.study))] if found else []


def behind(study: Study, design: Search, trials: Sequence[Trial]) -> str:
    """How many trials stood behind the choice, and what pays for it; of a search that goes on, how far it is."""
    if (done := sum(trial.is_done for trial in trials)) < design.trials:
        return say(
            "The search is not over: {done} of {planned} trials are done, and variants are chosen when all are.",
            done=done,
            planned=design.trials,
        )
    return say(
        "The variants but the base are the best of {n} trials by {metric} ({proposed}). No trial was tried on test "
        "images, and their seeds are none of these: the comparison is of the chosen few alone, trained anew, and pays "
        "for these few, not for the trials.",
        n=len(trials),
        metric=validation(watched(study)),
        proposed=say(PROPOSED_BY[design.search]),
    )


def _trial(number: int, proposed: Path, metric: str, keep: str) -> Trial:
    run = trial_run(proposed.parent.parent.parent, number)
    status = read_object(run / "status.json", missing={})
    state: Any = "stopped" if status.get("stopped") else status.get("state", "waiting")
    values = tuple(_values(run / "history.parquet", metric))
    return Trial(number, read_object(proposed), state, values, _kept(values, metric, keep), status.get("reason"))


def _values(history: Path, metric: str) -> list[float]:
    if not history.exists():
        return []
    column = f"validation_{metric}"
    table = read_table(history)
    if column not in table.columns:
        raise AssayError(f"{history} has no column {column}")
    return table[column].cast(pl.Float64).fill_null(math.nan).to_list()


def _kept(values: Sequence[float], metric: str, keep: str) -> int | None:
    """The epoch, from 1, whose weights are kept; None where that has no value."""
    there = {epoch: value for epoch, value in enumerate(values, 1) if math.isfinite(value)}
    if keep == "last":
        return len(values) if len(values) in there else None
    sign = 1 if lower_is_better(metric) else -1
    return min(there, key=lambda epoch: sign * there[epoch], default=None)
