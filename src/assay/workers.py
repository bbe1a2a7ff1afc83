"""Several local processes at one study. A worker is ``python -m assay.workers``; its plan comes through its input,
and the end of that input, whatever ended us, ends it too."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from assay import claim, files
from assay.engine import Job, work
from assay.errors import AssayError, StudyStopped
from assay.recipe import Recipe
from assay.run import Settings

STOPPED = 3
"""Exit status of a worker whose trouble ends the whole study."""

Worker = subprocess.Popen[str]


def run_workers(jobs: list[Job], settings: Settings, count: int, refresh: Callable[[], None]) -> None:
    """Let ``count`` processes share the runs; a worker that dies costs its run, not the study."""
    waiting = sum(not job.is_done for job in jobs)
    workers = {n: start(jobs, settings, n) for n in range(min(count, waiting))}
    try:
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
                    record_death(jobs, worker)
                    workers[number] = start(jobs, settings, number)
    finally:
        for worker in workers.values():
            worker.terminate()
        for worker in workers.values():
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def start(jobs: list[Job], settings: Settings, number: int) -> Worker:
    """A new worker process."""
    environment = os.environ | {"OMP_NUM_THREADS": str(settings.threads), "MKL_NUM_THREADS": str(settings.threads)}
    worker = subprocess.Popen(
        [sys.executable, "-m", "assay.workers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment,
    )
    plan = {
        "settings": asdict(settings) | {"root": str(settings.root), "device_number": number},
        "jobs": [asdict(replace_paths(job)) | {"recipe": job.recipe.dump()} for job in jobs],
    }
    assert worker.stdin is not None
    try:
        worker.stdin.write(json.dumps(plan) + "\n")
        worker.stdin.flush()
    except BrokenPipeError:
        pass  # it died at once; the caller sees its exit status
    return worker


def record_death(jobs: list[Job], worker: Worker) -> None:
    """Write down as failed the run that a dead worker held."""
    code = worker.returncode
    how = f"signal {-code}, often a lack of memory" if code < 0 else f"exit status {code}"
    held = False
    for job in jobs:
        holder = claim.holder(job.folder)
        if holder and holder.pid == worker.pid and holder.is_dead_here():
            held = True
            status = files.read_json(job.folder / "status.json") or {"epoch": 0, "epochs": job.recipe.train.epochs}
            if status.get("state") in ("finished", "failed"):
                continue
            taken = claim.acquire(job.folder, claim.Watch())
            if taken is None:
                continue
            with taken:
                reason = f"its process ended without a word ({how})"
                changed = {"state": "failed", "reason": reason, "recipe_hash": job.recipe.hash, "updated": time.time()}
                files.write_json(job.folder / "status.json", status | changed)
    if not held:
        raise StudyStopped(f"a worker process ended before it took up a run ({how})")


def replace_paths(job: Job) -> Job:
    """The job with its folder as text, for JSON."""
    return replace(job, folder=str(job.folder))  # type: ignore[arg-type]


def main() -> None:
    """The worker's side."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    plan: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settings = Settings(**plan["settings"] | {"root": Path(plan["settings"]["root"])})
    jobs = [Job(j["variant"], j["seed"], Recipe.model_validate(j["recipe"]), Path(j["folder"])) for j in plan["jobs"]]
    try:
        work(jobs, settings)
    except KeyboardInterrupt:
        sys.exit(130)
    except AssayError as error:
        print(error)
        sys.exit(STOPPED)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    while sys.stdin.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
