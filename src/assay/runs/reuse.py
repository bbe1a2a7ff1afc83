"""A run that was trained under another variant's name is not trained again.

A study that gains or loses a factor calls its variants by other names. Where a finished run in its folder has the
recipe of one that is not yet begun, that one gets its files.
"""

import time
from contextlib import suppress
from pathlib import Path

from assay.errors import AssayError
from assay.models.catalogue import complete
from assay.recipe.yaml_files import read_yaml
from assay.runs.essence import essence
from assay.runs.jobs import Job
from assay.system import claim, files
from assay.system.files import read_object
from assay.system.integrity import changed, digest, digests, hashes


def take_over(jobs: list[Job], folder: Path) -> list[Job]:
    """The runs of ``jobs`` that got the files of a finished one elsewhere in ``folder``, which is left as it is."""
    return [job for job, run in equal_runs(jobs, folder) if _take(job, run)]


def equal_runs(jobs: list[Job], folder: Path) -> list[tuple[Job, Path]]:
    """The runs of ``jobs`` that are not yet begun, each with a finished one of its recipe elsewhere in ``folder`` whose
    files are still those that it wrote."""
    own, unbegun = {job.folder for job in jobs}, [job for job in jobs if job.state is None]
    others = [path.parent for path in folder.glob("*/seed-*/recipe.yaml") if path.parent not in own] if unbegun else []
    trained: dict[str, Path] = {}
    for run in others:
        with suppress(AssayError):  # a run that cannot be read is of no use
            if read_object(run / "status.json").get("state") == "finished":
                trained[essence(read_yaml(run / "recipe.yaml"))] = run
    asked = ((job, trained.get(essence(complete(job.recipe).dump()))) for job in unbegun)
    return [(job, run) for job, run in asked if run is not None and not changed(run, hashes(run) or {})]


def _take(job: Job, run: Path) -> bool:
    """Give a run the files of a finished one, unless somebody is at it already."""
    status, kept = read_object(run / "status.json"), hashes(run)
    claimed = claim.acquire(job.folder, claim.Watch())
    if claimed is None:
        return False
    with claimed:
        if job.state is not None:
            return False
        for name in (kept or digests(run)).keys() - {"log.txt"}:
            files.share(run / name, job.folder / name)
        log = (run / "log.txt").read_text(encoding="utf-8") if (run / "log.txt").exists() else ""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')}  taken over from {run}, which has the same recipe\n"
        files.write(job.folder / "log.txt", log + line, claimed.check)
        if kept is not None:
            status["files"] = kept | {"log.txt": digest(job.folder / "log.txt")}
        files.write_json(job.folder / "status.json", status | {"recipe_hash": job.recipe.hash}, claimed.check)
    return True
