"""Identical rows, found without comparing pairs: each distinct row is searched once, and its copies share the result.

A layer whose units have died gives the same row for every image; every pair is then at distance 0 and no bound helps.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64

from assay.separation.samples import Samples
from assay.separation.scan import Nearest

_COLUMNS = 64


@dataclass(frozen=True)
class Distinct:
    """Which rows are copies of which."""

    first: Int64[np.ndarray, " u"]
    """The first row of each group of identical ones, ascending."""
    group: Int64[np.ndarray, " n"]
    """The group of each row."""


def distinct(x: Samples) -> Distinct | None:
    """The groups of identical rows; None if all differ.

    Rows that agree in 64 columns spread over the width are compared by a 128-bit hash of all their bytes.
    """
    some = torch.linspace(0, x.width - 1, min(_COLUMNS, x.width)).round().long().to(x.tensor.device)
    _, keys = np.unique(_fingerprints(x, some), return_inverse=True)
    shared = np.bincount(keys)[keys] > 1
    if not shared.any():
        return None
    names: dict[bytes | int, int] = {}
    group = np.empty(len(x), dtype=np.int64)
    for row, (key, is_shared) in enumerate(zip(keys, shared, strict=True)):
        name = _hash(x, row) if is_shared else int(key)
        if row % x.together == 0:
            x.release()
        group[row] = names.setdefault(name, len(names))
    if len(names) == len(x):
        return None
    first = np.unique(group, return_index=True)[1]
    return Distinct(first.astype(np.int64), group)


def _fingerprints(x: Samples, columns: torch.Tensor) -> np.ndarray:
    parts = [block.index_select(1, columns).double().cpu().numpy() for _, block in x.blocks()]
    values = np.concatenate(parts) + 0.0  # no negative zeros
    weights = np.random.default_rng(0).integers(1, 2**63, len(columns), dtype=np.uint64)
    fingerprints: np.ndarray = (values.view(np.uint64) * (weights | np.uint64(1))).sum(axis=1)
    return fingerprints


def _hash(x: Samples, row: int) -> bytes:
    values = x.tensor[row].double().cpu().numpy() + 0.0
    return hashlib.blake2b(values.tobytes(), digest_size=16).digest()


def with_duplicates(found: Nearest | None, of: Distinct, k: int) -> Nearest:
    """The k nearest of all rows, from the (up to k) nearest distinct rows of each distinct row."""
    members = _members(of)
    squared, rows = np.empty((len(of.group), k)), np.empty((len(of.group), k), dtype=np.int64)
    for group, own in enumerate(members):
        near = (np.zeros(0), np.zeros(0, np.int64)) if found is None else (found.squared[group], found.rows[group])
        distances, candidates = _spread(np.r_[0.0, near[0]], np.r_[group, near[1]], members, k + 1)
        for row in own:
            kept = np.flatnonzero(candidates != row)[:k]
            squared[row], rows[row] = distances[kept], candidates[kept]
    return Nearest(squared, rows)


def queried(found: Nearest, of: Distinct, k: int) -> Nearest:
    """The k nearest of all rows for separate queries, from their nearest distinct rows."""
    members = _members(of)
    near = [_spread(*pair, members, k) for pair in zip(found.squared, found.rows, strict=True)]
    return Nearest(np.stack([distances for distances, _ in near]), np.stack([rows for _, rows in near]))


def _members(of: Distinct) -> list[Int64[np.ndarray, " copies"]]:
    return np.split(np.argsort(of.group, kind="stable"), np.cumsum(np.bincount(of.group))[:-1])


def _spread(
    distances: Float64[np.ndarray, " u"], groups: Int64[np.ndarray, " u"], members: list[np.ndarray], most: int
) -> tuple[Float64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """The ``most`` nearest rows of these groups, equals by row number."""
    copies = [members[group][:most] for group in groups]
    every = np.repeat(distances, [len(rows) for rows in copies])
    rows = np.concatenate(copies)
    order = np.lexsort((rows, every))[:most]
    return every[order], rows[order]
