"""How far a study is: a row per variant, the failures with their reasons, the time left."""

from collections import Counter
from contextlib import suppress

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from assay.errors import AssayError
from assay.results import Results
from assay.results.folders import Run
from assay.results.metrics import duration
from assay.results.trials import how_far
from assay.runs import pace
from assay.runs.display import in_words
from assay.system.files import read_object
from assay.system.process import available_cores

STATES = ("finished", "running", "interrupted", "waiting", "failed")


def status_table(results: Results) -> RenderableType:
    """The state of a study for the terminal."""
    table = Table(box=None, pad_edge=False)
    table.add_column("variant")
    states = [*STATES, *["damaged"] * bool(results.damaged)]
    for state in states:
        table.add_column(state, justify="right")
    table.add_column("now")
    for variant in results.study.plan:
        runs = [run for run in results.runs if run.variant == variant]
        counts = Counter[str](run.state for run in runs)
        now = "; ".join(f"seed {run.seed}: {epochs(run)}" for run in runs if run.state in ("running", "interrupted"))
        table.add_row(escape(variant), *(str(counts[state] or "·") for state in states), now)
    trials = how_far(results.folder)
    searching = [f"search: {trials.done} of {trials.planned} trials are done"] if trials else []
    failures = [
        f"[red]{run.state}[/] {escape(run.variant)}, seed {run.seed}: {escape(run.reason or '')}"
        for run in results.runs
        if run.state in ("failed", "damaged")
    ]
    left = seconds_left(results)
    closing = [] if left is None else [f"about {duration(left)} left"] if left else [standing(results)]
    if trials and trials.done < trials.planned:
        closing = ["the search is not over: 'assay run' goes on"]
    return Group(table, *searching, *failures, *closing)


def standing(results: Results) -> str:
    """What is still to do where no epoch is left to train."""
    states = {run.state for run in results.runs}
    if states - {"finished", "failed", "damaged"}:
        return "everything is trained, and not everything measured: 'assay run' goes on"
    if "failed" in states:
        return "nothing is left to train; --retry runs the failed ones again"
    if "damaged" in states:
        return "nothing is left to train; 'assay verify' tells which files are damaged"
    return f"all runs are done; together they took {duration(results.seconds)}"


def epochs(run: Run) -> str:
    """How far one run is."""
    status = read_object(run.folder / "status.json", missing={})
    far = f"epoch {status.get('epoch', 0)} of {status.get('epochs', '?')}"
    return ", ".join([far, *in_words(status.get("validation", {}))])


def seconds_left(results: Results) -> float | None:
    """The training seconds left, shared by the runs that go on now; None before any epoch has been timed."""
    own: dict[str, list[float]] = {name: [] for name in results.study.plan}
    left: Counter[str] = Counter()
    for run in results.runs:
        seconds: list[float] = []
        with suppress(AssayError):  # a run that has no history yet, or a damaged one
            seconds = results.history(run)["seconds"].to_list()
        own[run.variant] += seconds
        if run.state in ("waiting", "running", "interrupted"):
            left[run.variant] += max(0, results.study.plan[run.variant].recipe.train.total_epochs - len(seconds))
    at_once = sum(run.state == "running" for run in results.runs)
    return pace.seconds_left(left, own, min(at_once, available_cores()))
