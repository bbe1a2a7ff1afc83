"""Exact nearest neighbours of real activations: assay against a blocked float32 matrix product and FAISS's flat index.

The plain CIFAR-10 residual network, trained for a few hundred steps, evaluated on training images; the rows are each
layer's activations, in a memory-mapped file that all sides read. Every side finds each row's nearest other row, k = 1,
which is what SI asks for, one side after the other in this process. Printed are wall-clock seconds of the search alone,
and processor seconds, which on a busy machine are the fairer ones (with --threads 1: waiting threads count as busy).
Neighbours that differ from assay's are counted, with how many of those are nearer in float64 (none may be).
With --sampled the other sides, whose time is proportional to the queries, answer only the first so many, scaled up.

Targets: 20,000 images: at least 10 × the matrix product on layers of 32,768 and more, 3 × from 8,192, faster than FAISS
there; 5,000 images: never slower than 1.2 × the matrix product on any layer. FAISS is optional: pip install faiss-cpu.

    ASSAY_DATA=… python benchmarks/bench_neighbors.py --images 5000
    ASSAY_DATA=… python benchmarks/bench_neighbors.py --images 20000 --narrowest 8192 --faiss
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from residual_network import activations, images, layers, trained
from torch import Tensor

from assay.separation import nearest_neighbors

BLOCK = 2048
REPEATS_BELOW = 2.0
"""Seconds below which a side is measured three times and the fastest counts."""


def brute(x: Tensor, queries: int) -> np.ndarray:
    """The row of the smallest ‖x_j‖² − 2 x_i·x_j, a block of queries at a time."""
    squares = x.square().sum(dim=1)
    found = []
    for start in range(0, queries, BLOCK):
        scores = squares - 2 * (x[start : min(start + BLOCK, queries)] @ x.T)
        scores.diagonal(start).fill_(torch.inf)
        found.append(scores.argmin(dim=1))
    return torch.cat(found).numpy()


def flat(x: np.ndarray, queries: int) -> np.ndarray:
    """FAISS's exact index; the row itself is among the two nearest unless it has copies."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x)
    rows = index.search(x[:queries], 2)[1]
    return np.where(rows[:, 0] == np.arange(queries), rows[:, 1], rows[:, 0])


class Seconds(NamedTuple):
    """What a search took."""

    wall: float
    processor: float

    def over(self, other: "Seconds") -> str:
        """How many times as much as another."""
        return f"{self.wall / other.wall:.2f}× wall {self.processor / other.processor:.2f}× processor"


def timed(side, *arguments, share: float = 1.0):
    """The quickest of up to three turns, scaled up from a ``share`` of the queries."""
    turns: list[Seconds] = []
    while len(turns) < 3 and sum(turn.wall for turn in turns) < REPEATS_BELOW:
        wall, processor = time.perf_counter(), time.process_time()
        result = side(*arguments)
        turns.append(Seconds(time.perf_counter() - wall, time.process_time() - processor))
    return Seconds(*(min(values) / share for values in zip(*turns, strict=True))), result


def differing(x: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> str:
    """How many neighbours differ, and how many of theirs are nearer in float64."""
    rows = np.flatnonzero(ours != theirs)
    here, there = (
        np.array([np.square(x[i].astype(float) - x[j]).sum() for i, j in zip(rows, of[rows], strict=True)])
        for of in (ours, theirs)
    )
    return f"{len(rows)} differ, {int((there < here).sum())} nearer"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--images", type=int, default=5000)
    options.add_argument("--steps", type=int, default=200, help="of training, 64 images each")
    options.add_argument("--narrowest", type=int, default=1, help="leave out narrower layers")
    options.add_argument("--layers", nargs="*", help="only these")
    options.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options.add_argument("--sampled", type=int, help="time the other sides on so many queries only")
    options.add_argument("--faiss", action="store_true", help="measure FAISS too")
    options.add_argument("--weights", type=Path, help="keep the trained weights here, or take them from here")
    asked = options.parse_args()
    root = Path(os.environ.get("ASSAY_DATA") or "data")
    if not (root / "cifar10.zip").is_file():
        print(f"skipped: no cifar10.zip in {str(root)!r} (set ASSAY_DATA to the folder that holds it)")
        sys.exit(0)
    torch.set_num_threads(asked.threads)
    data = images(root)
    model = trained(data, asked.steps, asked.weights)
    chosen = [(name, width) for name, width in layers() if width >= asked.narrowest]
    if asked.layers:
        chosen = [(name, width) for name, width in chosen if name in asked.layers]
    queries = min(asked.sampled or asked.images, asked.images)
    print(f"{asked.images:,} images, {asked.threads} threads; others timed on {queries:,} queries and scaled up")
    with tempfile.TemporaryDirectory() as folder:
        for name, width in chosen:
            path = Path(folder) / "x.dat"
            x = activations(model, data, asked.images, name, path)
            load = os.getloadavg()[0]
            ours, found = timed(lambda x: nearest_neighbors(x, 1)[1][:, 0], x)
            print(f"{name} {width:,} wide, load {load:.1f}: assay {ours.wall:.2f} s, {ours.processor:.2f} s processor")
            sides = [("product", brute, torch.from_numpy(x))] + ([("faiss", flat, x)] if asked.faiss else [])
            for what, side, rows in sides:
                theirs, nearest = timed(side, rows, queries, share=queries / asked.images)
                same = differing(x, found[:queries], nearest)
                seconds = f"{theirs.wall:.2f} s, {theirs.processor:.2f} s processor"
                print(f"    {what} {seconds}: {theirs.over(ours)}; {same}", flush=True)
            del x, rows, sides
            path.unlink()


if __name__ == "__main__":
    main()
