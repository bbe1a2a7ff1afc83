"""What a person sees on the terminal: progress with the time left, a line for each run that ends and image left out."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from assay.recipe.tasks import TASKS
from assay.results.metrics import label
from assay.system.files import read_json

if TYPE_CHECKING:
    from assay.runs.jobs import Job


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
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=quiet or not self.console.is_terminal,
        )
        self.jobs: Sequence[Job] = ()
        self.ended: set[Any] = set()
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

    def watch(self, jobs: "Sequence[Job]") -> None:
        """Follow ``jobs`` from now on; those that are done already are mentioned once, together."""
        self.jobs = jobs
        self.ended = {job.folder for job in jobs if job.is_done}
        if self.ended:
            self.console.print(f"{len(self.ended)} of {len(jobs)} runs are done already")
        left = [job for job in jobs if job.folder not in self.ended]
        total = sum(job.recipe.train.total_epochs for job in left)
        done = sum((read_json(job.folder / "status.json") or {"epoch": 0})["epoch"] for job in left)
        self.bar = self.progress.add_task("training", total=total, completed=done, unit="epochs")
        self.refresh()

    def refresh(self) -> None:
        """Read the status files and show what changed."""
        epochs, running = 0, []
        for job in self.jobs:
            if job.folder in self.ended:
                continue
            status = read_json(job.folder / "status.json")
            if status is None:
                continue
            if status["state"] == "running":
                epochs += status["epoch"]
                running.append(job.variant)
            else:
                self.ended.add(job.folder)
                self.announce(job, status)
                total = self.progress.tasks[self.progress.task_ids.index(self.bar)].total or 0
                self.progress.update(self.bar, total=total - job.recipe.train.total_epochs)
        shown = escape("; ".join(running[:2])) or "training"
        self.progress.update(self.bar, completed=epochs, description=shown)

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
            self.console.print(f"[red]failed[/]    {name}: {escape(status['reason'])}", soft_wrap=True)
            return
        metric = TASKS[job.recipe.task].metric
        found = (read_json(job.folder / "metrics.json") or {}).get(metric)
        seconds = (read_json(job.folder / "timing.json") or {}).get("training_seconds")
        values = [f"{label(metric)} {found:.4f}" if found is not None else "", f"{seconds:.0f} s" if seconds else ""]
        self.console.print(f"[green]finished[/]  {name}  {'  '.join(v for v in values if v)}", soft_wrap=True)


def unread(left_out: Sequence[tuple[str, str]]) -> list[Text]:
    """Which images could not be read, and why; ten of them by name."""
    lines = [f"{image} was left out: {reason}" for image, reason in left_out[:10]]
    more = [f"{len(left_out) - 10:,} more images were left out"] if len(left_out) > 10 else []
    return [Text(line) for line in lines + more]
