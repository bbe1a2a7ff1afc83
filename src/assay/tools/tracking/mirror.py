"""What a tracker is told of a finished run, read from its folder: the same for every tracker."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from assay.recipe.yaml_files import read_yaml
from assay.results import Results
from assay.results.folders import Run
from assay.system.files import read_object
from assay.system.integrity import digest

RECIPE = "recipe.yaml"
PARTS = ("train_", "validation_")
"""Beginnings of a history's columns that trackers show as groups: ``train_loss`` is their ``train/loss``."""

Parameter = str | int | float | bool


@dataclass(frozen=True)
class Epoch:
    """The values of one epoch that exist, by name."""

    number: int
    ended: float
    """Seconds since 1970, by the time that the epochs took."""
    values: dict[str, float]


@dataclass(frozen=True)
class Mirror:
    """One finished run as a tracker shows it."""

    identity: str
    """16 hexadecimal digits that stand for this training: the same whenever and wherever its folder is read."""
    study: str
    variant: str
    seed: int
    folder: Path
    began: float
    """Seconds since 1970, as ``ended``."""
    ended: float
    parameters: dict[str, Parameter]
    """The recipe by dotted keys; lists in one piece."""
    history: tuple[Epoch, ...]
    final: dict[str, float]
    """Every number of ``metrics.json`` and ``timing.json``, as ``final/<metric>``."""
    files: tuple[Path, ...]
    """The recipe and, where there is one, the study's page."""

    @property
    def name(self) -> str:
        """``relu, seed 0``."""
        return f"{self.variant}, seed {self.seed}"


def mirrors(results: Results) -> list[Mirror]:
    """All finished runs of a study. Raises AssayError where a file of one cannot be read."""
    return [mirror(results, run) for run in results.finished]


def mirror(results: Results, run: Run) -> Mirror:
    """One finished run of a study. Raises AssayError where a file of it cannot be read."""
    status, page = read_object(run.folder / "status.json"), results.folder / "report" / "index.html"
    began = status["updated"] - (run.seconds or 0.0)
    return Mirror(
        identity=identity(results.study.name, run),
        study=results.study.name,
        variant=run.variant,
        seed=run.seed,
        folder=run.folder,
        began=began,
        ended=status["updated"],
        parameters=dict(flattened(read_yaml(run.folder / RECIPE))),
        history=tuple(epochs(results.history(run).to_dicts(), began)),
        final={f"final/{name}": float(value) for name, value in results.metrics(run).items() if is_number(value)},
        files=(run.folder / RECIPE, *([page] if page.exists() else [])),
    )


def identity(study: str, run: Run) -> str:
    """SHA-256 of the run's names and of what it was asked and found, cut to 16 digits."""
    contents = [digest(run.folder / name) for name in (RECIPE, "history.parquet", "metrics.json")]
    return hashlib.sha256("\n".join([study, run.variant, str(run.seed), *contents]).encode()).hexdigest()[:16]


def flattened(tree: dict[str, Any], before: str = "") -> Iterator[tuple[str, Parameter]]:
    """``{"train": {"lr": 0.1}}`` → ``("train.lr", 0.1)``; what is no number, truth value or text is written as JSON."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from flattened(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value if isinstance(value, Parameter) else json.dumps(value, ensure_ascii=False)


def epochs(rows: list[dict[str, Any]], began: float) -> Iterator[Epoch]:
    """The rows of a history, without the values that do not exist."""
    for row, passed in zip(rows, accumulate(row["seconds"] for row in rows), strict=True):
        there = {grouped(name): float(value) for name, value in row.items() if name != "epoch" and value is not None}
        yield Epoch(row["epoch"], began + passed, there)


def grouped(name: str) -> str:
    """``validation_accuracy`` → ``validation/accuracy``; ``lr`` stays."""
    return name.replace("_", "/", 1) if name.startswith(PARTS) else name


def is_number(value: object) -> bool:
    """Whether a metric is one number, which lists and matrices are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
