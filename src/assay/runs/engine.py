"""A study is run: checked whole, then trained in this process, or in several that share its folder as their queue."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError
from assay.recipe.design import as_tried
from assay.recipe.study import Study, refuse_undecidable
from assay.results import Results
from assay.results.measurable import refuse_not_measured
from assay.results.wanted import refuse_unwanted
from assay.runs.at_once import Jobs, at_once, keep_threads, refuse_jobs
from assay.runs.checks import check_networks_and_data, refuse_other_recipe, refuse_other_study
from assay.runs.display import Display
from assay.runs.effect import check_effect, without_own_levels
from assay.runs.jobs import Job, here, planned, work
from assay.runs.place import place
from assay.runs.proposing import need
from assay.runs.reuse import take_over
from assay.runs.search import refuse_other_search, search
from assay.system import claim, files
from assay.system.integrity import hashes

if TYPE_CHECKING:
    from assay.runs.folder import Settings


def run(
    study: Study,
    out: str | Path = "runs",
    *,
    data: str | Path | None = None,
    jobs: Jobs = 1,
    retry: bool = False,
    quiet: bool = False,
    command: str = "",
    on: str | None = None,
) -> Results:
    """Check the whole study, train what is not yet trained, and return the results.

    ``data`` is the data root (else ``$ASSAY_DATA``, else ``./data``); ``jobs`` the number of local processes, among
    which the threads are divided, or ``"auto"``, which takes what pays here and says it; ``retry`` runs failed runs
    again; ``on`` names a Ray cluster (``ray``, ``ray://host:port``), where ``jobs`` is how many runs train at once.
    Raises AssayError before anything is trained when some part of the study cannot work, and StudyStopped when the disk
    is full.
    """
    from assay.data import data_root
    from assay.runs.folder import Settings

    refuse_jobs(jobs)
    cluster = place(on) if on else None
    if cluster and cluster.engine == "slurm":
        raise AssayError("on='slurm': an array is submitted and not awaited; assay.runs.slurm has what it takes")
    study = without_own_levels(study)
    if cluster and (shared := [name for name, each in study.plan.items() if each.recipe.train.devices > 1]):
        raise AssayError(f"variant '{shared[0]}': train.devices shares a run on one machine, not on Ray; expected 1")
    folder, root = Path(out) / study.name, data_root(data)
    with Display(quiet) as display:
        settings = Settings(root=root, threads=1, command=command)
        if study.search and not cluster:
            study = search_here(study, folder, settings, jobs, data, retry, display)
        every = prepare(study, folder, root, retry, display, elsewhere=bool(cluster))
        if cluster and not all(job.is_done for job in every):
            from assay.runs.ray.driver import run_on_ray

            run_on_ray(cluster, every, folder, settings, jobs, data, display)
        else:
            train_here(every, folder, settings, jobs, data, display)
        display.refresh()
    return Results.read(folder)


def train_here(
    jobs: list[Job], folder: Path, settings: "Settings", at_most: Jobs, data: str | Path | None, display: Display
) -> None:
    """Train ``jobs`` in this process, or in several, with the threads that the study was begun with."""
    shared = at_once(at_most, jobs, folder, settings.root)
    settings = replace(settings, threads=keep_threads(folder, shared, data))
    display.watch(jobs, shared.jobs, shared.why)
    if shared.jobs == 1:
        work(jobs, here(settings, display.refresh), display.refresh, display.waiting)
    else:
        from assay.runs.processes import run_workers

        run_workers(jobs, settings, shared.jobs, display.refresh)


def search_here(
    study: Study,
    folder: Path,
    settings: "Settings",
    at_most: Jobs,
    data: str | Path | None,
    retry: bool,
    display: Display,
) -> Study:
    """Train the trials that are left of a search, after its ends have been checked; the study of the best few."""
    assert study.search
    need()
    refuse_other_search(study, folder)
    with as_tried(study.tried):
        ends = plan_jobs(without_own_levels(study.at_ends), folder, settings.root, display)
    shared = at_once(at_most, ends, folder, settings.root)
    if not (folder / "study.yaml").exists():  # that of the few stays until there is another one
        files.write(folder / "study.yaml", study.dump())

    def train(trials: list[Job]) -> None:
        for job in trials:
            tidy(job, retry)
        train_here(trials, folder, replace(settings, trials=True), shared.jobs, data, display)
        display.refresh()

    return search(study, study.search, folder, shared.jobs, train)


def prepare(
    study: Study, folder: Path, root: Path, retry: bool, display: Display, elsewhere: bool = False
) -> list[Job]:
    """Every run of the study, checked; ``folder`` is ready for whoever works on them."""
    if study.search:
        raise AssayError(
            f"design: trials of a search train without --on; {folder / 'study.yaml'} then has the best few"
        )
    jobs = plan_jobs(study, folder, root, display, elsewhere)
    files.write(folder / "study.yaml", study.dump())
    display.taken_over(take_over(jobs, folder))
    for job in jobs:
        tidy(job, retry)
    return jobs


def plan_jobs(study: Study, folder: Path, root: Path, display: Display, elsewhere: bool = False) -> list[Job]:
    """Every run of the study, seed by seed, after everything that can be known before training has been checked.

    Where they train ``elsewhere``, this machine need not have the devices.
    """
    if folder.parent.exists() and not folder.parent.is_dir():
        raise AssayError(f"--out {folder.parent} is a file, expected the folder of all studies")
    refuse_other_study(study, folder)
    check_effect(study, display.warn)
    refuse_undecidable(study)
    refuse_not_measured(study)
    refuse_unwanted(study)
    jobs = readable(planned(study, folder), display)
    for job in jobs:
        refuse_other_recipe(job)
    check_networks_and_data(jobs, root, display, elsewhere)
    return jobs


def readable(jobs: list[Job], display: Display) -> list[Job]:
    """The runs whose status can be read; the others are told and left as they are."""
    whole = []
    for job in jobs:
        try:
            hashes(job.folder)
        except AssayError as error:
            display.warn(f"left out: {error}")
        else:
            whole.append(job)
    return whole


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
