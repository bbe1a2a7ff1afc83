"""What the seeds leave unexplained: the additive fit of variants and seeds, and which variants vary more.

Both take a table variant × seed, nan where a run is missing.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Table = Float[np.ndarray, "variants seeds"]


class Residual(NamedTuple):
    """What the additive fit leaves: a sum of squares and its degrees of freedom."""

    squares: float
    freedom: int

    @property
    def variance(self) -> float:
        """Of one run, once the seed's effect is taken out."""
        return self.squares / self.freedom


APART = 0.65
"""Below this p of equal deviations the variant whose runs vary most has errors of its own. Lower would find more and be
wrong more often where deviations differ (``benchmarks/simulate_verdicts.py``)."""


def twins(values: Mapping[str, Mapping[int, float]]) -> dict[str, str]:
    """Every variant that has values → the first with the same in every seed: one network under two names, which would
    count as evidence that runs vary little, is one row of a table."""
    there = {variant: by_seed for variant, by_seed in values.items() if by_seed}
    return {variant: next(first for first in there if there[first] == there[variant]) for variant in there}


def table_of(values: Mapping[str, Mapping[int, float]], variants: Sequence[str]) -> Table:
    """The values of the ``variants``, a row each."""
    seeds = sorted({seed for by_seed in values.values() for seed in by_seed})
    rows = [[values[variant].get(seed, math.nan) for seed in seeds] for variant in variants]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(seeds))


def residual(table: Table) -> Residual:
    """Of the least squares fit value = variant + seed (Fisher, Statistical Methods for Research Workers, 1925)."""
    there = ~np.isnan(table)
    if not there.any():
        return Residual(0.0, 0)
    if there.all():
        freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
        return Residual(_squares(_left(table), table), freedom)
    variant, seed = np.nonzero(there)
    of_variant = variant[:, None] == np.arange(table.shape[0])
    of_seed = seed[:, None] == np.arange(table.shape[1])
    design, values = np.concatenate([of_variant, of_seed], axis=1).astype(np.float64), table[there]
    solution, _, rank, _ = np.linalg.lstsq(design, values)
    return Residual(_squares(values - design @ solution, table[there]), values.size - int(rank))


def freedom_of_each(table: Table) -> float:
    """Degrees of freedom of the residual variance of a complete table if every variant has a variance of its own.

    From each variant's squares (Satterthwaite, Biometrics Bulletin 2, 1946), at least those of one variant.
    """
    count, seeds = table.shape
    squares = (_left(table) ** 2).sum(axis=1)
    as_many = float(squares.sum() ** 2 / (squares**2).sum())
    return float(max(1.0, (count - 1) / count * as_many) * (seeds - 1))


def set_apart(table: Table) -> dict[int, float]:
    """The variants (rows) that vary more around the seeds' effect than the others, and how many times as much.

    The one that varies most is taken out while its p is below ``APART`` and three others can be compared. Without it
    the fit leaves less; what it adds, against what is left, is F where all deviations are equal (Russell & Bradley,
    Biometrika 45, 1958; Shukla, Heredity 29, 1972), p Bonferroni's for the largest F.
    """
    rows, apart = list(range(len(table))), dict[int, float]()
    while len(rows) > 2:
        p, ratio, row = _noisiest(table, rows)
        if p >= APART:
            break
        apart[row] = ratio
        rows.remove(row)
    return apart


def _noisiest(table: Table, rows: list[int]) -> tuple[float, float, int]:
    """p of the variant that adds most, its deviation over the others', its row."""
    from scipy.stats import f

    whole, count, found = residual(table[rows]), len(rows), [(1.0, 1.0, rows[0])]
    for row in rows:
        rest = residual(table[[other for other in rows if other != row]])
        added = whole.freedom - rest.freedom
        if not rest.freedom or not added or not whole.squares:
            continue
        ratio = (whole.squares - rest.squares) / added / rest.variance if rest.squares else math.inf
        times = math.sqrt(max(0.0, (count * ratio - 1) / (count - 1)))
        found.append((min(1.0, count * float(f.sf(ratio, added, rest.freedom))), times, row))
    return min(found)


def _left(table: Table) -> Table:
    left: Table = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    return left


def _squares(left: np.ndarray, values: np.ndarray) -> float:
    """Their sum; 0 where they are no more than the rounding of the values."""
    if not left.size or np.abs(left).max() <= 1e-12 * np.abs(values).max():
        return 0.0
    return float((left**2).sum())
