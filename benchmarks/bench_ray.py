"""Eight runs on a Ray cluster of two nodes on this machine, a core each, against one worker with one core.

Digits, a network whose training dominates, eight seeds; both sides in this process. The cluster runs before the clock
does, as one that a study joins; the start of its workers counts. Beside the wall time stands what the processors
worked: where others use the cores too, the ratio of wall times says little, and how many cores were kept busy says
whether both nodes trained.

Target: at least 1.7 times as fast. Every run's files are compared byte for byte.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from benchmark import verdict, weather

from assay import load_study
from assay.recipe.yaml_files import dump_yaml
from assay.runs.engine import run

EPOCHS = 240
STUDY = {
    "title": "Eight runs of digits",
    "base": {
        "data": {"source": "digits", "validation": 0.2},
        "model": {"name": "cnn"},
        "train": {"epochs": EPOCHS, "batch_size": 64},
    },
    "seeds": 8,
}
COMPARED = ("metrics.json", "predictions.parquet", "model.safetensors", "recipe.yaml", "data.json")


def trained(study: Path, out: Path, **options: Any) -> Path:
    """The study's folder, trained with one thread a run."""
    folder = out / study.stem
    folder.mkdir(parents=True)
    (folder / "machine.json").write_text('{"threads": 1}')
    run(load_study(study), out, quiet=True, **options)
    return folder


def timed(what: Callable[[], Path]) -> tuple[Path, float, float]:
    """What is given back, seconds by the clock, and seconds of the processors for it and all that it began."""
    began, before = time.perf_counter(), worked()
    found = what()
    return found, time.perf_counter() - began, worked() - before


def worked() -> float:
    """Processor seconds of this process, of Ray's processes on the machine, and of those that ended under them."""
    total = 0.0
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.name().startswith(("ray::", "raylet")):
                total += sum(process.cpu_times()[:4])
        except psutil.Error:
            continue
    return total


def main() -> None:
    """Run both sides and compare."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory() as place:
        out = Path(place)
        study = out / "eight.yaml"
        study.write_text(dump_yaml(STUDY))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.add_node(num_cpus=1)
        alone, seconds, work = timed(lambda: trained(study, out / "alone", jobs=1))
        both, shorter, shared = timed(lambda: trained(study, out / "ray", jobs="auto", on=f"ray:{cluster.address}"))
        cluster.shutdown()
        print(f"one worker {seconds:.1f} s ({work:.1f} s of processors), two nodes {shorter:.1f} s ({shared:.1f} s)")
        print(f"{weather()}; cores kept busy: {work / seconds:.2f} and {shared / shorter:.2f}")
        runs = sorted(path.parent for path in alone.rglob("metrics.json"))
        equal = [
            (each / n).read_bytes() == (both / each.relative_to(alone) / n).read_bytes()
            for each in runs
            for n in COMPARED
        ]
        print(f"{sum(equal)} of {len(equal)} files of {len(runs)} runs are equal byte for byte")
        verdict("two nodes against one worker", seconds / shorter, 1.7, "×", at_least=True)


if __name__ == "__main__":
    main()
