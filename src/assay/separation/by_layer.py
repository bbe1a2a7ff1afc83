"""Separation layer by layer, for any network: where the classes come apart, and which layers push them together.

Of images with numbers in place of labels there is the smoothness index.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float64, Int64
from torch import nn

from assay.errors import AssayError, unknown
from assay.separation.capture import Activations, Batches, Layer, capture, choose, labels_of, targets_of
from assay.separation.centers import mean_index
from assay.separation.index import Index
from assay.separation.indices import neighbor_index
from assay.separation.neighbors import MEMORY, check_order, search
from assay.separation.samples import Samples, is_order, samples
from assay.separation.smoothness import smoothness_index
from assay.system.machine import placed

INDICES = ("separation", "high_order", "soft_order", "anti", "center", "cross_separation", "cross_center")
SMOOTHNESS = "smoothness"
OF_ORDER = ("high_order", "soft_order", "anti")
CROSS = ("cross_separation", "cross_center")
TRAIN = "train"
Known = Int64[np.ndarray, " n"] | Float64[np.ndarray, "n targets"]
Labelled = tuple[Samples, Int64[np.ndarray, "..."] | Float64[np.ndarray, "..."]]
SCHEMA = {
    "layer": pl.String,
    "depth": pl.Int64,
    "width": pl.Int64,
    "split": pl.String,
    "index": pl.String,
    "order": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "chance": pl.Float64,
}


@dataclass(frozen=True)
class Layers:
    """What was measured, and what could not be."""

    table: pl.DataFrame
    """A row per layer, split, index and order: layer, depth, width, split, index, order (null where it has none),
    value, low and high (95 %), chance."""
    skipped: Sequence[tuple[str, str]]
    """(layer, reason): a layer of which nothing could be measured, or a split, an index or an order of it, which the
    reason names."""
    left_out: Sequence[tuple[str, str]] = ()
    """(image, reason): an image that could not be read, where ``probe_model`` has read them."""
    notes: Sequence[str] = ()
    """What to know of the images, where they are those of a recipe: a class with a single one."""
    deepest: int = 0
    """The depth of the last of the layers asked for, whether it could be measured or not."""


def layers(
    model: nn.Module,
    batches: Batches | Mapping[str, Batches],
    *,
    choose_layers: str | Sequence[str] = "blocks",
    indices: Sequence[str] = ("separation", "center"),
    orders: Sequence[int] = (5,),
    device: torch.device | str | None = None,
    memory: int = MEMORY,
    storage: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Layers:
    """Measure the layers of ``model``, in evaluation mode, on all images of ``batches``.

    Args:
        model: any network; it is left as it was.
        batches: pairs of inputs and labels (for smoothness: targets (b,) or (b, t)), which can be gone through
            repeatedly in one order, or such by split.
        choose_layers: ``"blocks"`` (direct children), ``"leaves"``, or patterns on dotted names.
        indices: of ``INDICES``; the cross indices compare every other split with the one called ``train``. Or
            ``("smoothness",)`` alone: see ``smoothness_index``.
        orders: k of the high-order, soft-order and anti index.
        device: where the forward passes run; None is where the model is.
        memory: bytes to work in.
        storage: bytes of temporary files at a time; more means fewer forward passes. None is half of what is free.
        progress: called with (layers done, layers to do).

    Raises:
        AssayError: an unknown index, orders that are not whole numbers, a pattern that matches no layer, a split
            without images, batches that can be gone through only once, or labels that are not one whole number an
            image (for smoothness: numbers).
    """
    splits = batches if isinstance(batches, Mapping) else {"all": batches}
    are_smooth = tuple(indices) == (SMOOTHNESS,)
    for name in indices if not are_smooth else ():
        if name not in INDICES:
            raise unknown("index", name, INDICES)
    if isinstance(orders, str) or not isinstance(orders, Iterable) or not all(map(is_order, orders)):
        raise AssayError(f"orders: expected whole numbers from 1, such as (1, 5), found {orders!r}")
    if not splits:
        raise AssayError("separation: there are no images to measure the layers on")
    if any(name in CROSS for name in indices) and TRAIN not in splits:
        raise AssayError("the cross indices compare with a split called 'train', and there is none")
    names = choose(model, choose_layers)
    where = placed(device or next((p.device for p in model.parameters()), "cpu"))
    known = {split: (targets_of if are_smooth else labels_of)(part, split) for split, part in splits.items()}
    rows: list[dict[str, Any]] = []
    skipped: list[tuple[str, str]] = []
    deepest = 0
    images = sum(map(len, known.values()))
    for done, found in enumerate(capture(model, splits, images, names, where, storage), start=1):
        values, reasons = measured(found, known, indices, orders, memory)
        rows += values
        deepest = max(deepest, found.layer.depth)
        skipped += [(found.layer.name, reason) for reason in reasons]
        if progress:
            progress(done, len(names))
    return Layers(pl.DataFrame(rows, schema=SCHEMA).sort("depth", maintain_order=True), skipped, deepest=deepest)


def measured(
    found: Activations,
    known: Mapping[str, Known],
    indices: Sequence[str],
    orders: Sequence[int],
    memory: int,
) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of one layer, and why others are missing."""
    rows: list[dict[str, Any]] = []
    reasons = [found.trouble] if found.trouble else []
    asked = [(n, k) for n in (*INDICES, SMOOTHNESS) if n in indices for k in (orders if n in OF_ORDER else (None,))]
    checked: dict[str, Labelled] = {}
    for split, x in found.splits.items():
        with noting(reasons):
            checked[split] = samples(x, f"{split} images"), known[split]
    for split, here in checked.items():
        deepest = max([1, *(k for _, k in asked if k and k < len(here[0]))])
        measure = measuring(here, checked.get(TRAIN, here), deepest, memory)
        for name, order in asked:
            if name in CROSS and (split == TRAIN or TRAIN not in checked):
                continue
            with noting(reasons):
                rows.append(row(found.layer, split, name, order, measure(name, order)))
    return rows, reasons


def measuring(here: Labelled, train: Labelled, deepest: int, memory: int) -> Callable[[str, int | None], Index]:
    """What measures an index of a split by name and order: its neighbours are searched once, when first needed.

    It raises AssayError for an index that needs more samples than there are.
    """
    x, y = here
    neighbors = cache(lambda: search(x, deepest, memory=memory).rows)

    def measure(name: str, order: int | None) -> Index:
        if name == SMOOTHNESS:
            return smoothness_index(x, y, memory=memory)
        if name == "cross_separation":
            return neighbor_index(name, search(train[0], 1, x, memory).rows, y, train[1])
        if name == "cross_center":
            return mean_index(name, *train, *here, memory)
        k = order or 1
        check_order(k, x)
        return mean_index(name, *here, *here, memory) if name == "center" else neighbor_index(name, neighbors(), y, k=k)

    return measure


@contextmanager
def noting(reasons: list[str]) -> Iterator[None]:
    """Go on after a mistake, whose sentence is kept once."""
    try:
        yield
    except AssayError as error:
        if str(error) not in reasons:
            reasons.append(str(error))


def row(layer: Layer, split: str, name: str, order: int | None, index: Index) -> dict[str, Any]:
    """One index of one layer as a row of the table."""
    low, high = index.interval
    values = {"value": index.value, "low": low, "high": high, "chance": index.chance}
    return {"layer": layer.name, "depth": layer.depth, "width": layer.width, "split": split} | {
        "index": name,
        "order": order,
        **values,
    }
