"""Finished runs are shown to trackers. A tracker that fails is a sentence; the runs never depend on one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Protocol

from assay.errors import unknown
from assay.results import Results
from assay.tools.tracking import mlflow_runs, tensorboard_events, wandb_runs
from assay.tools.tracking.mirror import Mirror, mirrors


class Tracker(Protocol):
    """What the file of a tracker has."""

    def check(self) -> None:
        """Raise AssayError where it cannot be written to."""

    def write(self, mirrors: Sequence[Mirror]) -> str:
        """Write the runs, of one study and at least one; what was written before stays single. Returns where."""


TRACKERS: dict[str, Tracker] = {"mlflow": mlflow_runs, "wandb": wandb_runs, "tensorboard": tensorboard_events}


@dataclass(frozen=True)
class Tracked:
    """How it went with one tracker."""

    tracker: str
    runs: int
    where: str | None
    """Where the runs are to be seen; None where it failed."""
    trouble: str | None = None
    """Why it failed, and what then, in a sentence."""


def refuse_trackers(names: Iterable[str]) -> None:
    """Raise AssayError for a tracker that nobody knows, or that cannot be written to."""
    for name in names:
        if name not in TRACKERS:
            raise unknown("tracker", name, TRACKERS)
        TRACKERS[name].check()


def track(results: Results, names: Iterable[str]) -> list[Tracked]:
    """Show the finished runs of a study, its page with them, to each tracker; none where no run has finished."""
    return [tracked(results, name) for name in dict.fromkeys(names) if results.finished]


def tracked(results: Results, name: str) -> Tracked:
    """Show the finished runs to one tracker, whatever may happen there."""
    count = len(results.finished)
    try:
        TRACKERS[name].check()
        return Tracked(name, count, TRACKERS[name].write(mirrors(results)))
    except Exception as error:
        why = shorten(str(error), 160, placeholder="…") or type(error).__name__
        again = f"the runs themselves are whole, and 'assay track {results.folder} --to {name}' tries again"
        return Tracked(name, count, None, f"{name} failed ({why}); {again}")
