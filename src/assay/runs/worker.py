"""A worker without a parent: the study's folder tells it what to do, and others may be at the same folder."""

from dataclasses import dataclass
from pathlib import Path

from assay.errors import AssayError
from assay.recipe.study import load_study
from assay.results import Results
from assay.runs.at_once import at_once, keep_threads
from assay.runs.display import Display
from assay.runs.engine import readable
from assay.runs.jobs import Job, here, planned, work
from assay.runs.likeness import kept, likeness, refuse_unlike
from assay.system import claim


@dataclass(frozen=True)
class Left:
    """How a worker leaves a study."""

    results: Results
    elsewhere: int
    """Runs that others are training still."""


def work_on(folder: Path, *, data: str | Path | None = None, quiet: bool = False, command: str = "") -> Left:
    """Train what is left, and nobody else trains, of the study that ``assay run`` prepared in ``folder``.

    What others hold is waited for only where they may be dead. Raises AssayError where the study was prepared with
    another assay or other images than are here, and StudyStopped when the disk is full.
    """
    from assay.data import data_root
    from assay.runs.folder import Settings

    if not (folder / "study.yaml").is_file():
        raise AssayError(f"{folder} holds no study; 'assay run STUDY --on slurm' prepares one")
    root, others = data_root(data), list[Job]()

    def leave(left: list[Job]) -> bool:
        others[:] = [job for job in left if claim.holder_alive(job.folder)]
        return len(others) == len(left)

    with Display(quiet) as display:
        study = load_study(folder)
        if study.search:
            raise AssayError(f"{folder}: its search is not over, and trials train with 'assay run' alone")
        jobs = readable(planned(study, folder), display)
        there = likeness((job.recipe for job in jobs), root)
        refuse_unlike(kept(folder) or there, there, "this machine")
        threads = keep_threads(folder, at_once(1, jobs, folder, root), data)
        display.watch(jobs)
        settings = Settings(root, threads, command=command)
        work(jobs, here(settings, display.refresh), display.refresh, leave)
        display.refresh()
    return Left(Results.read(folder), sum(not job.is_done for job in others))
