"""Separation layer by layer, for any network: where the classes come apart, and which layers push them together."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Int64
from torch import nn

from assay.errors import AssayError, unknown
from assay.separation.capture import Activations, Batches, Layer, capture, choose, labels_of
from assay.separation.centers import center_index, cross_center_index
from assay.separation.index import Index
from assay.separation.indices import neighbor_index
from assay.separation.neighbors import MEMORY, search
from assay.separation.samples import samples

INDICES = ("separation", "high_order", "soft_order", "anti", "center", "cross_separation", "cross_center")
OF_ORDER = ("high_order", "soft_order", "anti")
TRAIN = "train"
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
    skipped: list[tuple[str, str]]
    """(layer, reason)."""


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
        batches: pairs of inputs and labels, which can be gone through repeatedly in one order, or such by split.
        choose_layers: ``"blocks"`` (direct children), ``"leaves"``, or patterns on dotted names.
        indices: of ``INDICES``; the cross indices compare every other split with the one called ``train``.
        orders: k of the high-order, soft-order and anti index.
        device: where the forward passes run; None is where the model is.
        memory: bytes to work in.
        storage: bytes of temporary files at a time; more means fewer forward passes. None is half of what is free.
        progress: called with (layers done, layers to do).

    Raises:
        AssayError: an unknown index, a pattern that matches no layer, no images, or no room for the largest layer.
    """
    splits = batches if isinstance(batches, Mapping) else {"all": batches}
    for name in indices:
        if name not in INDICES:
            raise unknown("index", name, INDICES)
    if any(name.startswith("cross") for name in indices) and TRAIN not in splits:
        raise AssayError("the cross indices compare with a split called 'train', and there is none")
    names = choose(model, choose_layers)
    where = torch.device(device) if device else next((p.device for p in model.parameters()), torch.device("cpu"))
    known = {split: labels_of(part) for split, part in splits.items()}
    rows: list[dict[str, Any]] = []
    skipped: list[tuple[str, str]] = []
    room = shutil.disk_usage(tempfile.gettempdir()).free // 2 if storage is None else storage
    for done, found in enumerate(capture(model, splits, names, where, room), start=1):
        try:
            if found.trouble:
                raise AssayError(found.trouble)
            rows += list(measured(found, known, indices, orders, memory))
        except AssayError as error:
            skipped.append((found.layer.name, str(error)))
        if progress:
            progress(done, len(names))
    return Layers(pl.DataFrame(rows, schema=SCHEMA).sort("depth", maintain_order=True), skipped)


def measured(
    found: Activations,
    known: Mapping[str, Int64[np.ndarray, " n"]],
    indices: Sequence[str],
    orders: Sequence[int],
    memory: int,
) -> Iterator[dict[str, Any]]:
    """The rows of one layer; the neighbours of a split are searched once for all indices."""
    for split, x in found.splits.items():
        y = known[split]
        ordered = [name for name in indices if name in OF_ORDER]
        deepest = max([1, *(orders if ordered else ())])
        if "separation" in indices or ordered:
            neighbors = search(samples(x), deepest, memory=memory).rows
            if "separation" in indices:
                yield row(found.layer, split, "separation", None, neighbor_index("separation", neighbors, y, k=1))
            for name in ordered:
                for k in orders:
                    yield row(found.layer, split, name, k, neighbor_index(name, neighbors, y, k=k))
        if "center" in indices:
            yield row(found.layer, split, "center", None, center_index(x, y, memory=memory))
        if split == TRAIN or not any(name.startswith("cross") for name in indices):
            continue
        train, train_labels = found.splits[TRAIN], known[TRAIN]
        if "cross_separation" in indices:
            nearest = search(samples(train), 1, samples(x), memory).rows
            index = neighbor_index("cross_separation", nearest, y, train_labels)
            yield row(found.layer, split, "cross_separation", None, index)
        if "cross_center" in indices:
            index = cross_center_index(train, train_labels, x, y, memory=memory)
            yield row(found.layer, split, "cross_center", None, index)


def row(layer: Layer, split: str, name: str, order: int | None, index: Index) -> dict[str, Any]:
    """One index of one layer as a row of the table."""
    low, high = index.interval
    values = {"value": index.value, "low": low, "high": high, "chance": index.chance}
    return {"layer": layer.name, "depth": layer.depth, "width": layer.width, "split": split} | {
        "index": name,
        "order": order,
        **values,
    }
