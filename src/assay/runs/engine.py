"""Where runs execute: in this process, or in several worker processes that share the study's folder as their queue."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError
from assay.recipe import Recipe
from assay.recipe.study import Study, load_study
from assay.recipe.yaml_files import read_yaml
from assay.results.folders import read_object
from assay.results.results import Results
from assay.runs.display import Display
from assay.system import claim, files

if TYPE_CHECKING:
    from assay.data import ImageSet


@dataclass(frozen=True)
class Job:
    """One run that the study plans."""

    variant: str
    seed: int
    recipe: Recipe
    folder: Path

    @property
    def status(self) -> dict[str, Any]:
        """What its status.json says now; empty before the run was ever begun."""
        return read_object(self.folder / "status.json", missing={})

    @property
    def state(self) -> str | None:
        """``running``, ``finished``, ``failed``, or None before the run was ever begun."""
        state: str | None = self.status.get("state")
        return state

    @property
    def is_done(self) -> bool:
        """Whether nobody needs to train this run any more."""
        return self.state in ("finished", "failed")


def run_study(
    study: Study,
    out: Path = Path("runs"),
    *,
    data: str | Path | None = None,
    jobs: int = 1,
    retry: bool = False,
    tensorboard: bool = False,
    quiet: bool = False,
    command: str = "",
) -> Results:
    """Check the whole study, train what is not yet trained, and return the results.

    ``data`` is the data root (else ``$ASSAY_DATA``, else ``./data``); ``jobs`` the number of local processes, among
    which the threads are divided; ``retry`` runs failed runs again. Raises AssayError before anything is trained when
    some part of the study cannot work, and StudyStopped when the disk is full.
    """
    from assay.data import data_root
    from assay.runs.run import Settings
    from assay.train.tensorboard import available

    if jobs < 1:
        raise AssayError(f"jobs: found {jobs}, expected at least 1")
    if Path(out).exists() and not Path(out).is_dir():
        raise AssayError(f"--out {out} is a file, expected the folder of all studies")
    folder, root = Path(out) / study.name, data_root(data)
    with Display(quiet) as display:
        refuse_other_study(study, folder)
        planned = plan_jobs(study, folder, root, display)
        files.write(folder / "study.yaml", study.dump())
        threads = stored_threads(folder, jobs)
        for job in planned:
            tidy(job, retry)
        if tensorboard and not available():
            display.warn("TensorBoard is not installed, so no event files: pip install 'assay-studies[tensorboard]'")
            tensorboard = False
        settings = Settings(root=root, threads=threads, tensorboard=tensorboard, command=command)
        display.watch(planned)
        if jobs == 1:
            work(planned, settings, display.refresh, display.waiting)
        else:
            from assay.runs.processes import run_workers

            run_workers(planned, settings, jobs, display.refresh)
        display.refresh()
    return Results.read(folder)


def work(
    jobs: list[Job],
    settings: Any,
    refresh: Callable[[], None] = lambda: None,
    waiting: Callable[[list[Job]], None] = lambda jobs: None,
) -> None:
    """Claim and execute one run after the other until all are done, by us or by somebody else.

    ``waiting`` is told the runs that others hold when there is nothing else to do.
    """
    import time

    from assay.runs.run import Folder, execute, shared_data

    shared_data.cache_clear()  # the pictures may have changed since this process last ran a study
    watch, pending = claim.Watch(), list(jobs)
    while pending := [job for job in pending if not job.is_done]:
        for job in pending:
            claimed = claim.acquire(job.folder, watch)
            if claimed is None:
                continue
            with claimed, suppress(claim.ClaimLost):
                if not job.is_done:
                    execute(job.recipe, Folder(job.folder, claimed.check), settings, refresh)
            break
        else:
            waiting(pending)
            time.sleep(1.0)
        refresh()


def plan_jobs(study: Study, folder: Path, root: Path, display: Display) -> list[Job]:
    """Every run of the study, seed by seed, after everything that can be known before training has been checked."""
    jobs = [
        Job(name, seed, variant.with_seed(seed), folder / variant.folder / f"seed-{seed}")
        for seed in study.seed_list
        for name, variant in study.plan.items()
    ]
    for job in jobs:
        refuse_other_recipe(job)
    check_networks_and_data(jobs, root, display)
    return jobs


def refuse_other_study(study: Study, folder: Path) -> None:
    """Raise AssayError when the folder was made by a study with another question and none of these variants."""
    path = folder / "study.yaml"
    if not path.exists():
        return
    there = load_study(path)
    if there.title != study.title and not set(there.plan) & set(study.plan):
        raise AssayError(
            f"{folder} belongs to another study, '{there.title}'; choose another --out, give this study another "
            "'name:', or delete that folder"
        )


def refuse_other_recipe(job: Job) -> None:
    """Raise AssayError when the run's folder was made by another recipe."""
    from assay.models.catalogue import complete

    path = job.folder / "recipe.yaml"
    if not path.exists():
        return
    there, here = flatten(read_yaml(path)), flatten(complete(job.recipe).dump())
    for key in [*here, *there]:
        if there.get(key) != here.get(key):
            raise AssayError(
                f"{job.folder} belongs to another study: {key} is {there.get(key)!r} there and {here.get(key)!r} here; "
                "choose another --out, give the study another name, or delete that folder"
            )


