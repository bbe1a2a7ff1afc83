"""What the last epochs say: whether training ended while the networks still got better."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float64

from assay.language.speech import later, say
from assay.results.metrics import difference_text, label, lower_is_better
from assay.results.names import listed, shortened

LAST = 2
"""Epochs over which a rise is told."""
WINDOW = 8
"""Last epochs from which the noise of a curve is taken."""
FEWEST = 6
"""Second differences, of all runs together, below which nothing is known of the noise."""
ERRORS = 3.0
"""Standard errors that a rise must exceed …"""
WORTH = 0.01
"""… and of all that the run has won since its first epoch, this much."""

ROSE = later("{metric} still rose in the last {n} epochs by {by}: trained for longer, they may stand otherwise.")
FELL = later("{metric} still fell in the last {n} epochs by {by}: trained for longer, they may stand otherwise.")

Curve = Float64[np.ndarray, " epochs"]


@dataclass(frozen=True)
class Rise:
    """A variant whose every run was still getting better when its training ended."""

    variant: str
    column: str
    """Of the history."""
    gained: float
    """Over the last ``LAST`` epochs, mean over its runs, in the column's own unit; above 0 is better."""
    seeds: int


def risen(histories: pl.DataFrame, columns: Sequence[str]) -> list[Rise]:
    """The variants still rising in the first of the ``columns`` that their runs have (``validation_accuracy``).

    ``histories`` has a row an epoch: variant, seed, epoch, the columns, and the phase where there are several. Told is
    what every run gained in its last two epochs where the mean gain exceeds three standard errors, which follow from
    the second differences of the last eight epochs: of a smooth curve those are noise alone, with variance 6σ².
    """
    found = []
    for (variant,), rows in histories.group_by("variant", maintain_order=True):
        column = next((c for c in columns if c in rows.columns and rows[c].is_not_null().any()), None)
        runs = [] if column is None else [_curve(run, column) for _, run in rows.group_by("seed", maintain_order=True)]
        gain = _gain(runs)
        if column is not None and gain is not None:
            found.append(Rise(str(variant), column, gain, len(runs)))
    return found


def _curve(run: pl.DataFrame, column: str) -> Curve:
    """The column over the epochs of the last phase, turned so that higher is better."""
    last = run.filter(pl.col("phase") == pl.col("phase").max()) if "phase" in run.columns else run
    values: Curve = last.sort("epoch")[column].cast(pl.Float64).fill_null(math.nan).to_numpy()
    return -values if lower_is_better(column) else values


def _gain(runs: Sequence[Curve]) -> float | None:
    """The mean gain over the last epochs; None where it is not in all runs, or could be noise, or is too little."""
    if not runs or any(len(run) < LAST + 2 or not np.isfinite(run).all() for run in runs):
        return None
    gains = np.array([run[-1] - run[-1 - LAST] for run in runs])
    bends = np.concatenate([np.diff(run[-WINDOW:], 2) for run in runs])
    if bends.size < FEWEST:
        return None
    noise = math.sqrt(float((bends**2).mean()) / 6)
    error = noise * math.sqrt(2 / len(runs))
    won = np.array([run[-1] - run[0] for run in runs])
    is_rise = (gains > 0).all() and gains.mean() > ERRORS * error and gains.mean() > WORTH * won.mean()
    return float(gains.mean()) if is_rise else None


def told(rises: Sequence[Rise], name: Mapping[str, str]) -> list[str]:
    """A sentence for each quantity: by how much it rose, of which variants, the most first."""
    by_column: dict[str, list[Rise]] = {}
    for rise in sorted(rises, key=lambda rise: -rise.gained):
        by_column.setdefault(rise.column, []).append(rise)
    found = []
    for column, those in by_column.items():
        words, seeds = label(column), max(rise.seeds for rise in those)
        parts = [f"{difference_text(column, rise.gained)} ({name[rise.variant]})" for rise in those]
        metric = f"{words[0].upper()}{words[1:]}"
        by = listed(shortened(parts)) + (say(", in all seeds") if seeds > 1 else "")
        found.append(say(FELL if lower_is_better(column) else ROSE, metric=metric, n=LAST, by=by))
    return found
