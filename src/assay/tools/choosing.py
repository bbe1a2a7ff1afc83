"""Which finished runs are meant by the folder of a run, of a variant or of a study."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import polars as pl

from assay.errors import AssayError
from assay.recipe.tasks import TASKS
from assay.results import Results
from assay.results.folders import Run, read_table
from assay.results.metrics import label, lower_is_better, value_text
from assay.system.integrity import weights_changed
from assay.tasks import catalogue
from assay.tasks.predicting import scores


@dataclass(frozen=True)
class Chosen:
    """Finished runs that are asked: one, or the seeds of a variant."""

    runs: tuple[Path, ...]
    reason: str = ""
    """Which were taken and why, in a sentence; empty where the folder was that of a run."""


def choose(folder: Path, ensemble: bool = False) -> Chosen:
    """The run in ``folder``; of a variant or a study the best finished run, or under ``ensemble`` the seeds of the
    variant or of the best variant.

    Best is by what training watched, on the validation images and with the weights that were kept: the test images have
    no say. A folder that is none of these is taken for that of a run. Raises AssayError where no run has finished, none
    has validation images to choose by, or ``ensemble`` is asked of a single run. A run whose files are no longer those
    that it wrote is left out.
    """
    if (folder / "status.json").is_file():
        if ensemble:
            raise AssayError(f"{folder} is one run; --ensemble takes the folder of its variant, {folder.parent}")
        return Chosen((folder,))
    here = folder.resolve()
    if (folder / "study.yaml").is_file():
        results = Results.read(folder)
        runs = results.finished
    elif (here.parent / "study.yaml").is_file():
        results = Results.read(here.parent)
        runs = [run for run in results.finished if run.folder.parent.name == here.name]
    else:
        return Chosen((folder,))
    damaged = len(results.damaged)
    while runs:
        chosen = seeds_of_best(results, runs) if ensemble else best_run(results, runs)
        whole = {run for run in chosen.runs if not weights_changed(run)}
        if len(whole) == len(chosen.runs):
            return replace(chosen, reason=f"{chosen.reason}{_left_out(results, damaged)}")
        broken = set(chosen.runs) - whole
        damaged += len(broken)
        runs = [run for run in runs if run.folder not in broken]
    if damaged:
        raise AssayError(f"no run in {folder} is whole; 'assay verify {results.folder}' says what is wrong with each")
    raise AssayError(f"no run in {folder} has finished; 'assay status {results.folder}' says how far each is")


def best_run(results: Results, runs: Sequence[Run]) -> Chosen:
    """The run with the best validation value; of equals the first."""
    if len(runs) == 1:
        return Chosen((runs[0].folder,), f"Asked: {_name(runs[0])}, the only run that has finished.")
    metric = watched(results, runs)
    values = {run: value for run in runs if (value := validation_value(results, run, metric)) is not None}
    if not values:
        ways = "name one run, or take the seeds of a variant together with --ensemble"
        raise AssayError(f"no run has validation images to choose the best by, and the test images must not; {ways}")
    best = (min if lower_is_better(metric) else max)(values, key=values.__getitem__)
    text = (
        f"Asked: {_name(best)}, whose {_called(metric)} of {value_text(metric, values[best])} on its validation images"
    )
    return Chosen((best.folder,), f"{text} is the best of {len(values)} runs.{_caution(results, list(values))}")


def seeds_of_best(results: Results, runs: Sequence[Run]) -> Chosen:
    """All seeds of the variant with the best mean validation value; of equals the first."""
    by_variant: dict[str, list[Run]] = {}
    for run in runs:
        by_variant.setdefault(run.variant, []).append(run)
    taken, why = next(iter(by_variant)), ""
    if len(by_variant) > 1:
        metric = watched(results, runs)
        found = {name: [validation_value(results, run, metric) for run in own] for name, own in by_variant.items()}
        means = {name: fmean(there) for name, own in found.items() if (there := [v for v in own if v is not None])}
        if not means:
            raise AssayError("no run has validation images to choose the best variant by; name a variant's folder")
        taken = (min if lower_is_better(metric) else max)(means, key=means.__getitem__)
        why = f", whose mean {_called(metric)} of {value_text(metric, means[taken])} on validation images"
        why += f" is the best of {len(means)} variants"
    own = by_variant[taken]
    if len(own) == 1:
        raise AssayError(f"--ensemble: of {taken} one run has finished, and one network is no ensemble")
    seeds = ", ".join(str(run.seed) for run in own)
    text = f"Asked together: {taken}, seeds {seeds}{why}."
    return Chosen(tuple(run.folder for run in own), text + (_caution(results, runs) if why else ""))


def watched(results: Results, runs: Sequence[Run]) -> str:
    """What all these runs watched; the task's metric where they watched different things, or losses of their own."""
    recipes = [results.study.plan[run.variant].recipe for run in runs]
    values, losses = {recipe.train.watch for recipe in recipes}, {recipe.train.loss for recipe in recipes}
    alike = len(values) == 1 and (values != {"loss"} or len(losses) == 1)
    return values.pop() if alike else TASKS[results.study.task].metric


def validation_value(results: Results, run: Run, metric: str) -> float | None:
    """The metric of a run's kept weights on its validation images; None where it has none, or they do not tell."""
    rows = read_table(run.folder / "predictions.parquet").filter(pl.col("split") == "validation")
    if rows.is_empty():
        return None
    value = scores(catalogue.task(results.study.task).read(rows), [metric]).get(metric, np.nan)
    return value if np.isfinite(value) else None


def _called(metric: str) -> str:
    return label(metric).removeprefix("test ")


def _name(run: Run) -> str:
    return f"{run.variant}, seed {run.seed}"


def _left_out(results: Results, count: int) -> str:
    """A sentence where so many runs of the study are damaged."""
    return f" Damaged runs were left out: {count} ('assay verify {results.folder}' says which)." if count else ""


def _caution(results: Results, runs: Sequence[Run]) -> str:
    """A sentence where equal seeds had other validation images."""
    images: dict[int, set[str | None]] = {}
    for run in runs:
        images.setdefault(run.seed, set()).add(results.data(run).get("images_sha256", {}).get("validation"))
    if all(len(each) == 1 for each in images.values()):
        return ""
    return " The variants have other validation images, so that their values are not of the same pictures."
