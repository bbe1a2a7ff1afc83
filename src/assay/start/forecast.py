"""``assay run --dry-run``: what a study would train, how long that takes, and how much disk; nothing of it is kept."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from assay.data import data_root, load
from assay.errors import RunFailed, size_text
from assay.models.catalogue import complete
from assay.recipe import Recipe
from assay.recipe.design import Search, as_tried
from assay.recipe.study import Study
from assay.results.metrics import duration
from assay.results.trials import read_trials
from assay.runs.at_once import Jobs, at_once, refuse_jobs
from assay.runs.display import Display
from assay.runs.effect import without_own_levels
from assay.runs.engine import plan_jobs
from assay.runs.essence import learning
from assay.runs.jobs import Job
from assay.runs.proposing import need
from assay.runs.reuse import equal_runs
from assay.runs.search import of_best, refuse_other_search
from assay.runs.trouble import reason
from assay.start.trial import Trial, try_recipe
from assay.system.machine import cards, reproducible
from assay.system.memory import is_lack_of_memory


@dataclass(frozen=True)
class Expected:
    """What is known of a variant before it is trained."""

    variant: str
    runs: int
    done: int
    """Of the runs, those that have finished already, or failed where that is not to be tried again, or will be taken
    over."""
    taken_over: int
    """Of those done, how many have a finished run of the same recipe under another name in the study's folder."""
    epochs: int
    """Of each run, where no early stopping ends it."""
    seconds: float | None
    """Of each run; None where its trial failed."""
    bytes: int | None
    """Of each run's folder."""
    reason: str | None = None
    """Why its trial failed."""


@dataclass(frozen=True)
class Forecast:
    """What a study will take."""

    folder: Path
    variants: tuple[Expected, ...]
    seconds: float
    """Until all runs that are left have ended, about; of the variants whose trial did not fail."""
    bytes: int
    """That they will take, about."""
    jobs: int = 1
    """Local processes."""
    why: str = ""
    """What ``jobs="auto"`` took and why."""


def forecast(
    study: Study,
    out: str | Path = "runs",
    data: str | Path | None = None,
    jobs: Jobs = 1,
    quiet: bool = False,
    retry: bool = False,
) -> Forecast:
    """Check the whole study as ``run`` does, and try a few seconds of every variant that differs in what it costs.

    With ``retry`` the runs that failed are left to train.

    Nothing is written but the cache of decoded images and features. Raises AssayError where ``run`` would, before
    anything is trained.
    """
    refuse_jobs(jobs)
    folder, root = Path(out) / study.name, data_root(data)
    search, words = study.search, study.tried
    if search:
        need()
        refuse_other_search(study, folder)
        trials = read_trials(folder, study)
        ended = sum(trial.is_done for trial in trials)
        study = study.at_ends if ended < search.trials else of_best(study, search, trials)
    study = without_own_levels(study)
    with Display(quiet) as display:
        with as_tried(words):
            planned = plan_jobs(study, folder, root, display)
        shared = at_once(jobs, planned, folder, root)
        with (
            display.counting("trying", "variants") as trying,
            reproducible(shared.threads),
        ):
            variants = _tried(study, planned, folder, root, retry, trying)
    if search and ended < search.trials:
        variants = _of_search(search, ended, variants)
    left = [(each, each.runs - each.done) for each in variants]
    seconds = sum(n * (each.seconds or 0.0) for each, n in left)
    devices = max(job.recipe.train.devices for job in planned)
    there = cards({job.recipe.train.device for job in planned})  # runs take turns on them
    turns = min(shared.jobs, max(1, there // devices) if there else shared.jobs)
    seconds /= max(1, min(turns, sum(n for _, n in left)))
    size = sum(n * (each.bytes or 0) for each, n in left)
    return Forecast(folder, variants, seconds, size, shared.jobs, shared.why)


def _tried(
    study: Study,
    planned: list[Job],
    folder: Path,
    root: Path,
    retry: bool,
    trying: Callable[[int, int], None],
) -> tuple[Expected, ...]:
    known: dict[str, Trial | str] = {}
    learned: set[str] = set()
    equal = Counter(job.variant for job, _ in equal_runs(planned, folder))
    found = []
    for number, name in enumerate(study.plan):
        trying(number, len(study.plan))
        own = [job for job in planned if job.variant == name]
        recipe, taken = complete(own[0].recipe), equal[name]
        done = sum(job.is_done and not (retry and job.state == "failed") for job in own)
        counts = len(own), taken + done, taken
        if (cost := _cost(recipe)) not in known:
            try:
                known[cost] = try_recipe(recipe, load(recipe.data, recipe.seed, root))
            except Exception as error:
                if not (isinstance(error, RunFailed) or is_lack_of_memory(error)):
                    raise
                known[cost] = reason(error)
        trial, epochs = known[cost], recipe.train.total_epochs
        if isinstance(trial, str):
            found.append(Expected(name, *counts, epochs, None, None, trial))
        else:
            seconds = trial.other_seconds
            if (kind := learning(recipe.dump())) not in learned:
                seconds += trial.training_seconds
            learned.add(kind)
            found.append(Expected(name, *counts, epochs, seconds, trial.bytes))
    return tuple(found)


def _of_search(search: Search, ended: int, ends: tuple[Expected, ...]) -> tuple[Expected, ...]:
    """The base, the trials and the best few, which are taken to cost what the ends of the ranges cost on average."""
    base, some = ends[0], [each for each in ends if each.seconds is not None]
    seconds = sum(each.seconds or 0.0 for each in some) / len(some) if some else None
    size = sum(each.bytes or 0 for each in some) // max(1, len(some))
    epochs = max(each.epochs for each in ends)
    why = next((each.reason for each in ends if each.reason), None)
    trials = Expected("trials", search.trials, ended, 0, epochs, seconds, 0, why)
    best = Expected(f"the best {search.best}", search.best * base.runs, 0, 0, epochs, seconds, size, why)
    return base, trials, best


def _cost(recipe: Recipe) -> str:
    """Equal for recipes that take equally long: rates, weights of penalties and the like do not count."""
    train = recipe.train
    amounts = (train.epochs, train.batch_size, train.phases, train.devices)
    costly = (*amounts, train.optimizer.name, train.precision, train.channels_last)
    return repr(
        (recipe.task, recipe.model, recipe.data, recipe.evaluate, recipe.predict, train.loss.name, train.watch, *costly)
    )


def forecast_table(found: Forecast) -> RenderableType:
    """The forecast for the terminal: a row a variant, and all of it in a sentence."""
    table = Table("variant", box=None, pad_edge=False)
    for heading in ("runs", "done", "epochs", "a run", "its disk"):
        table.add_column(heading, justify="right")
    for each in found.variants:
        cost = ["", ""] if each.seconds is None else [duration(each.seconds), size_text(each.bytes or 0)]
        table.add_row(
            Text(each.variant), f"{each.runs:,}", f"{each.done:,}" if each.done else "·", str(each.epochs), *cost
        )
    failed = [Text(f"{each.variant} would fail: {each.reason}") for each in found.variants if each.reason]
    counted = ("runs", "done", "taken_over")
    runs, done, taken = (sum(getattr(each, name) for each in found.variants) for name in counted)
    equal = [Text(f"{taken:,} of the runs done will be taken over from runs of the same recipe")] if taken else []
    said = f"{runs - done:,} of {runs:,} runs are left: about {duration(found.seconds)}"
    said += f" and {size_text(found.bytes)} in {found.folder}; nothing was written there"
    shared = [Text(found.why)] if found.why else []
    return Group(table, *failed, "", *equal, *shared, Text(said))
