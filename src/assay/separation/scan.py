"""Every query against every row by lower bounds; the true distance only for pairs that the bounds do not rule out.

With T the k-th smallest true distance found so far for a query, no row whose bound exceeds T is among its k nearest.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from assay.separation.distances import RELATIVE_ERROR
from assay.separation.rows import UNIT, columns, depth, gamma
from assay.separation.sketch import Advance, Sketch

Pairs = Int64[np.ndarray, " p"]


@dataclass(frozen=True)
class Distances:
    """What is known of the distance of (query, row) pairs, squared."""

    exact: Callable[[Pairs, Pairs], Float64[np.ndarray, " p"]]
    rough: Callable[[Pairs, Pairs], Float64[np.ndarray, " p"] | None]
    """Lower bounds that are quicker to find, or None if there are none."""


CHUNK = 2048
"""Columns that one matrix product runs over; wider rows take several."""
_GROUP = 32
_FAR = 1e38


@dataclass(frozen=True)
class Nearest:
    """The k best rows found so far for some queries, by distance, equals by row number."""

    squared: Float64[np.ndarray, "q k"]
    rows: Int64[np.ndarray, "q k"]


@dataclass(frozen=True)
class Candidates:
    """Pairs that the bounds have not ruled out, with their entries in the table."""

    query: Pairs
    row: Pairs
    entry: Float32[np.ndarray, " p"]

    def those(self, which: Int64[np.ndarray, " w"] | Bool[np.ndarray, " p"]) -> "Candidates":
        """Some of them, by their places or where it is true."""
        return Candidates(self.query[which], self.row[which], self.entry[which])


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
    step = max(1, min(len(queries), bounds.table_bytes(memory) // (4 * bounds.padded)))
    table = torch.empty(step, bounds.padded, dtype=torch.float32, device=data.rows.device)
    found: list[Nearest] = []
    for start in range(0, len(queries), step):
        part = slice(start, min(start + step, len(queries)))
        lower = bounds.table(part, table[: part.stop - start])
        if alone:
            lower.diagonal(start).fill_(_FAR)
        found.append(_nearest(lower, bounds, part, k, distances, memory))
        advance(part.stop - start)
    return Nearest(np.concatenate([f.squared for f in found]), np.concatenate([f.rows for f in found]))


class Bounds:
    """Lower bounds of squared distances up to a constant per query, and the limits to compare them with.

    table[i, j] = s_j − 2 q_i·q_j − slack_j / (1 − w), s the squared lengths, less what its own rounding may amount to;
    row j is ruled out for query i if table[i, j] > (T² + slack_i) / (1 − w) − s_i.
    """

    def __init__(self, queries: Sketch, data: Sketch) -> None:
        """Set up the constants."""
        self.queries, self.data, self.scale = queries, data, data.scale
        self.underflow = data.scale * math.sqrt(data.width) * 2.0**-510  # of float64 squares
        width = data.rows.width
        self.padded = -(-len(data) // _GROUP) * _GROUP
        self.w = max(queries.w, data.w)
        rounding = 2.1 * (gamma(depth(width, CHUNK) + 4) + 4 * UNIT)
        constants = data.squares * (1 - 2 * rounding) - data.slack * (1 + rounding) / (1 - self.w)
        self.constants = torch.full((self.padded,), _FAR, dtype=torch.float32, device=data.rows.device)
        self.constants[: len(data)] = constants.float()
        self.slack = queries.slack.cpu().numpy()
        self.offset = (1 - rounding) * queries.squares.cpu().numpy()
        self.rests = None
        if queries.rest is not None and data.rest is not None:
            self.rests = queries.rest.cpu().numpy(), data.rest.cpu().numpy()
        self.right = self._right(columns(width, CHUNK)[0]) if width <= CHUNK else None

    def table_bytes(self, memory: int) -> int:
        """Size of a table: small enough for a processor's cache, unless every table costs a pass over the data."""
        cached = self.right is not None and self.constants.device.type == "cpu"
        return min(memory // 8, 2**25 if cached else 2**28)

    def limit(self, squared: Float64[np.ndarray, " q"], part: slice) -> Float32[Tensor, " q"]:
        """Entries above this belong to rows further away than ``squared``, for the queries of ``part``."""
        reach = np.sqrt(squared * (1 + 2 * RELATIVE_ERROR)) * self.scale + self.underflow
        limit = (np.square(reach) + self.slack[part]) / (1 - self.w) - self.offset[part]
        limit = np.minimum(limit + 4 * UNIT * np.abs(limit) + 2.0**-100, _FAR / 2)
        return torch.from_numpy(limit.astype(np.float32)).to(self.constants.device)

    def expected_rest(
        self, query: Int64[np.ndarray, " c"], row: Int64[np.ndarray, " c"]
    ) -> Float64[np.ndarray, " c"] | float:
        """What to add to an entry to estimate the distance: rests in high dimensions are nearly orthogonal."""
        return 0.0 if self.rests is None else 2 * self.rests[0][query] * self.rests[1][row]

    def table(self, part: slice, out: Float32[Tensor, "q n"]) -> Float32[Tensor, "q n"]:
        """The entries of the queries of ``part``."""
        for number, chunk in enumerate(columns(self.data.rows.width, CHUNK)):
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
        right = torch.zeros(self.padded, data.shape[1] + 1, dtype=torch.float32, device=data.device)
        right[: len(data), :-1] = data
        right[:, -1] = self.constants
        return right


def _nearest(
    lower: Float32[Tensor, "q n"], bounds: Bounds, part: slice, k: int, distances: Distances, memory: int
) -> Nearest:
    """The k nearest rows for the queries of ``part``, whose table is ``lower`` (which is overwritten)."""
    least = lower.view(len(lower), _GROUP, -1).amin(dim=1)
    guesses = _smallest(lower, least, k)
    rows = guesses.cpu().numpy()
    queries = np.arange(part.start, part.stop)
    best = _sorted(distances.exact(queries.repeat(k), rows.ravel()).reshape(rows.shape), rows)
    lower.scatter_(1, guesses, _FAR)
    marked = least <= bounds.limit(best.squared[:, -1], part)[:, None]
    for pairs in marked.nonzero().split(max(1, memory // (64 * 4 * _GROUP))):
        within = _members(lower, pairs, bounds.limit(best.squared[:, -1], part))
        best = _settle(best, within, bounds, part, distances)
    return best


def _smallest(lower: Float32[Tensor, "q n"], least: Float32[Tensor, "q g"], k: int) -> Int64[Tensor, "q k"]:
    """The columns of the k smallest entries of each row: they lie in the k groups with the smallest minima."""
    groups = least.topk(min(k, least.shape[1]), dim=1, largest=False).indices
    members = groups[:, :, None] + least.shape[1] * torch.arange(_GROUP, device=lower.device)
    members = members.flatten(1)
    places = lower.gather(1, members).topk(k, dim=1, largest=False).indices
    return members.gather(1, places)


def _members(lower: Float32[Tensor, "q n"], pairs: Int64[Tensor, "p 2"], limit: Float32[Tensor, " q"]) -> Candidates:
    """The entries within the limit, in these (query, group) pairs."""
    query, group = pairs[:, 0], pairs[:, 1]
    groups = lower.shape[1] // _GROUP
    row = group[:, None] + groups * torch.arange(_GROUP, device=lower.device)
    entry = lower.view(-1)[query[:, None] * lower.shape[1] + row]
    kept = (entry <= limit[query][:, None]).nonzero(as_tuple=True)
    return Candidates(query[kept[0]].cpu().numpy(), row[kept].cpu().numpy(), entry[kept].cpu().numpy())


def _settle(best: Nearest, left: Candidates, bounds: Bounds, part: slice, distances: Distances) -> Nearest:
    """Candidates measured in the order of their likely distance, a few per query at first, until none is left."""
    likely = left.entry + bounds.expected_rest(left.query + part.start, left.row)
    left = left.those(np.lexsort((likely, left.query)))
    few = best.rows.shape[1]
    while len(left.query):
        first = _rank(left.query) < few
        now = left.those(first)
        query, row = _not_further(now.query, now.row, best, part.start, distances)
        best = _merged(best, query, distances.exact(query + part.start, row), row)
        left = left.those(~first)
        limit = bounds.limit(best.squared[:, -1], part).cpu().numpy()
        left = left.those(left.entry <= limit[left.query])
        few *= 2
    return best


def _not_further(
    query: Pairs, row: Pairs, best: Nearest, start: int, distances: Distances
) -> tuple[Int64[np.ndarray, " left"], Int64[np.ndarray, " left"]]:
    """The pairs that the rough distance does not rule out."""
    rough = distances.rough(query + start, row)
    if rough is None:
        return query, row
    near = rough <= best.squared[query, -1]
    return query[near], row[near]


def _sorted(squared: Float64[np.ndarray, "q k"], rows: Int64[np.ndarray, "q k"]) -> Nearest:
    order = np.lexsort((rows, squared), axis=1)
    return Nearest(np.take_along_axis(squared, order, axis=1), np.take_along_axis(rows, order, axis=1))


def _merged(
    best: Nearest, query: Int64[np.ndarray, " c"], squared: Float64[np.ndarray, " c"], row: Int64[np.ndarray, " c"]
) -> Nearest:
    """The k best of ``best`` and the candidates."""
    k = best.rows.shape[1]
    changed = np.unique(query)
    owners = np.concatenate([changed.repeat(k), query])
    distances = np.concatenate([best.squared[changed].ravel(), squared])
    rows = np.concatenate([best.rows[changed].ravel(), row])
    order = np.lexsort((rows, distances, owners))
    order = order[_rank(owners[order]) < k]
    best.squared[changed] = distances[order].reshape(-1, k)
    best.rows[changed] = rows[order].reshape(-1, k)
    return best


def _rank(sorted_owner: Int64[np.ndarray, " c"]) -> Int64[np.ndarray, " c"]:
    """The place of each entry among those of its owner."""
    place = np.arange(len(sorted_owner))
    first = np.r_[True, sorted_owner[1:] != sorted_owner[:-1]]
    return place - np.maximum.accumulate(np.where(first, place, 0))
