"""The run folders of a study as data: which runs are planned, how far each is, what its files hold."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from assay.errors import AssayError
from assay.recipe.study import Study
from assay.recipe.yaml_files import read_yaml
from assay.system.claim import holder_alive
from assay.system.files import MEND, read_object
from assay.system.integrity import WEIGHTS, changed, written

State = Literal["waiting", "running", "interrupted", "failed", "damaged", "finished"]
NEEDED = ["metrics.json", "timing.json", "data.json", "environment.json", "recipe.yaml"]
NEEDED += ["history.parquet", "predictions.parquet"]
"""What every finished run has and results read."""
STACKED = {
    "histories": "history",
    "curves": "curves",
    "layers": "separation",
    "layers_by_epoch": "separation_by_epoch",
    "reliability": "reliability",
    "risk_coverage": "risk_coverage",
}
"""Method that there was → the table that it stacked."""


@dataclass(frozen=True)
class Run:
    """One planned run of the study and how far it is."""

    variant: str
    seed: int
    folder: Path
    state: State
    reason: str | None = None
    """Why it failed, or why its folder is not read."""
    seconds: float | None = None
    """What it took until its last epoch or its end: loading, training, measuring. None where that was not kept."""


def planned_runs(folder: Path, study: Study) -> Iterator[Run]:
    """The runs that ``study`` plans, by variant, then by seed, with the state of each one's folder."""
    for variant in study.plan.values():
        for seed in study.seed_list:
            place = folder / variant.folder / f"seed-{seed}"
            yield Run(variant.name, seed, place, *_standing(place, variant.with_seed(seed).hash))


def read_table(path: Path) -> pl.DataFrame:
    """The Parquet table in ``path``; AssayError where it is absent or damaged."""
    with _told(path):
        return pl.read_parquet(path, glob=False)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Why a Parquet file cannot be read, as an AssayError."""
    try:
        yield
    except FileNotFoundError:
        raise AssayError(f"{path} is missing; {MEND}") from None
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise AssayError(f"{path} cannot be read ({' '.join(str(error).split())[:120]}); {MEND}") from None


def read_description(path: Path) -> dict[str, Any]:
    """What a run's data.json says of its images; AssayError where it is absent or damaged."""
    about = read_object(path)
    for key in ("classes", "shape", "mean", "std"):
        if not isinstance(about.get(key), list):
            raise AssayError(f"{path} has no list of {key}; {MEND}")
    return about


def damage(run: Path, status: dict[str, Any]) -> list[str]:
    """What is wrong with the files of a finished run that results are read from; the weights are not among them.

    Where ``status``, its status.json, holds no hashes, only whether the files can be read.
    """
    try:
        kept = written(run / "status.json", status)
    except AssayError as error:
        return [str(error)]
    if kept is None:
        return unreadable(run)
    return [f"{name} {what}" for name, what in changed(run, kept, kept.keys() - {WEIGHTS}).items()]


def unreadable(run: Path) -> list[str]:
    """The files of a run that cannot be read, and why."""
    by_name: dict[str, Callable[[Path], object]] = {"data.json": read_description}
    by_ending: dict[str, Callable[[Path], object]] = {".json": read_object, ".yaml": read_yaml, ".parquet": read_footer}
    there = {path.name for path in run.glob("[!.]*") if path.suffix in by_ending and not path.name.startswith("claim-")}
    found = []
    for name in sorted(there.union(NEEDED)):
        read = by_name.get(name, by_ending[Path(name).suffix])
        try:
            read(run / name)
        except AssayError as error:
            found.append(str(error))
    return found


def read_footer(path: Path) -> None:
    """Raise AssayError where ``path`` is absent or no Parquet table; its values are not read."""
    with _told(path):
        pl.read_parquet_schema(path)


def _standing(folder: Path, recipe_hash: str) -> tuple[State, str | None, float | None]:
    """How far the run in ``folder`` is, why, and its seconds; another recipe's run counts as waiting."""
    try:
        status = read_object(folder / "status.json", missing={})
    except AssayError as error:
        return "damaged", str(error), None
    if not status:
        return "waiting", None, None
    if status.get("recipe_hash") != recipe_hash:
        return "waiting", "its folder holds a run of another recipe", None
    seconds = status.get("seconds")
    spent = seconds if isinstance(seconds, float) else None
    match status.get("state"):
        case "running":
            return ("running" if holder_alive(folder) else "interrupted"), None, spent
        case "failed":
            return "failed", str(status.get("reason")), spent
        case "finished":
            found = damage(folder, status)
            return ("damaged", "; ".join(found), spent) if found else ("finished", None, spent)
        case other:
            return "damaged", f"{folder / 'status.json'}: unknown state {other!r}; {MEND}", None


def stacked(finished: Sequence[Run], name: str) -> pl.DataFrame:
    """The table ``<name>.parquet`` of all runs that have it, with variant and seed before its own columns."""
    tables = []
    for run in finished:
        path = run.folder / f"{name}.parquet"
        if path.exists():
            names = [pl.lit(run.variant).alias("variant"), pl.lit(run.seed, pl.Int64).alias("seed")]
            tables.append(read_table(path).select(*names, pl.all()))
    return pl.concat(tables, how="diagonal_relaxed")
