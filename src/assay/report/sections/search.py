"""The section on the search that found a study's variants: its trials, by number and by parameter, and what matters."""

from collections.abc import Sequence
from typing import Any, Literal

import polars as pl

from assay.language.script import as_name
from assay.language.speech import later, say
from assay.recipe.design import Range, Search
from assay.recipe.names import label as level_label
from assay.recipe.names import shown_keys
from assay.recipe.study import Study
from assay.report.figures import Figure
from assay.report.section import Code, Folded, Grid, Part, Section, Sentences
from assay.report.sections import search_charts
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.results.formats import fixed, in_title
from assay.results.metrics import factor, is_share
from assay.results.trials import Trial, behind, ranked, read_trials, searched, validation, watched
from assay.runs.proposing import REDUCTION, importances

FINALIST = later("finalist")


def section(subject: Subject) -> Section | None:
    """None where the study's variants were not searched for."""
    found = searched(subject.results.folder)
    if found is None:
        return None
    study, design = found
    trials = read_trials(subject.results.folder, study)
    finalists = [trial.name for trial in trials if trial.name in subject.plan]
    frame = trials_frame(study, trials, finalists)
    parts: list[Part] = [Sentences(told(study, design, trials, finalists))]
    if (by_number := by_trial(study, frame)) is not None:
        parts += [by_number, Grid([by_parameter(study, key, frame) for key in study.vary])]
    parts.append(trials_table(study, trials, finalists, frame))
    parts.append(Folded(say("The study file of the search"), [Code(study.dump())]))
    return Section("search", say("The search"), "", parts, word=say("Search"))


def told(study: Study, design: Search, trials: Sequence[Trial], finalists: Sequence[str]) -> list[str]:
    """What stood behind the choice, what was left out, stopped, failed, which parameters matter."""
    said, best = [behind(study, design, trials)], [trial.name for trial in ranked(trials, watched(study))]
    last = max((best.index(name) for name in finalists if name in best), default=0)
    if alike := [name for name in best[:last] if name not in finalists]:
        trained_alike = say("Left out, since the base or a better trial trains alike: {trials}.")
        said.append(trained_alike.format(trials=say(", ").join(map(as_name, alike))))
    if design.prune:
        stopped = sum(trial.state == "stopped" for trial in trials)
        said.append(
            say(
                "{n} of {all} trials were stopped early by asynchronous successive halving (ASHA; Optuna's "
                "SuccessiveHalvingPruner): after 1, {second}, {third}, … epochs a trial goes on only if its {metric} "
                "is in the best quarter of what trials before it had then. Only trials that were trained to their end "
                "could be chosen; one that learns slowly at first may be among those stopped.",
                n=stopped,
                all=len(trials),
                second=REDUCTION,
                third=REDUCTION**2,
                metric=validation(watched(study)),
            )
        )
    if failed := sum(trial.state == "failed" for trial in trials):
        said.append(say("{n} of {all} trials failed and could not be chosen.", n=failed, all=len(trials)))
    if found := importances(study.vary, watched(study), trials):
        short = shown_keys(list(study.vary))
        shares = say(", ").join(f"{as_name(short[key])} {100 * share:.0f} %" for key, share in found.items())
        said.append(
            say(
                "Of what decides whether a trial is among the best (PED-ANOVA): {shares}. So few trials tell it "
                "roughly.",
                shares=shares,
            )
        )
    return said


def trials_frame(study: Study, trials: Sequence[Trial], finalists: Sequence[str]) -> pl.DataFrame:
    """A row per trial: trial, state, finalist, epochs, epoch, value, a column per parameter (its dotted key)."""
    scale = factor(watched(study))
    rows = [
        {
            "trial": trial.number,
            "state": FINALIST if trial.name in finalists else trial.state,
            "epochs": len(trial.values),
            "epoch": trial.epoch,
            "value": None if trial.value is None else scale * trial.value,
        }
        | {key: _plain(trial.parameters.get(key), levels) for key, levels in study.vary.items()}
        for trial in trials
    ]
    numbers = dict.fromkeys(("trial", "epochs", "epoch"), pl.Int64)
    types: dict[str, Any] = {"trial": pl.Int64, "state": pl.String} | numbers | {"value": pl.Float64}
    parameters = {key: pl.Float64 if isinstance(levels, Range) else pl.String for key, levels in study.vary.items()}
    return pl.DataFrame(rows, schema=types | parameters, strict=False)


