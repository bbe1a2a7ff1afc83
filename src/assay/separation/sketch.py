"""Rows in few coordinates, with what is known of the part left out and a bound on every rounding error.

For an orthonormal basis V of m directions, p = Vᵀx and the length of the rest r = √(‖x‖² − ‖p‖²), any two rows obey

    ‖p_i − p_j‖² + (r_i − r_j)²  ≤  ‖x_i − x_j‖²  ≤  ‖p_i − p_j‖² + (r_i + r_j)²

so the rows (p, r) in m + 1 coordinates are nowhere further apart than the rows themselves. A computed row differs from the
exact one by at most ``errors`` in length: from float32 sums (Higham's γ, for sums in any order), from V being orthonormal
only up to ‖VᵀV − I‖ (which is computed, in float64), and from the subtraction under the root of r.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from assay.separation.rows import CHUNK, UNIT, Rows, columns, depth, gamma
from assay.separation.samples import Samples

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Sketch:
    """Rows whose distances are lower bounds of the true ones."""

    rows: Rows
    """The coordinates: (p, r), or the whole rows."""
    squares: Float64[Tensor, " n"]
    """Squared length of each row of coordinates."""
    errors: Float64[Tensor, " n"]
    """Largest distance of a row of coordinates from the exact one."""
    rest: Float64[Tensor, " n"] | None = None
    """The length r left out; None if nothing is."""

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)


def whole(rows: Rows, block_bytes: int, advance: Advance) -> Sketch:
    """All coordinates: bounds that differ from the distance by rounding alone."""
    squares = torch.zeros(len(rows), dtype=torch.float64, device=rows.device)
    for part in _blocks(rows, block_bytes):
        squares[part] = _squares(rows.block(part))
        rows.samples.release()
        advance(part.stop - part.start)
    return Sketch(rows, squares, 1.01 * UNIT * squares.sqrt() + _TINY)


@dataclass(frozen=True)
class Basis:
    """Directions to project on."""

    directions: Float32[Tensor, "d m"]
    defect: float
    """An upper bound of ‖VᵀV − I‖₂."""

    @property
    def count(self) -> int:
        """m."""
        return self.directions.shape[1]

    def error(self) -> float:
        """Largest ‖computed p − exact p‖ as a share of ‖x‖, where exact means the orthonormal basis nearest to V."""
        m = self.count
        width = len(self.directions)
        return 1.02 * (self.defect + gamma(depth(width)) * math.sqrt(m) * (1 + self.defect) + 1.01 * UNIT)


def projected(rows: Rows, basis: Basis, block_bytes: int, advance: Advance) -> Sketch:
    """(p, r) for every row, in one pass over the data."""
    n, m = len(rows), basis.count
    coordinates = torch.zeros(n, m + 1, device=rows.device)
    squares = torch.zeros(n, dtype=torch.float64, device=rows.device)
    product = torch.empty(0, device=rows.device)
    for part in _blocks(rows, block_bytes):
        block = rows.block(part)
        for chunk in columns(rows.width):
            product = torch.mm(block[:, chunk], basis.directions[chunk])
            coordinates[part, :m] += product
        squares[part] = _squares(block)
        rows.samples.release()
        advance(part.stop - part.start)
    return _with_rest(coordinates, squares, basis.error(), rows.width)


def _with_rest(coordinates: Tensor, squares: Tensor, relative: float, width: int) -> Sketch:
    inside = torch.cat([part[:, :-1].double().square().sum(dim=1) for part in coordinates.split(4096)])
    rest = (squares - inside).clamp(min=0).sqrt()
    coordinates[:, -1] = rest.float()
    lengths = squares.sqrt()
    moved = relative * lengths
    doubt = (gamma(depth(width)) + 4 * UNIT) * squares + moved * (2 * inside.sqrt() + moved)  # of rest², see Sketch
    rest_error = torch.minimum(doubt / rest, doubt.sqrt()) + UNIT * rest
    errors = 1.01 * torch.hypot(moved, rest_error) + _TINY
    squares = inside + coordinates[:, -1].double().square()
    samples = Samples(coordinates, 0.0, 0.0)
    return Sketch(Rows(samples), squares, errors, rest)


_TINY = 2.0**-100
"""More than float32 underflow can amount to in a row of largest length 2²⁰."""


def _squares(block: Float32[Tensor, "b d"]) -> Float64[Tensor, " b"]:
    parts = [torch.linalg.vector_norm(block[:, chunk], dim=1).double() for chunk in columns(block.shape[1])]
    return torch.stack(parts).square_().sum(dim=0)


def _blocks(rows: Rows, block_bytes: int) -> list[slice]:
    step = max(1, min(len(rows), block_bytes // (4 * max(rows.width, CHUNK))))
    return [slice(start, min(start + step, len(rows))) for start in range(0, len(rows), step)]
