"""A run that is a trial of a search: it ends with its training, and sooner where it falls behind the others."""

from collections.abc import Callable
from pathlib import Path

from assay.recipe import Recipe
from assay.results.trials import read_trials, searched, watched
from assay.runs.folder import Folder
from assay.runs.proposing import falls_behind


class FellBehind(Exception):
    """A trial that the search stops; ``str`` says why."""


def halting(run: Path, recipe: Recipe, on_epoch: Callable[[], None]) -> Callable[[], None]:
    """``on_epoch``, which then raises FellBehind where the search prunes and this trial is behind; at once where it was
    when its process ended."""
    folder = run.parent.parent.parent
    found = searched(folder)
    if found is None or found.design.prune is None:
        return on_epoch
    study = found.study
    number = int(run.parent.name.removeprefix("trial-"))

    def judge() -> None:
        trials = {trial.number: trial for trial in read_trials(folder, study)}
        own = trials.pop(number)
        others = [trial for trial in trials.values() if trial.number < number]
        if 0 < len(own.values) < recipe.train.total_epochs and falls_behind(watched(study), others, own):
            raise FellBehind(f"stopped after epoch {len(own.values)}: it fell behind the trials before it")

    def judged() -> None:
        on_epoch()
        judge()

    judge()
    return judged


def end_trial(folder: Folder, recipe: Recipe, status: Callable[..., None], stopped: str = "") -> None:
    """Say that a trial has ended, and how far it came; its history is all that is kept of it."""
    of_study = folder.path.parent.parent.parent
    found = searched(of_study)
    number = int(folder.path.parent.name.removeprefix("trial-"))
    assert found is not None
    own = next(trial for trial in read_trials(of_study, found.study) if trial.number == number)
    folder.log(stopped or "finished")
    far = {} if own.value is None else {"validation": {recipe.train.watch: own.value}}
    status("finished", len(own.values), **far | ({"stopped": True} if stopped else {}))
    (folder.path / "checkpoint.safetensors").unlink(missing_ok=True)
