"""Every query against every row by lower bounds; the true distance only for pairs that the bounds do not rule out.

With T the k-th smallest true distance found so far for query i, row j cannot be among its k nearest if
‖q_i − q_j‖ > T + e_i + e_j (q the coordinates, e their errors). To keep i and j apart in the comparison,
(T + e_i + e_j)² is widened to (1 + w)(T + e_i)² + (1 + 1/w) e_j², which holds for every w > 0 (Young's inequality).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from assay.separation.distances import RELATIVE_ERROR
from assay.separation.rows import CHUNK, UNIT, columns, depth, gamma
from assay.separation.sketch import Advance, Sketch

Distances = Callable[[Int64[np.ndarray, " p"], Int64[np.ndarray, " p"]], Float64[np.ndarray, " p"]]
"""Squared float64 distances of (query, row) pairs."""
_GROUP = 32
_FAR = 1e38


@dataclass(frozen=True)
class Nearest:
    """The k best rows found so far for some queries, by distance, equals by row number."""

    squared: Float64[np.ndarray, "q k"]
    rows: Int64[np.ndarray, "q k"]


def scan(
    queries: Sketch, data: Sketch, k: int, distances: Distances, alone: bool, memory: int, advance: Advance
) -> Nearest:
    """The k nearest rows of every query.

    Args:
        queries: may be ``data`` itself.
        data: at least k rows (k + 1 if queries are data).
        k: neighbours per query.
        distances: the true ones.
        alone: queries are data, and a row is not its own neighbour.
        memory: bytes to work in.
        advance: is told how many queries are done.
    """
    bounds = Bounds(queries, data)
    step = max(1, min(len(queries), bounds.block_bytes(memory) // (4 * bounds.padded)))
    table = torch.empty(step, bounds.padded, device=data.rows.device)
    found: list[Nearest] = []
    for start in range(0, len(queries), step):
        part = slice(start, min(start + step, len(queries)))
        lower = bounds.table(part, table[: part.stop - start])
        if alone:
            lower.diagonal(start).fill_(_FAR)
        found.append(_block(lower, bounds, part, k, distances, memory))
        advance(part.stop - start)
    return Nearest(np.concatenate([f.squared for f in found]), np.concatenate([f.rows for f in found]))


class Bounds:
    """Lower bounds of squared distances up to a constant per query, and the thresholds to compare them with.

    table[i, j] = s_j − 2 q_i·q_j − slack_j with s the squared lengths; j is ruled out if table[i, j] > limit_i.
    """

    def __init__(self, queries: Sketch, data: Sketch) -> None:
        """Set up the constants."""
        self.queries, self.data = queries, data
        width = data.rows.width
        self.padded = -(-len(data) // _GROUP) * _GROUP
        typical = float((data.errors / data.squares.sqrt().clamp(min=1e-30)).median())
        self.w = min(max(2 * typical, 1e-6), 0.1)
        sums = 2.1 * (gamma(depth(width) + 4) + 4 * UNIT)
        spread = (1 + 1 / self.w) * data.errors.square()
        constants = data.squares * (1 - 2 * sums) - (1 + sums) * spread
        self.constants = torch.full((self.padded,), _FAR, device=data.rows.device)
        self.constants[: len(data)] = constants.float()
        self.offset = (sums - 1) * queries.squares.cpu().numpy()
        self.errors = queries.errors.cpu().numpy()
        self.underflow = width * 2.0**-120
        self.right = self._right(columns(width)[0]) if width <= CHUNK else None

    def block_bytes(self, memory: int) -> int:
        """Size of a table: small enough for a cache, unless every table costs a pass over the data."""
        return min(memory // 4, 2**25 if self.right is not None else 2**28)

    def limit(self, squared: Float64[np.ndarray, " q"], part: slice, scale: float, width: int) -> Float32[np.ndarray, " q"]:
        """Entries above this belong to rows further away than ``squared``, for the queries of ``part``."""
        tiny = scale * np.sqrt(width) * 2.0**-510  # squares below float64's smallest number
        reach = np.sqrt(squared * (1 + 2 * RELATIVE_ERROR)) * scale + tiny + self.errors[part]
        limit = (1 + self.w) * np.square(reach) + self.offset[part] + self.underflow
        return np.minimum(limit + 4 * UNIT * np.abs(limit), _FAR / 2).astype(np.float32)

    def table(self, part: slice, out: Float32[Tensor, "q n"]) -> Float32[Tensor, "q n"]:
        """The entries of the queries of ``part``."""
        for number, chunk in enumerate(columns(self.data.rows.width)):
            left = self.queries.rows.block(part, chunk) * -2
            if number == 0:
                left = torch.nn.functional.pad(left, (0, 1), value=1.0)
                torch.mm(left, self._right(chunk).T if self.right is None else self.right.T, out=out)
            else:
                out[:, : len(self.data)] += torch.mm(left, self.data.rows.block(slice(0, len(self.data)), chunk).T)
            self.data.rows.samples.release()
        return out

    def _right(self, chunk: slice) -> Float32[Tensor, "n c"]:
        data = self.data.rows.block(slice(0, len(self.data)), chunk)
        right = torch.zeros(self.padded, data.shape[1] + 1, device=data.device)
        right[: len(data), :-1] = data
        right[:, -1] = self.constants
        return right