def trials_table(study: Study, trials: Sequence[Trial], finalists: Sequence[str], frame: pl.DataFrame) -> Table:
    """Every trial, the best first; those that were not trained to their end last."""
    metric, short = watched(study), shown_keys(list(study.vary))
    best_first = ranked(trials, metric)
    rest = [trial for trial in trials if trial not in best_first]
    columns = [Column(say("trial")), *(Column(short[key]) for key in study.vary), Column(_heading(metric))]
    columns += [Column(say("epochs")), Column("", "left")]
    lines = [
        [
            Cell(str(trial.number)),
            *(Cell(_level(trial.parameters[key], levels)) for key, levels in study.vary.items()),
            Cell(_value(trial, metric), "best" if trial.name in finalists else ""),
            Cell(str(len(trial.values))),
            Cell(_word(trial, finalists)),
        ]
        for trial in (*best_first, *rest)
    ]
    caption = say(
        "Trials by {metric} of the epoch whose weights are kept, each at one seed of its own. The best of so many is a "
        "maximum and promises too much: what the finalists reach stands in the results.",
        metric=validation(metric),
    )
    return Table("trials", caption, columns, lines, frame)


def by_trial(study: Study, frame: pl.DataFrame) -> Figure | None:
    """The values in the order in which the trials were proposed; None where no trial has one."""
    there = frame.drop_nulls("value").filter(pl.col("value").is_finite())
    if there.is_empty():
        return None
    metric = watched(study)
    return Figure(
        "search-trials",
        say("{metric} by trial", metric=in_title(validation(metric))),
        say("In the order in which they were proposed."),
        say("{metric} of {n} trials; the numbers are in the table below.", metric=validation(metric), n=there.height),
        search_charts.by_trial(there.select("trial", "state", "epochs", "value"), _heading(metric)),
        there,
    )


def by_parameter(study: Study, key: str, frame: pl.DataFrame) -> Figure:
    """The values over one parameter, whatever the others were."""
    metric, levels, short = watched(study), study.vary[key], shown_keys(list(study.vary))[key]
    there = frame.drop_nulls("value").select("trial", "state", "epochs", "value", pl.col(key).alias("level"))
    axis: Literal["log", "linear"] | None = None
    if isinstance(levels, Range):
        axis = "log" if levels.log else "linear"
    chart = search_charts.by_parameter(there, short, _heading(metric), axis)
    return Figure(
        f"search-{key}",
        say("{metric} against {factor}", metric=in_title(validation(metric)), factor=as_name(short)),
        say("A mark a trial, whatever its other parameters."),
        say("{metric} against {factor}, {n} trials.", metric=validation(metric), factor=as_name(key), n=there.height),
        chart,
        there,
        wide=False,
    )


def _plain(level: object, levels: object) -> float | str | None:
    if isinstance(levels, Range):
        return float(level) if isinstance(level, int | float) else None
    return level_label(level)


def _level(level: object, levels: object) -> str:
    return f"{level:.4g}" if isinstance(levels, Range) and isinstance(level, float) else level_label(level)


def _heading(metric: str) -> str:
    return validation(metric) + " (%)" * is_share(metric)


def _value(trial: Trial, metric: str) -> str:
    if trial.value is None:
        return "–"
    return fixed(factor(metric) * trial.value, 2 if is_share(metric) else 4)


def _word(trial: Trial, finalists: Sequence[str]) -> str:
    if trial.name in finalists:
        return say(FINALIST)
    if trial.state == "stopped":
        return say("stopped after epoch {epoch}", epoch=len(trial.values))
    return "" if trial.state == "finished" else say(trial.state)
