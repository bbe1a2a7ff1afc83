"""Rows in few coordinates, with what is known of the part left out and a bound on every rounding error.

For an orthonormal basis V of m directions, p = Vᵀx and the length of the rest r = √(‖x‖² − ‖p‖²), any two rows obey

    ‖p_i − p_j‖² + (r_i − r_j)²  ≤  ‖x_i − x_j‖²

What is computed differs from that: p by at most ε in length (float32 sums, by Higham's γ for sums in any order; V
orthonormal only up to ‖VᵀV − I‖, which is computed in float64) and r by at most e (the subtraction under the root).
Young's inequality, (a − b)² ≥ (1 − w)a² − (1/w − 1)b² for every 0 < w < 1, and (b_i + b_j)² ≤ 2b_i² + 2b_j² keep the
rows apart in the result: with q = (p, √(1 − t) r) and slack = 2(1/w − 1)ε² + 2(1/t − 1)e²,

    (1 − w)‖q_i − q_j‖² − slack_i − slack_j  ≤  ‖x_i − x_j‖²
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from assay.separation.rows import ENTRY, UNIT, Rows, columns, depth, gamma
from assay.separation.samples import Samples

Advance = Callable[[int], None]

CHUNK = 512
"""Products are summed over so many columns in float32, then the partial sums are added: less error than one long
sum."""
_ROWS = 4096
"""Most rows to work on at a time."""
_REST = 0.1
"""t above."""
_TINY = 2.0**-100
"""More than float32 underflow can amount to in a row, squared: the longest row has at least length 2⁻²⁰."""


@dataclass(frozen=True)
class Sketch:
    """Rows whose distances, less the slack, are lower bounds of the true ones (see the head of this file)."""

    rows: Rows
    """q: the coordinates, or the whole rows."""
    squares: Float64[Tensor, " n"]
    """‖q‖², up to the error of a float32 sum."""
    slack: Float64[Tensor, " n"]
    w: float
    scale: float
    """Of the coordinates to the matrix; its width:"""
    width: int
    rest: Float64[Tensor, " n"] | None = None
    """√(1 − t) r; None if nothing is left out."""

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)


@dataclass(frozen=True)
class Basis:
    """Directions to project on, the columns of V."""

    directions: Float32[Tensor, "d m"]
    defect: float
    """An upper bound of ‖VᵀV − I‖₂, and so of the distance from V to the nearest orthonormal basis."""

    @property
    def error(self) -> float:
        """ε as a share of ‖x‖."""
        width, m = self.directions.shape
        sums = gamma(depth(width, CHUNK)) * math.sqrt(m) * (1 + self.defect)
        return 1.02 * (self.defect + sums + ENTRY)


def whole(rows: Rows, memory: int, advance: Advance) -> Sketch:
    """All coordinates: bounds that differ from the distance by rounding alone."""
    squares = torch.zeros(len(rows), dtype=torch.float64, device=rows.device)
    for part in _blocks(rows, memory):
        for chunk in columns(rows.width, CHUNK):
            squares[part] += torch.linalg.vector_norm(rows.block(part, chunk), dim=1).double().square()
        rows.samples.release()
        advance(part.stop - part.start)
    w = 2 * ENTRY
    return Sketch(rows, squares, 2 / w * (1.01 * ENTRY) ** 2 * squares + _TINY, w, rows.scale, rows.width)


def projected(rows: Rows, basis: Basis, memory: int, advance: Advance) -> Sketch:
    """(p, r) for every row, in one pass over the data."""
    n, m = len(rows), basis.directions.shape[1]
    coordinates = torch.zeros(n, m + 1, dtype=torch.float32, device=rows.device)
    squares = torch.zeros(n, dtype=torch.float64, device=rows.device)
    for part in _blocks(rows, memory):
        total = torch.zeros(part.stop - part.start, m, dtype=torch.float32, device=rows.device)
        partial = torch.empty_like(total)
        for chunk in columns(rows.width, CHUNK):
            block = rows.block(part, chunk)
            total += torch.mm(block, basis.directions[chunk], out=partial)
            squares[part] += torch.linalg.vector_norm(block, dim=1).double().square()
        coordinates[part, :m] = total
        rows.samples.release()
        advance(part.stop - part.start)
    return _with_rest(coordinates, squares, basis.error, rows)


def _with_rest(coordinates: Tensor, squares: Tensor, relative: float, of: Rows) -> Sketch:
    """Fill in the last coordinate, √(1 − t) r."""
    inside = torch.cat([part[:, :-1].double().square().sum(dim=1) for part in coordinates.split(4096)])
    rest = (squares - inside).clamp(min=0).sqrt()
    moved = relative * squares.sqrt()
    doubt = (gamma(depth(of.width, CHUNK)) + 2 * ENTRY) * squares + moved * (2 * inside.sqrt() + moved)  # of r²
    doubt_of_rest = torch.minimum(doubt / rest.clamp(min=1e-150), doubt.sqrt()) + 2 * UNIT * rest
    w = min(2 * relative, 0.1)
    slack = 1.01 * (2 / w * moved.square() + 2 / _REST * doubt_of_rest.square()) + _TINY
    rest *= math.sqrt(1 - _REST)
    coordinates[:, -1] = rest.float()
    rows = Rows(Samples(coordinates, 0.0, 0.0))
    return Sketch(rows, inside + rest.square(), slack, w, of.scale, of.width, rest)


def _blocks(rows: Rows, memory: int) -> list[slice]:
    step = int(min(max(1, memory // (8 * rows.samples.row_bytes)), _ROWS))
    return [slice(start, min(start + step, len(rows))) for start in range(0, len(rows), step)]
