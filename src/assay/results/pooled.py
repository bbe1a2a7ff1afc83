"""What the seeds leave unexplained: the additive fit of variants and seeds, and whether one variant varies more.

Both take a table variant × seed, nan where a run is missing.
"""

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


class Noisiest(NamedTuple):
    """The variant (its row) whose runs vary most, how many times the others' deviation, and the chance of that."""

    variant: int
    ratio: float
    p: float


def residual(table: Table) -> Residual:
    """Of the least squares fit value = variant + seed (Fisher, Statistical Methods for Research Workers, 1925)."""
    there = ~np.isnan(table)
    if not there.any():
        return Residual(0.0, 0)
    if there.all():
        left = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
        freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
        return Residual(_squares(left, table), freedom)
    variant, seed = np.nonzero(there)
    of_variant = variant[:, None] == np.arange(table.shape[0])
    of_seed = seed[:, None] == np.arange(table.shape[1])
    design, values = np.concatenate([of_variant, of_seed], axis=1).astype(np.float64), table[there]
    solution, _, rank, _ = np.linalg.lstsq(design, values)
    return Residual(_squares(values - design @ solution, table[there]), values.size - int(rank))


def noisiest(table: Table) -> Noisiest | None:
    """The variant that stands out most by how much its runs vary around the seeds' effect; None where none can.

    Without it the fit leaves less; what it adds against what is left is F where all deviations are equal (Russell &
    Bradley, Biometrika 45, 1958; Shukla, Heredity 29, 1972). p is Bonferroni's, for the largest of them.
    """
    from scipy.stats import f

    whole, found = residual(table), list[tuple[float, float, int]]()
    for row in range(len(table)):
        rest = residual(np.delete(table, row, axis=0))
        added = whole.freedom - rest.freedom
        if not rest.freedom or not added:
            continue
        ratio = (whole.squares - rest.squares) / added / rest.variance if rest.squares else float("inf")
        found.append((float(f.sf(ratio, added, rest.freedom)), ratio, row))
    if not found or not whole.squares:
        return None
    p, ratio, row = min(found)
    k = len(table)
    return Noisiest(row, max(0.0, (k * ratio - 1) / (k - 1)) ** 0.5, min(1.0, len(found) * p))


def _squares(left: np.ndarray, values: np.ndarray) -> float:
    """Their sum; 0 where they are no more than the rounding of the values."""
    if not left.size or np.abs(left).max() <= 1e-12 * np.abs(values).max():
        return 0.0
    return float((left**2).sum())
