"""A study as a Slurm job array: every task of it is an ``assay work`` on the study's folder, which all nodes share."""

import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from assay.data import data_root
from assay.errors import AssayError, NothingToDo
from assay.recipe.study import Study
from assay.runs.at_once import Jobs, kept_threads, refuse_jobs
from assay.runs.display import Display
from assay.runs.effect import without_own_levels
from assay.runs.engine import prepare
from assay.runs.likeness import keep, likeness

LARGEST = 1000
"""Tasks of an array that a Slurm lets pass that was not told otherwise (its MaxArraySize is 1001)."""
CORES = 2
"""Of a task, where the study was not begun with a number of threads; the script's reader may change it."""


@dataclass(frozen=True)
class Batch:
    """What is to be submitted."""

    folder: Path
    """Of the study."""
    tasks: int
    script: str


def prepare_batch(
    study: Study,
    out: str | Path = "runs",
    *,
    data: str | Path | None = None,
    jobs: Jobs = "auto",
    retry: bool = False,
    quiet: bool = False,
) -> Batch:
    """Check the whole study, prepare its folder, and write the script of ``jobs`` tasks; ``auto``: one a run.

    Raises AssayError as ``run`` does, and NothingToDo where every run is done.
    """
    refuse_jobs(jobs)
    study = without_own_levels(study)
    folder, root = (Path(out) / study.name).absolute(), data_root(data).absolute()
    with Display(quiet) as display:
        planned = prepare(study, folder, root, retry, display, elsewhere=True)
        left = sum(not job.is_done for job in planned)
        if not left:
            raise NothingToDo(f"every run of {folder} is done; 'assay report {folder}' writes the page")
        keep(folder, likeness((job.recipe for job in planned), root))
    tasks = min(left, LARGEST if jobs == "auto" else jobs)
    devices = max(job.recipe.train.devices for job in planned)
    (folder / "slurm").mkdir(exist_ok=True)
    words = [sys.executable, "-m", "assay", "work", str(folder), *(["--data", str(root)] if root.is_dir() else [])]
    return Batch(folder, tasks, _script(folder, tasks, devices, words))


def _script(folder: Path, tasks: int, devices: int, words: list[str]) -> str:
    """A job that is requeued goes on where it was cut off, and adds to its log."""
    lines = [
        "#!/bin/bash",
        f"#SBATCH --job-name={shlex.quote(folder.name)}",
        f"#SBATCH --array=0-{tasks - 1}",
        f"#SBATCH --cpus-per-task={devices * (kept_threads(folder) or CORES)}",
        f"#SBATCH --output={shlex.quote(str(folder / 'slurm' / '%A_%a.log'))}",
        "#SBATCH --open-mode=append",
        "#SBATCH --requeue",
        f"# Add what your cluster asks for: --time, --mem, --partition, --gres=gpu:{devices}.",
        f"cd {shlex.quote(str(Path.cwd()))} || exit 1",
        f"exec {shlex.join(words)}",
    ]
    return "\n".join(lines) + "\n"


def refuse_without_slurm() -> None:
    """Raise AssayError where no array can be submitted from this machine."""
    if shutil.which("sbatch") is None:
        raise AssayError("--on slurm: this machine has no sbatch; --print gives the script to submit elsewhere")


def submit(batch: Batch) -> str:
    """Hand the script to Slurm; the number of the job. AssayError where Slurm refuses it."""
    told = subprocess.run(["sbatch", "--parsable"], input=batch.script, text=True, capture_output=True, check=False)
    if told.returncode:
        first = (told.stderr.strip().splitlines() or ["it does not say why"])[0]
        raise AssayError(f"--on slurm: sbatch refused the array: {first}")
    return told.stdout.strip().partition(";")[0]
