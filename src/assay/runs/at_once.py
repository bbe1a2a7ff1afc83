"""How many processes share a study and how many threads each has: as told, or what was measured to pay."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assay.errors import AssayError, size_text
from assay.recipe import Recipe
from assay.recipe.tasks import answered
from assay.runs.jobs import Job
from assay.system import files
from assay.system.files import read_object
from assay.system.memory import available_memory
from assay.system.process import available_cores

Jobs = int | Literal["auto"]
"""A number of local processes, or ``auto``."""
_OWN = 2**29
"""Bytes of a process before its first network: Python, torch and what they load."""
_TRAINED, _LEARNING = 4, 3
"""Copies of the weights (themselves, gradients, two averages) and of the activations (themselves, gradients, work)."""


@dataclass(frozen=True)
class AtOnce:
    """How a study is shared."""

    jobs: int
    """Local processes."""
    threads: int
    """Of each."""
    why: str = ""
    """What was taken and why, in a sentence, where that was left to assay."""


def refuse_jobs(jobs: object) -> None:
    """Raise AssayError where ``jobs`` is neither ``auto`` nor a number from 1."""
    if jobs != "auto" and not (isinstance(jobs, int) and jobs >= 1):
        raise AssayError(f"jobs: found {jobs!r}, expected at least 1, or 'auto'")


def at_once(jobs: Jobs, planned: Sequence[Job], folder: Path, root: Path) -> AtOnce:
    """The processes and threads of a study: ``jobs``, or what pays for the runs that are left.

    On cards one a card: a captured step leaves no gaps for another run. On the processor one a core, or as many as the
    threads that the study was begun with leave room for; in both cases no more than fit into free memory and than there
    are runs. A run of several devices (``train.devices``) counts as so many; the threads are those of each.
    """
    threads, cores = kept_threads(folder), available_cores()
    devices = max((job.recipe.train.devices for job in planned), default=1)
    if jobs != "auto":
        return AtOnce(jobs, threads or max(1, cores // (jobs * devices)))
    left = [job for job in planned if not job.is_done]
    if not left:
        return AtOnce(1, threads or max(1, cores // devices))
    count, why = min(limits([job.recipe for job in left], threads, root), key=lambda limit: limit[0])
    each = threads or max(1, cores // (count * devices))
    of = f" of {devices} devices" if devices > 1 else ""
    taken = f"{count} process{'es' if count > 1 else ''}{of} with {each} thread{'s' if each > 1 else ''}"
    return AtOnce(count, each, f"--jobs auto: {taken}{' each' if count > 1 else ''}: {why}")


def limits(recipes: Sequence[Recipe], threads: int | None, root: Path) -> list[tuple[int, str]]:
    """So many processes at most (from 1), each number with its reason, for the runs that are left."""
    from assay.system.machine import cards

    several, devices = len(recipes) > 1, max(recipe.train.devices for recipe in recipes)
    of_runs = (len(recipes), f"so many runs are left{'' if several else ' as one'}")
    if there := cards({recipe.train.device for recipe in recipes}):
        one = "a card" if devices == 1 else f"{devices} cards"
        return [(max(1, there // devices), f"one {one}, which a second run would only slow"), of_runs]
    cores = available_cores()
    words = f"{cores} core{'s' if cores > 1 else ''}"
    words += "" if threads is None else ", and the threads that the study was begun with"
    words += "" if devices == 1 else f" for {devices} devices a run"
    of_cores = (max(1, cores // (devices * (threads or 1))), words)
    if not several or of_cores[0] == 1:
        return [of_cores, of_runs]
    needed, free = max(memory_of(recipe, root) for recipe in distinct(recipes)), available_memory()
    fit = f"no more fit into the {size_text(free)} of free memory, at about {size_text(needed)} each"
    return [of_cores, (max(1, free // needed), fit), of_runs]


def distinct(recipes: Sequence[Recipe]) -> list[Recipe]:
    """One of those that need equally much memory."""
    needs = [(each.task, each.model, each.data, each.train.batch_size, each.train.devices) for each in recipes]
    return list(dict(zip(map(repr, needs), recipes, strict=True)).values())


def memory_of(recipe: Recipe, root: Path) -> int:
    """Bytes of the processes that train a run of ``recipe`` on the processor, about; its images are shared and not
    counted."""
    from assay.data import load
    from assay.models.catalogue import complete, try_out
    from assay.models.layer_table import summary
    from assay.tasks import catalogue

    recipe = complete(recipe)
    data = load(recipe.data, recipe.seed, root)
    outputs = catalogue.task(recipe.task).outputs(recipe.train.loss, data.classes)
    table = summary(try_out(recipe.model, data.shape, outputs, answered(recipe.task)), data.shape)
    activations = _LEARNING * recipe.train.batch_size * table.activation_bytes
    return recipe.train.devices * (_OWN + _TRAINED * table.weight_bytes) + activations


def kept_threads(folder: Path) -> int | None:
    """The threads that each run of a study uses since its first start; None before that."""
    path = folder / "machine.json"
    if not path.exists():
        return None
    try:
        threads = read_object(path).get("threads")
    except AssayError:
        raise AssayError(f"{path} cannot be read; delete it, and the threads are counted anew") from None
    if not isinstance(threads, int) or threads < 1:
        raise AssayError(f"{path}: threads is {threads!r}, expected the number of threads that a run uses")
    return threads


def keep_threads(folder: Path, shared: AtOnce, data: str | Path | None = None) -> int:
    """The threads each run of this study uses: decided at its first start and kept, since they change last bits.

    The jobs, by which they were divided, and the data root that was named then are kept for whoever repeats the study.
    """
    first = {"threads": shared.threads, "jobs": shared.jobs, "data": None if data is None else str(data)}
    files.create(folder / "machine.json", json.dumps(first, ensure_ascii=False) + "\n")
    return kept_threads(folder) or shared.threads
