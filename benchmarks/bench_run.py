"""Where the time of a study goes: every second of its runs with one seed, charged to what it was spent on.

The residual network on CIFAR-10 with and without its skip connections, measured as that study asks, on the device that
its recipe finds; ``--study`` and ``--set`` take another and less of it. The parts are timed by wrapping the functions
of a run, as in bench_overhead.py, and on a card each part waits for it at its end.

Goal on a card: training and forward passes are at least 80 % of the wall time.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from bench_overhead import Clock
from benchmark import verdict, weather

STUDY = Path(__file__).parents[1] / "studies" / "cifar10" / "skip.yaml"
WORK = ("training", "forward passes of evaluation")
PARTS = [
    ("assay.runs.engine", "plan_jobs", "data and checks before training"),
    ("assay.runs.run", "load", "data"),
    ("assay.runs.run", "initial_network", "the network"),
    ("assay.tasks.predicting", "predict", "forward passes of evaluation"),
    ("assay.train.loop", "predict", "forward passes of evaluation"),
    ("assay.runs.run", "measure", "other measures"),
    ("assay.evaluate.separation", "measure", "separation"),
    ("assay.evaluate.uncertainty", "measure", "uncertainty"),
    ("assay.runs.run", "_train_and_measure", "writing"),
]


def profiled(study: Path, changes: list[str], root: Path) -> tuple[Clock, int]:
    """The seconds of each part of the study and its report, and how many runs it has."""
    clock = Clock("importing torch")
    torch = import_module("torch")
    clock.turn()
    clock.parts = ["importing assay"]
    from assay import load_study
    from assay.report.page import write_report
    from assay.runs import engine
    from assay.train import phases

    def charge(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def finished(*arguments: Any, **options: Any) -> Any:
            try:
                return function(*arguments, **options)
            finally:
                if torch.cuda.is_available():
                    torch.cuda.synchronize()

        return clock.charge(part, finished)

    fit = phases.fit
    for module, name, part in PARTS:
        there = import_module(module)
        setattr(there, name, charge(part, getattr(there, name)))
    phases.fit = charge("training", lambda *given: fit(*given[:5], clock.charge("writing", given[5]), *given[6:]))
    loaded = load_study(study, changes, seeds=1)
    with tempfile.TemporaryDirectory() as out:
        results = clock.charge("the rest", engine.run)(loaded, Path(out), data=root, quiet=True)
        clock.charge("the report", write_report)(results)
    clock.turn()
    return clock, len(results.runs)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--study", type=Path, default=STUDY)
    options.add_argument("--set", action="append", default=[], dest="changes", metavar="KEY=VALUE")
    asked = options.parse_args()
    root = Path(os.environ.get("ASSAY_DATA") or "data")
    if not root.is_dir():
        print(f"skipped: no data in {str(root)!r} (set ASSAY_DATA to the folder that holds them)")
        sys.exit(0)
    clock, runs = profiled(asked.study, asked.changes, root)
    wall = sum(clock.seconds.values())
    for part, seconds in sorted(clock.seconds.items(), key=lambda item: -item[1]):
        print(f"{seconds:8.2f} s  {100 * seconds / wall:5.1f} %  {part}")
    torch = import_module("torch")
    place = torch.cuda.get_device_name() if torch.cuda.is_available() else "the processor"
    print(f"{wall:8.2f} s  {runs} runs on {place}  ({weather()})")
    share = 100 * sum(clock.seconds[part] for part in WORK) / wall
    verdict("training and forward passes", share, 80, " %", at_least=True)


if __name__ == "__main__":
    main()
