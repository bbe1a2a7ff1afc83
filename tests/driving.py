"""The test's side of kill_driver.py, and what the tests of killed, stopped and competing studies compare."""

import atexit
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest
import yaml

from assay.recipe.study import load_study
from assay.results import Results
from assay.runs.engine import run as run_study
from assay.system.integrity import digests

PROMISED = ("metrics.json", "predictions.parquet", "pictures.parquet", "model.safetensors", "data.json", "recipe.yaml")
"""Equal byte for byte, whatever happened on the way."""
VOLATILE = (".tmp", "claim-", "checkpoint.safetensors")


class Driver:
    """A process that has imported everything and forks a command line for every request."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("kill_driver.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        assert self.process.stdout
        self.process.stdout.readline()

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request, one answer."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def start(self, study: Path, out: Path, *options: str, **request: Any) -> int:
        """Start ``assay run study --out out`` and return the process's number."""
        out.mkdir(parents=True, exist_ok=True)
        arguments = ["run", str(study), "--out", str(out), *options]
        return int(self.ask(**{"do": "start", "arguments": arguments, "log": str(out / "output")} | request)["pid"])

    def wait(self, pid: int, seconds: float = 600) -> int | None:
        """The exit status, negative for a signal, None when it still runs after that time."""
        code: int | None = self.ask(do="wait", pid=pid, seconds=seconds)["code"]
        return code

    def run(self, study: Path, out: Path, *options: str, **request: Any) -> int | None:
        """Start and wait."""
        return self.wait(self.start(study, out, *options, **request))

    def finish(self, study: Path, out: Path, *options: str, **request: Any) -> Path:
        """Run, and return the study's folder after it has ended well."""
        code = self.run(study, out, *options, **request)
        assert code == 0, f"exit status {code}\n{(out / 'output').read_text()}"
        return out / study.stem

    def close(self) -> None:
        """End the process and its children."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait()


@cache
def driver() -> Driver:
    """One driver for the whole test session; the test is skipped where there is no /proc."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("the driver of killed studies needs /proc")
    made = Driver()
    atexit.register(made.close)
    return made


def long_study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The file of the study LONG, and its folder after it has run undisturbed, which it does once a test session."""
    study = tmp_path_factory.getbasetemp() / "long" / "long.yaml"
    if not study.exists():
        driver().finish(write_study(study, **LONG), study.parent)
    return study, study.parent / study.stem


LONG: dict[str, Any] = {
    "base": {
        "data": {"source": "digits", "validation": 0.2},
        "model": {"name": "mlp", "hidden": [16], "dropout": 0.1},
        "train": {"epochs": 25, "batch_size": 128},
    },
    "vary": {"train.optimizer.lr": [0.001, 0.002, 0.003, 0.004]},
}
"""A study that takes some seconds."""


def write_study(path: Path, **values: Any) -> Path:
    """A study file of a tiny network on the digits; ``values`` replace its keys."""
    base = {
        "data": {"source": "digits", "train": 300, "validation": 0.2, "test": 100},
        "model": {"name": "mlp", "hidden": [8]},
        "train": {"epochs": 2, "batch_size": 64},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"title": "a test", "base": base, "seeds": 1} | values), encoding="utf-8")
    return path


def tree(folder: Path) -> set[str]:
    """Every file under the folder, as relative paths."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def leftovers(folder: Path) -> list[str]:
    """What no ended study may leave: temporary files, claims, checkpoints of finished runs."""
    return sorted(name for name in tree(folder) if any(part in Path(name).name for part in VOLATILE))


def run_folders(folder: Path) -> list[Path]:
    """The folders of the runs that were begun."""
    return sorted(path.parent for path in folder.rglob("log.txt"))


def state(run: Path) -> str | None:
    """What status.json says of a run."""
    path = run / "status.json"
    return json.loads(path.read_text())["state"] if path.exists() else None


def finished(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Time of modification and content of every file of the finished runs."""
    files = [path for run in run_folders(folder) if state(run) == "finished" for path in run.iterdir()]
    kept = (path for path in files if not any(part in path.name for part in VOLATILE))
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in kept}


def kept(before: dict[str, tuple[int, bytes]], folder: Path) -> bool:
    """Whether what was finished before has not been touched since."""
    now = finished(folder)
    return all(now.get(name) == content for name, content in before.items())


def rehash(run: Path) -> None:
    """Let the files of a finished run, as they are now, be those that it wrote."""
    status = json.loads((run / "status.json").read_text(encoding="utf-8"))
    (run / "status.json").write_text(json.dumps(status | {"files": digests(run)}), encoding="utf-8")


def running(folder: Path) -> bool:
    """Whether some run of the study has begun and not ended."""
    return any(state(run) == "running" for run in run_folders(folder))


def wait_for(condition: Callable[[], object], seconds: float = 300) -> None:
    """Until something holds; an AssertionError when it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def log(run: Path) -> list[str]:
    """The lines of a run's log, without the time."""
    return [line.split("  ", 1)[1] for line in (run / "log.txt").read_text().splitlines() if "  " in line]


def epochs(run: Path) -> list[str]:
    """``epoch 1``, ``epoch 2``, … as they stand in a run's log."""
    return [line.split(":")[0] for line in log(run) if line.startswith("epoch ")]


def count(folder: Path, line: str) -> int:
    """How often a line stands in the logs of a study."""
    return sum(log(run).count(line) for run in run_folders(folder))


def differences(there: Path, here: Path) -> list[str]:
    """Where two ended studies differ in what is promised to be equal: names of files, bytes, histories but for time."""
    found = sorted(tree(there) ^ tree(here))
    for run in run_folders(there):
        for name in PROMISED:
            one, other = run / name, here / run.relative_to(there) / name
            if not other.exists() or one.read_bytes() != other.read_bytes():
                found.append(str(other))
        histories = [pl.read_parquet(f / "history.parquet").drop("seconds") for f in (run, other.parent)]
        if not histories[0].equals(histories[1]):
            found.append(str(other.parent / "history.parquet"))
    return found


def descendants(pid: int) -> list[psutil.Process]:
    """The processes that a process has started."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def command_line(process: psutil.Process) -> list[str]:
    """What a process was started with; nothing of one that has ended, whether or not it was cleared away."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def all_end(processes: list[psutil.Process]) -> bool:
    """Whether all end soon: a worker that still imports torch sees only afterwards that its parent is gone."""
    _, alive = psutil.wait_procs(processes, timeout=180)
    return all(is_buried(process) for process in alive)


def is_buried(process: psutil.Process) -> bool:
    """Whether a process has ended, even if the system has not cleared it away."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def said(out: Path) -> str:
    """All that was printed."""
    return (out / "output").read_text()


def run_here(path: Path, out: Path, **options: Any) -> Results:
    """The study in this process, on one thread, silently."""
    loaded = load_study(path)
    (out / loaded.name).mkdir(parents=True, exist_ok=True)
    (out / loaded.name / "machine.json").write_text('{"threads": 1}')
    return run_study(loaded, out, quiet=True, **options)
