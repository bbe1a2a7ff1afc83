"""The runs that a study plans, and the work on them: claim one, execute it, go on until all are done."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.recipe import Recipe
from assay.recipe.study import Study
from assay.runs.essence import learning
from assay.system import claim, files
from assay.system.files import read_object

if TYPE_CHECKING:
    from assay.runs.folder import Settings


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


def planned(study: Study, folder: Path) -> list[Job]:
    """Every run that the study plans in ``folder``, seed by seed."""
    return [
        Job(name, seed, variant.with_seed(seed), folder / variant.folder / f"seed-{seed}")
        for seed in study.seed_list
        for name, variant in study.plan.items()
    ]


def leading(jobs: Sequence[Job]) -> Callable[[Iterable[Job]], list[Job]]:
    """Of runs of ``jobs`` that are left, those that need not wait until another has trained the same."""
    kinds = {job.folder: learning(job.recipe.dump()) for job in jobs}

    def now(left: Iterable[Job]) -> list[Job]:
        trained = {kinds[job.folder] for job in jobs if job.state == "finished"}
        first: dict[str, Job] = {}
        return [job for job in left if first.setdefault(kinds[job.folder], job) is job or kinds[job.folder] in trained]

    return now


def record_failure(job: Job, reason: str, claimed: claim.Claim) -> None:
    """Write down as failed a run whose process cannot do it any more."""
    before = job.status or {"epoch": 0, "epochs": job.recipe.train.total_epochs}
    status = {"state": "failed", "reason": reason, "recipe_hash": job.recipe.hash, "updated": time.time()}
    files.write_json(job.folder / "status.json", before | status, claimed.check)


Train = Callable[[Job, claim.Claim], None]
"""Executes a run that was claimed."""


def here(settings: "Settings", refresh: Callable[[], None] = lambda: None) -> Train:
    """Runs are executed in this process; ``refresh`` is called after each epoch."""
    from assay.runs.folder import Folder
    from assay.runs.run import execute, shared_data

    shared_data.cache_clear()  # the pictures may have changed since this process last ran a study
    return lambda job, claimed: execute(job.recipe, Folder(job.folder, claimed.check), settings, refresh)


def work(
    jobs: list[Job],
    train: Train,
    refresh: Callable[[], None] = lambda: None,
    waiting: Callable[[list[Job]], bool | None] = lambda jobs: None,
) -> None:
    """Claim and ``train`` one run after the other until all are done, by us or by somebody else.

    ``waiting`` is told the runs that others hold when there is nothing else to do; its True ends the work.
    """
    watch, pending, ready = claim.Watch(), list(jobs), leading(jobs)
    while pending := [job for job in pending if not job.is_done]:
        for job in ready(pending):
            claimed = claim.acquire(job.folder, watch)
            if claimed is None:
                continue
            with claimed, suppress(claim.ClaimLost):
                if not job.is_done:
                    train(job, claimed)
            break
        else:
            if waiting(pending):
                return
            time.sleep(1.0)
        refresh()
