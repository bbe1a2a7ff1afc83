"""The run folders of a study as data: which runs are planned, how far each is, what its files hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from assay.errors import AssayError
from assay.recipe.study import Study
from assay.system.claim import holder_alive
from assay.system.files import MEND, read_object

State = Literal["waiting", "running", "interrupted", "failed", "finished"]


@dataclass(frozen=True)
class Run:
    """One planned run of the study and how far it is."""

    variant: str
    seed: int
    folder: Path
    state: State
    reason: str | None = None
    """Why it failed, or why its folder is not read."""


def planned_runs(folder: Path, study: Study) -> Iterator[Run]:
    """The runs that ``study`` plans, by variant, then by seed, with the state of each one's folder."""
    for variant in study.plan.values():
        for seed in study.seed_list:
            place = folder / variant.folder / f"seed-{seed}"
            state, reason = _state(place, variant.with_seed(seed).hash)
            yield Run(variant.name, seed, place, state, reason)


def read_table(path: Path) -> pl.DataFrame:
    """The Parquet table in ``path``; AssayError where it is absent or damaged."""
    try:
        return pl.read_parquet(path, glob=False)
    except FileNotFoundError:
        raise AssayError(f"{path} is missing; {MEND}") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise AssayError(f"{path} cannot be read ({' '.join(str(error).split())[:120]}); {MEND}") from None


def _state(folder: Path, recipe_hash: str) -> tuple[State, str | None]:
    """How far the run in ``folder`` is; a folder that holds another recipe's run counts as waiting, with the reason."""
    status = read_object(folder / "status.json", missing={})
    if not status:
        return "waiting", None
    if status.get("recipe_hash") != recipe_hash:
        return "waiting", "its folder holds a run of another recipe"
    match status.get("state"):
        case "running":
            return ("running" if holder_alive(folder) else "interrupted"), None
        case "failed" | "finished" as state:
            return state, status.get("reason")
        case other:
            raise AssayError(f"{folder / 'status.json'}: unknown state {other!r}; {MEND}")
