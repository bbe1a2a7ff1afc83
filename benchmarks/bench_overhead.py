"""What a study of about one minute spends outside training and measuring.

studies/fashion-mnist/activation.yaml as it is, with 2 seeds and 8 epochs to last about a minute (3 variants), run by
``run_study`` in this process, whose imports count; those of torch, which every training with torch pays, are shown
apart. Torch's optimizers load torch's compiler at their first step, inside training, as in every training with torch.
The parts are timed by wrapping the functions of a run; every second is charged to the innermost part alone. The
report is shown but not counted: bench_report.py has its own target.

Target: under 5 % of the wall time.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmark import fashion_mnist, verdict, weather

from assay.report.page import write_report

STUDY = Path(__file__).parents[1] / "studies" / "fashion-mnist" / "activation.yaml"


class Clock:
    """Charges every second to the part that is innermost at the time."""

    def __init__(self, part: str) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.parts, self.since = [part], time.perf_counter()

    def turn(self) -> None:
        """Charge what has passed to the innermost part."""
        now = time.perf_counter()
        self.seconds[self.parts[-1]] += now - self.since
        self.since = now

    def charge(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, whose time goes to ``part``."""

        def timed(*arguments: Any, **options: Any) -> Any:
            self.turn()
            self.parts.append(part)
            try:
                return function(*arguments, **options)
            finally:
                self.turn()
                self.parts.pop()

        return timed


def main() -> None:
    root = fashion_mnist()
    clock = Clock("importing torch")
    import_module("torch")
    clock.turn()
    clock.parts = ["importing assay"]
    from assay import load_study
    from assay.runs import engine, run
    from assay.train import phases

    study = load_study(STUDY, ["train.epochs=8"], seeds=2)
    train = phases.fit

    def fit(*arguments: Any) -> Any:
        before, save, after = arguments[:5], arguments[5], arguments[6:]
        return train(*before, clock.charge("checkpoint, history, status", save), *after)

    for module, name, part in [
        (run, "load", "data of a run"),
        (run, "initial_network", "building networks"),
        (run, "measure", "measuring"),
        (run, "predict_splits", "measuring"),
        (run, "_train_and_measure", "results' files, status"),
        (engine, "plan_jobs", "checks before training"),
        (engine.claim, "acquire", "claims"),
    ]:
        setattr(module, name, clock.charge(part, getattr(module, name)))
    phases.fit = clock.charge("training", fit)

    with tempfile.TemporaryDirectory() as out:
        results = clock.charge("the rest", engine.run)(study, Path(out), data=root, jobs=1)
        clock.charge("report", write_report)(results)
    clock.turn()

    wall = sum(clock.seconds.values()) - clock.seconds["report"]
    for part, seconds in sorted(clock.seconds.items(), key=lambda item: -item[1]):
        print(f"{seconds:8.2f} s  {part}")
    print(f"{wall:8.2f} s  together, without the report  ({weather()})")
    outside = wall - clock.seconds["training"] - clock.seconds["measuring"]
    print(f"{100 * (outside - clock.seconds['importing torch']) / wall:8.2f} % of it is assay's own")
    verdict("share outside training and measuring", 100 * outside / wall, 5, " %")


if __name__ == "__main__":
    main()
