"""The directions to project on, and how many: from a sample of rows, weighed against comparing whole rows.

The directions are the principal ones of a sample (any orthonormal ones give valid bounds; these leave little out). How
many pay is counted on other rows, held out: with m directions, so many of their bounds fall below the distance of a
true neighbour.
"""

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from assay.seeds import numpy_generator
from assay.separation.rows import Rows, columns
from assay.separation.sketch import Basis

SAMPLE = 1024
_PROBES = 256
_COUNTS = (16, 32, 64, 96, 128, 192, 256, 384, 512)
_PAIR = 60.0
"""Time to measure one pair of rows exactly, per column, in multiply-adds of a matrix product."""
_DEFECT = 1e-4
"""Of a basis worth making again by a better method."""
_SHORT = 1e-3
"""A direction in which the sample varies so little, as a share of the first, is rounding, and is not made longer."""
_ENTRY = 64.0
"""Time to write and read one entry of a table of bounds, in multiply-adds."""


def choose(data: Rows, queries: int, k: int, memory: int) -> Basis | None:
    """A basis that makes the search for ``k`` neighbours of so many ``queries`` cheaper, or None.

    On a card there is none: it compares whole rows sooner than it finds the directions and settles what they leave.
    """
    if data.device.type == "cuda":
        return None
    size = min(SAMPLE, len(data) // 8, memory // (32 * data.width))
    if data.width < 1024 or size < 64:
        return None
    most = max(size // 2, 1)
    chosen = numpy_generator(0, "neighbors").permutation(len(data))[: 2 * size]
    directions = principal(data.block(np.sort(chosen[:size])), most)
    held_out = data.block(np.sort(chosen[size:]))
    left = candidates(held_out, directions, k)
    n, d = len(data), data.width
    counts = [m for m in _COUNTS if m <= directions.shape[1]]
    costs = [float(n * d * m + queries * n * (m + _ENTRY) + queries * d * _PAIR * (left[m] + k)) for m in counts]
    best = int(np.argmin(costs))
    if costs[best] > queries * n * (d + _ENTRY) + queries * d * _PAIR * k:
        return None
    return orthonormal(directions[:, : counts[best]])


def principal(sample: Float32[Tensor, "s d"], most: int) -> Float32[Tensor, "d m"]:
    """``most`` directions in which the sample varies most, the largest first: orthonormal but for rounding, or shorter
    where it does not vary."""
    products = torch.zeros(len(sample), len(sample), dtype=sample.dtype, device=sample.device)
    for chunk in columns(sample.shape[1], 4096):
        products += sample[:, chunk] @ sample[:, chunk].T
    directions: Tensor = sample.T @ torch.linalg.eigh(products).eigenvectors[:, -most:].flip(1)
    lengths = torch.linalg.vector_norm(directions, dim=0)
    directions /= lengths.clamp(min=max(1e-30, _SHORT * float(lengths[0])))
    return directions


def orthonormal(directions: Float32[Tensor, "d m"]) -> Basis:
    """A basis of what the directions span, the first m of it that of the first m of them."""
    factor, failed = torch.linalg.cholesky_ex((directions.T @ directions).double())
    if not failed:  # much quicker than the QR decomposition, which is for samples of low rank
        one = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
        found = directions @ torch.linalg.solve_triangular(factor, one, upper=False).T.float()
        if (off := defect(found)) <= _DEFECT:
            return Basis(found, off)
    found = torch.linalg.qr(directions).Q
    return Basis(found, defect(found))


def defect(directions: Float32[Tensor, "d m"]) -> float:
    """An upper bound of ‖VᵀV − I‖₂, with float64 products."""
    gram = -torch.eye(directions.shape[1], dtype=torch.float64, device=directions.device)
    for part in directions.split(4096):
        gram += part.double().T @ part.double()
    return float(gram.norm()) * (1 + 1e-6) + 1e-9


def candidates(rows: Float32[Tensor, "n d"], directions: Float32[Tensor, "d m"], k: int) -> dict[int, float]:
    """Pairs per query whose bound is below the true k-th distance, for each number of directions."""
    probes = slice(0, min(_PROBES, len(rows)))
    squares = rows.square().sum(dim=1)
    inner = rows @ directions
    true = squares[probes, None] + squares - 2 * rows[probes] @ rows.T
    true.diagonal().fill_(torch.inf)
    near = true.topk(min(k, len(rows) - 1), dim=1, largest=False).values[:, -1]
    found = {}
    for m in _COUNTS:
        if m > inner.shape[1]:
            break
        part = inner[:, :m]
        rest = (squares - part.square().sum(dim=1)).clamp(min=0).sqrt()
        bound = squares[probes, None] + squares - 2 * (part[probes] @ part.T + rest[probes, None] * rest)
        bound.diagonal().fill_(torch.inf)
        found[m] = float((bound <= near[:, None]).sum() / len(near))
    return found
