"""Several local processes at one study.

A worker is ``python -m assay.runs.processes``; its plan comes through its input, and the end of that input, whatever
ended us, ends it too.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from assay.errors import AssayError, StudyStopped
from assay.recipe import Recipe
from assay.runs.folder import Settings
from assay.runs.jobs import Job, here, record_failure, work
from assay.system import claim
from assay.system.children import Child, interrupts_blocked, manner, new_child

STOPPED = 3
"""Exit status of a worker whose trouble ends the whole study."""


def run_workers(jobs: list[Job], settings: Settings, count: int, refresh: Callable[[], None]) -> None:
    """Let ``count`` processes share the runs; a worker that dies costs its run, not the study."""
    waiting = sum(not job.is_done for job in jobs)
    workers: dict[int, Child] = {}
    deaths_between_runs = 0

    def start(number: int) -> None:
        with interrupts_blocked():
            workers[number] = new_child("assay.runs.processes", settings.threads)
        tell_plan(workers[number], jobs, replace(settings, device_number=number, workers=count))

    try:
        for number in range(min(count, waiting)):
            start(number)
        while workers:
            time.sleep(0.25)
            refresh()
            for number, worker in list(workers.items()):
                if worker.poll() is None:
                    continue
                del workers[number]
                if worker.returncode == STOPPED:
                    raise StudyStopped((worker.stdout.read() if worker.stdout else "").strip())
                if worker.returncode != 0:
                    deaths_between_runs += not record_death(jobs, worker)
                    if deaths_between_runs > count:
                        raise StudyStopped(f"worker processes end before they take up a run ({manner(worker)})")
                    start(number)
    finally:
        for worker in workers.values():
            worker.terminate()
        for worker in workers.values():
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def tell_plan(worker: Child, jobs: list[Job], settings: Settings) -> None:
    """Send the runs and settings to a worker."""
    plan = {
        "settings": asdict(settings) | {"root": str(settings.root)},
        "jobs": [vars(job) | {"recipe": job.recipe.dump(), "folder": str(job.folder)} for job in jobs],
    }
    assert worker.stdin is not None
    with suppress(BrokenPipeError):  # it died at once; the caller sees its exit status
        worker.stdin.write(json.dumps(plan) + "\n")
        worker.stdin.flush()


def record_death(jobs: list[Job], worker: Child) -> bool:
    """Write down as failed the run that a dead worker held; whether it still held one."""
    held = [job for job in jobs if is_held_by(job, worker)]
    for job in held:
        taken = claim.acquire(job.folder, claim.Watch())
        if taken is None:
            continue
        with taken:
            if not job.is_done:
                record_failure(job, f"its process ended without a word ({manner(worker)})", taken)
    return bool(held)


def is_held_by(job: Job, worker: Child) -> bool:
    """Whether the claim on the run is this dead worker's."""
    holder = claim.holder(job.folder)
    return bool(holder and holder.process and holder.process.pid == worker.pid and holder.is_dead_here())


def main() -> None:
    """The worker's side."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        line = sys.stdin.readline()
        if not line.endswith("\n"):
            return  # the parent ended before it had told its plan
        threading.Thread(target=_end_with_parent, daemon=True).start()
        plan: dict[str, Any] = json.loads(line)
        settings = Settings(**plan["settings"] | {"root": Path(plan["settings"]["root"])})
        jobs = [Job(**j | {"recipe": Recipe(**j["recipe"]), "folder": Path(j["folder"])}) for j in plan["jobs"]]
        work(jobs, here(settings))
    except KeyboardInterrupt:
        sys.exit(130)
    except AssayError as error:
        print(error)
        sys.exit(STOPPED)


def _interrupt(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: nothing shall disturb the release of the claim
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
