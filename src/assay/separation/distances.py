"""The distance that counts: float64, of single pairs of rows, the same bits however the pairs are grouped.

The value is NumPy's ``((x_i - x_j) ** 2).sum()`` on float64 rows. Every pair is subtracted before it is squared, so
that the relative error is below 1e-12 for any width and any offset, and equal rows are at distance exactly 0.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float64, Int64

from assay.separation.samples import Samples

RELATIVE_ERROR = 1e-12
_CHUNK = 131_072
"""Numbers that a thread works on at a time: three such arrays fit a second-level cache."""


def squared_distances(
    a: Samples, i: Int64[np.ndarray, " pairs"], b: Samples, j: Int64[np.ndarray, " pairs"]
) -> Float64[np.ndarray, " pairs"]:
    """‖a_i − b_j‖² for each pair of row numbers."""
    result = np.empty(len(i))
    step = max(1, _CHUNK // a.width)
    factors = None if a.factors is None else a.factors.cpu().numpy()

    def work(start: int) -> None:
        part = slice(start, start + step)
        difference = _rows(a, i[part])
        difference -= _rows(b, j[part])
        if a.factors is not None:
            difference *= factors
        np.square(difference, out=difference)
        result[part] = difference.sum(axis=1)

    starts = range(0, len(i), step)
    if len(starts) < 2 or torch.get_num_threads() == 1:
        for start in starts:
            work(start)
    else:
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            list(threads.map(work, starts))
    return result


def _rows(x: Samples, rows: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "n d"]:
    if x.tensor.is_cuda or x.tensor.dtype == torch.bfloat16:
        return x.tensor[torch.from_numpy(rows).to(x.tensor.device)].double().cpu().numpy()
    return np.take(x.tensor.numpy(), rows, axis=0).astype(np.float64, order="C", copy=False)
