"""A search: trials are proposed, trained and judged by validation images; of the best few a study is made.

Killed and begun again it goes on with the same trials: what was proposed lies with each, and the runs are its memory.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from assay.errors import AssayError, StudyStopped
from assay.models.catalogue import complete
from assay.recipe import Recipe, overrides
from assay.recipe.design import FIRST_SEED, Search
from assay.recipe.effect import effective
from assay.recipe.study import Study
from assay.recipe.validation import validate
from assay.results.trials import PARAMETERS, PLACE, Trial, ranked, read_trials, searched, trial_name, trial_run, watched
from assay.runs.checks import ELSEWHERE, refuse_other_recipe
from assay.runs.jobs import Job
from assay.runs.proposing import proposed
from assay.system import files

Train = Callable[[list[Job]], None]


def search(study: Study, design: Search, folder: Path, at_once: int, train: Train) -> Study:
    """Train the trials that are left, ``at_once`` of them side by side; the study of the base and the best few.

    Trials proposed by TPE are judged before the next are proposed, so many at a time as run at once: how many these
    are changes which come next. The folder is one that ``refuse_other_search`` lets pass. Raises StudyStopped where no
    trial has a value to choose by.
    """
    files.write(folder / PLACE / "study.yaml", study.dump())
    size = at_once if design.search == "optuna" else design.trials
    for first in range(1, design.trials + 1, size):
        numbers = range(first, min(first + size, design.trials + 1))
        jobs = list(trial_jobs(study, design, folder, numbers))
        if any(job.state != "finished" for job in jobs):
            train(jobs)
    return of_best(study, design, read_trials(folder, study))


def refuse_other_search(study: Study, folder: Path) -> None:
    """Raise AssayError where the trials in the folder are of another base, other ranges or another way, or too many."""
    found = searched(folder)
    if found is None or study.search is None:
        return
    there, design = found
    asked: dict[str, tuple[object, object]] = {"vary": (there.vary, study.vary)}
    asked |= {"base": (there.plan["base"].recipe, study.plan["base"].recipe)}
    asked |= {f"design.{key}": (getattr(design, key), getattr(study.search, key)) for key in ("search", "prune")}
    for key, (was, now) in asked.items():
        if was != now:
            raise AssayError(f"{folder / PLACE} has the trials of another search: its {key} differs; {ELSEWHERE}")
    begun = max((each.number for each in read_trials(folder, there) if each.state != "waiting"), default=0)
    if begun > study.search.trials:
        raise AssayError(
            f"design.trials: {study.search.trials}, but {begun} were begun in {folder / PLACE}, and all count"
        )


def trial_jobs(study: Study, design: Search, folder: Path, numbers: Iterable[int]) -> Iterable[Job]:
    """The runs of these trials; what is proposed for a new one is written down first."""
    numbers = list(numbers)
    known = {trial.number: trial for trial in read_trials(folder, study)}
    before = [trial for number, trial in known.items() if number < numbers[0]]
    for number in numbers:
        run = trial_run(folder, number)
        if number not in known:
            found = proposed(design, study.vary, number, watched(study), before)
            files.create(run.parent / PARAMETERS, json.dumps(found, ensure_ascii=False) + "\n")
            known |= {trial.number: trial for trial in read_trials(folder, study)}
        try:
            recipe = recipe_of(study, known[number], FIRST_SEED + number)
        except AssayError as error:  # levels that do not go together
            files.write_json(run / "status.json", {"state": "failed", "reason": str(error)})
            continue
        job = Job(trial_name(number), FIRST_SEED + number, recipe, run)
        refuse_other_recipe(job)
        yield job


def recipe_of(study: Study, trial: Trial, seed: int = 0) -> Recipe:
    """The base with a trial's parameters. Raises AssayError where they do not go together."""
    tree = study.base
    for key, level in trial.parameters.items():
        tree = overrides.put(tree, key, level)
    return validate(Recipe, tree, trial.name).model_copy(update={"seed": seed})


def of_best(study: Study, design: Search, trials: list[Trial]) -> Study:
    """The study of the base and the best trials, under their names; of trials that train alike the better one."""
    best = ranked(trials, watched(study))
    if not best:
        why = next((f": {trial.name}: {trial.reason}" for trial in trials if trial.reason), "")
        raise StudyStopped(f"none of the {len(trials)} trials has a validation value to choose by{why}")
    kinds = {_kind(study.plan["base"].recipe)}
    chosen: dict[str, dict[str, object] | None] = {"base": None}
    for trial in best:
        kind = _kind(recipe_of(study, trial))
        if kind not in kinds and len(chosen) <= design.best:
            chosen[trial.name] = trial.parameters
            kinds.add(kind)
    return study.varying({}, design="grid", variants=chosen)


def _kind(recipe: Recipe) -> tuple[str, ...]:
    """Equal for recipes that train alike."""
    return tuple(stage.hash for stage in effective(complete(recipe)))
