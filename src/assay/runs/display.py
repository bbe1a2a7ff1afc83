"""What a person sees on the terminal: progress with the time left, a line for each run that ends and image left out."""

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from assay.recipe.tasks import TASKS
from assay.results.metrics import duration, label
from assay.runs import pace
from assay.system.files import read_object

if TYPE_CHECKING:
    from assay.runs.jobs import Job


class TimeLeft(TimeRemainingColumn):
    """The time until ``ends`` of a bar's fields, by the monotonic clock, where it has that; else as the bar moves."""

    def render(self, task: Task) -> Text:
        """``left 0:01:30``."""
        ends = task.fields.get("ends")
        if ends is None:
            return Text.assemble("left ", super().render(task))
        whole = timedelta(seconds=max(0, round(ends - time.monotonic())))
        return Text.assemble("left ", (str(whole), "progress.remaining"))


class Display:
    """Follows the runs of a study by their status files; silent when ``quiet``."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(quiet=quiet, highlight=False, emoji=False, stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            TimeLeft(),
            console=self.console,
            transient=True,
            disable=quiet or not self.console.is_terminal,
        )
        self.jobs: Sequence[Job] = ()
        self.ended: set[Path] = set()
        self.far: dict[Path, int] = {}
        self.timed: dict[Path, float] = {}
        self.at_once = 1
        self.told = False
        self.bar: Any = None

    def __enter__(self) -> "Display":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def decoding(self, source: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """A bar for the decoding of ``source``, which appears with the first call of the function it yields."""
        return self.counting(f"decoding {source}", "images")

    @contextmanager
    def counting(self, what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
        """A bar for anything counted, which appears with the first call of the function it yields: (done, total)."""
        bar: list[Any] = []

        def update(done: int, total: int) -> None:
            if not bar:
                bar.append(self.progress.add_task(escape(what), total=total, unit=unit))
            self.progress.update(bar[0], completed=done, total=total)

        yield update
        for task in bar:
            self.progress.remove_task(task)

    def taken_over(self, jobs: "Sequence[Job]") -> None:
        """Say which runs were trained before, under other names of their variants."""
        for job in jobs:
            self.console.print(f"taken over {escape(job.variant)}  seed {job.seed}  from a run of the same recipe")

    def watch(self, jobs: "Sequence[Job]", at_once: int = 1, why: str = "") -> None:
        """Follow ``jobs`` from now on, of which so many run at once, as ``why`` says; those that are done already are
        mentioned once, together."""
        self.at_once = at_once
        self.jobs = [job for job in jobs if not job.is_done]
        self.far, self.timed, self.ended = {}, {}, set()
        if self.bar is not None:
            self.progress.remove_task(self.bar)
        if done := len(jobs) - len(self.jobs):
            self.console.print(f"{done} of {len(jobs)} runs are done already")
        if why:
            self.console.print(escape(why), soft_wrap=True)
        self.bar = self.progress.add_task("training", unit="epochs")
        self.refresh()

    def refresh(self) -> None:
        """Read the status files and show what changed."""
        before, running = (dict(self.far), len(self.ended)), []
        for job in self.jobs:
            status = {} if job.folder in self.ended else job.status
            if "state" not in status:
                continue
            self.far[job.folder] = status.get("epoch", 0)
            if "epoch_seconds" in status:
                self.timed[job.folder] = status["epoch_seconds"]
            if status["state"] == "running":
                running.append(": ".join([job.variant, *in_words(status.get("validation", {}))]))
            elif status["state"] in ("finished", "failed"):
                self.ended.add(job.folder)
                self.announce(job, status)
        if before != (self.far, len(self.ended)) or not self.far:
            self.expect()
        self.progress.update(self.bar, description=escape("; ".join(running[: self.at_once][:2])) or "training")

    def expect(self) -> None:
        """Say how many epochs are done, and when all will be."""
        left, timed = Counter[str](), defaultdict[str, list[float]](list)
        for job in self.jobs:
            if job.folder not in self.ended:
                left[job.variant] += job.recipe.train.total_epochs - self.far.get(job.folder, 0)
            if job.folder in self.timed:
                timed[job.variant].append(self.timed[job.folder])
        done = sum(self.far.values())
        waiting = len(self.jobs) - len(self.ended)
        seconds = pace.seconds_left(left, timed, min(self.at_once, waiting))
        ends = None if seconds is None else time.monotonic() + seconds
        self.progress.update(self.bar, completed=done, total=done + left.total(), ends=ends)

    def warn(self, text: str) -> None:
        """A line that is shown even where progress is not."""
        print(f"assay: {text}", file=sys.stderr)

    def waiting(self, jobs: "Sequence[Job]") -> None:
        """Say once that the runs left are in other hands."""
        if not self.told:
            what = f"{jobs[0].variant}, seed {jobs[0].seed}" + (f" and {len(jobs) - 1} more" if len(jobs) > 1 else "")
            self.console.print(f"waiting for {escape(what)}: another process has them, or had them when it was cut off")
        self.told = True

    def announce(self, job: "Job", status: dict[str, Any]) -> None:
        """One line for a run that ended."""
        name = f"{escape(job.variant)}  seed {job.seed}"
        if status["state"] == "failed":
            self.console.print(f"[red]failed[/]    {name}: {escape(str(status.get('reason')))}", soft_wrap=True)
            return
        metric = TASKS[job.recipe.task].metric
        found = read_object(job.folder / "metrics.json", missing={}).get(metric)
        seconds = status.get("seconds")
        reached = in_words(status.get("validation", {})) if found is None else [f"{label(metric)} {found:.4f}"]
        values = [*reached, "stopped early" if status.get("stopped") else "", duration(seconds) if seconds else ""]
        self.console.print(f"[green]finished[/]  {name}  {'  '.join(v for v in values if v)}", soft_wrap=True)


def in_words(validation: Mapping[str, float]) -> list[str]:
    """The values of the validation images: ``validation accuracy 0.9123``."""
    return [f"validation {label(name).removeprefix('test ')} {value:.4f}" for name, value in validation.items()]


def unread(left_out: Sequence[tuple[str, str]]) -> list[Text]:
    """Which images could not be read, and why; ten of them by name."""
    lines = [f"{image} was left out: {reason}" for image, reason in left_out[:10]]
    more = [f"{len(left_out) - 10:,} more images were left out"] if len(left_out) > 10 else []
    return [Text(line) for line in lines + more]