def flatten(tree: Any, path: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys."""
    if not isinstance(tree, dict):
        return {path: tree}
    return {k: v for key, part in tree.items() for k, v in flatten(part, f"{path}.{key}".lstrip(".")).items()}


def check_networks_and_data(jobs: list[Job], root: Path, display: Display) -> None:
    """Decode the data, cut the splits and build and try every network, so that mistakes show before training."""
    from assay.data import open_images, split
    from assay.data.augment import augmenter
    from assay.models.catalogue import complete
    from assay.system.machine import resolve_device

    seen: set[str] = set()
    opened: dict[str, ImageSet] = {}
    made: dict[str, str] = {}
    for job in jobs:
        with of_variant(job):
            recipe = complete(job.recipe)
        if (other := made.setdefault(recipe.hash, job.variant)) != job.variant:
            raise AssayError(f"variants '{other}' and '{job.variant}' are the same recipe; leave one out")
        resolve_device(recipe.train.device)
        if (source := repr(recipe.data)) not in opened:
            with display.decoding(recipe.data.source) as progress:
                opened[source] = open_images(recipe.data, root, progress)
        images = opened[source]
        split(recipe.data, images, job.seed)
        train = recipe.train
        key = repr((recipe.model, train.loss, train.phases, train.batch_size, recipe.data, recipe.evaluate))
        if key in seen:
            continue
        seen.add(key)
        shape = images.pixels.shape[1:]
        augmenter(recipe.data.augment, *shape[1:])
        with of_variant(job):
            check_network(recipe, shape, images.classes)


def check_network(recipe: Recipe, shape: tuple[int, int, int], classes: list[str]) -> None:
    """Build and try the network of a recipe in each phase; AssayError where it could not be trained or measured."""
    import torch

    from assay.evaluate.measuring import check as check_measures
    from assay.models.catalogue import try_out
    from assay.models.freezing import needs_two
    from assay.models.weights import fitting
    from assay.seeds import scoped
    from assay.tasks import classification
    from assay.train.frozen import TRIAL, only_the_head_learns, why_not_kept

    with scoped(0, "trial"):
        images = torch.rand(TRIAL, *shape)
    outputs = classification.outputs(recipe.train.loss, classes)
    for number, stage in enumerate(recipe.stages):
        with of_phase(recipe, number):
            network = try_out(stage.model, shape, outputs)
        if recipe.train.batch_size == 1 and needs_two(network):
            raise AssayError("train.batch_size: 1 is too small for a batch norm that learns; expected at least 2")
        if recipe.data.augment_views and only_the_head_learns(network, stage):
            why_not_kept(network, images, stage)
    if recipe.model.pretrained is not False:
        fitting(network, recipe.model, shape, classes)
    check_measures(recipe, network, torch.zeros(2, *shape))


@contextmanager
def of_variant(job: Job) -> Iterator[None]:
    """A mistake found inside is told with the variant's name."""
    try:
        yield
    except AssayError as error:
        raise AssayError(f"variant '{job.variant}': {error}") from None


@contextmanager
def of_phase(recipe: Recipe, number: int) -> Iterator[None]:
    """A mistake in what a phase of its own freezes is told under the phase's key."""
    try:
        yield
    except AssayError as error:
        if not recipe.train.phases or "freeze" not in recipe.train.phases[number].given:
            raise
        raise AssayError(str(error).replace("model.freeze", f"train.phases.{number}.freeze")) from None


def stored_threads(folder: Path, jobs: int) -> int:
    """The threads each run of this study uses: decided at its first start and kept, since they change last bits."""
    path = folder / "machine.json"
    files.create(path, f'{{"threads": {max(1, available_cores() // jobs)}}}\n')
    try:
        threads = read_object(path).get("threads")
    except AssayError:
        raise AssayError(f"{path} cannot be read; delete it, and the threads are counted anew") from None
    if not isinstance(threads, int) or threads < 1:
        raise AssayError(f"{path}: threads is {threads!r}, expected the number of threads that a run uses")
    return threads


def tidy(job: Job, retry: bool) -> None:
    """Remove what a killed process left in a run that is done, and note that it is this recipe's where that is now
    written in other words; with ``retry``, forget a failure.

    Under a claim, since others may be at the run; taking and releasing it removes dead claims and temporary files.
    """
    leftovers = ("claim-*.json", "checkpoint.safetensors", ".*.tmp")
    forget = retry and job.state == "failed"
    reworded = job.status.get("recipe_hash") != job.recipe.hash
    litter = any(any(job.folder.glob(pattern)) for pattern in leftovers)
    if not job.is_done or not (forget or reworded or litter):
        return
    claimed = claim.acquire(job.folder, claim.Watch())
    if claimed is None:
        return
    with claimed:
        if job.state == "finished":
            (job.folder / "checkpoint.safetensors").unlink(missing_ok=True)
        if reworded and job.is_done:
            files.write_json(job.folder / "status.json", job.status | {"recipe_hash": job.recipe.hash})
        if job.state == "failed" and retry:
            (job.folder / "status.json").unlink(missing_ok=True)


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def own_command() -> str:
    """The command that this process was started with, when it is assay's own."""
    import shlex

    program = Path(sys.argv[0])
    is_assay = program.stem == "assay" or program.parts[-2:] == ("assay", "__main__.py")
    return shlex.join(["assay", *sys.argv[1:]]) if is_assay else ""
