"""How well each layer keeps the classes apart, or numbers in order; the mathematics is in ``assay.separation``."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from assay.data.batches import ImageData, Split
from assay.data.splits import proportional_allotment
from assay.data.standard import StandardSplit, standard_of
from assay.data.targets import Labels, Values
from assay.evaluate.metrics import LAST_LAYER
from assay.recipe import SeparationMeasure
from assay.seeds import numpy_generator
from assay.separation.by_layer import Layers, layers
from assay.separation.capture import Batches, choose
from assay.tasks.contract import Trained, Value


def measure(trained: Trained, options: SeparationMeasure) -> dict[str, Value]:
    """The table ``separation`` (a row per layer, split and index), and the indices of the last layer as metrics.

    Layers that cannot be measured stand in the table with the reason and without a value, and what there is to note of
    the images as a reason without a layer. Where the last layer cannot be measured, the metrics are missing.
    """
    found = measured_layers(trained.model, trained.data, trained.recipe.seed, options, trained.device)
    without = [*found.skipped, *((None, note) for note in found.notes)]
    skipped = pl.DataFrame(without, schema={"layer": pl.String, "reason": pl.String}, orient="row")
    table = pl.concat([found.table.with_columns(pl.lit(None, pl.String).alias("reason")), skipped], how="diagonal")
    last = found.table.filter(pl.col("depth") == found.deepest)
    values: dict[str, Value] = {"separation": table}
    for row in last.iter_rows(named=True):
        if row["index"] in LAST_LAYER:
            values[f"{LAST_LAYER[row['index']]}_{row['split']}"] = row["value"]
    return values


def check(network: nn.Module, options: SeparationMeasure, images: Tensor) -> None:
    """Raise AssayError where a pattern of ``options`` matches no layer of ``network``."""
    choose(network, options.layers)


def measured_layers(
    model: nn.Module,
    data: ImageData,
    seed: int,
    options: SeparationMeasure,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
) -> Layers:
    """The layers of a network on the splits of its data, as ``options`` ask; ``progress`` as in ``layers``.

    Several numbers an image count together, each in standard deviations over the training images.
    """
    standard = standard_of(data) if isinstance(data.images.targets, Values) else None
    data = chosen(data, seed, options)
    there = [split for split in options.splits if len(data.indices[split])]
    splits: dict[str, Batches] = {}
    for split in there:
        part = Split(data, split, device)
        splits[split] = part if standard is None else StandardSplit(part, standard)
    found = layers(
        model,
        splits,
        choose_layers=options.layers,
        indices=options.indices,
        orders=options.orders,
        device=device,
        progress=progress,
    )
    return replace(found, notes=[note for split in there for note in alone(data, split)])


def alone(data: ImageData, split: str) -> list[str]:
    """The classes with a single image among those of a split, which has no neighbour of its class, in sentences."""
    if not isinstance(data.images.targets, Labels):
        return []
    counts = np.bincount(data.images.labels[data.indices[split]], minlength=len(data.classes))
    return [
        f"class '{data.classes[label]}' has one of the {split} images: its SI is 0 and its CSI 1, whatever the layer"
        for label in np.flatnonzero(counts == 1)
    ]


def chosen(data: ImageData, seed: int, options: SeparationMeasure) -> ImageData:
    """The images to measure: all, or the same share of every class (or bin) of each split, drawn by the run's seed."""
    if options.images == 1.0:
        return data
    strata = data.images.targets.strata()
    indices = {split: subset(indices, strata[indices], options.images, seed) for split, indices in data.indices.items()}
    return replace(data, indices=indices)


def subset(
    indices: Int64[np.ndarray, " n"], labels: Int64[np.ndarray, " n"], amount: int | float, seed: int
) -> Int64[np.ndarray, " m"]:
    """``amount`` of the images (a share, or above 1 a number, at most all), the same share of every class, in order;
    at least one, where there are any."""
    total = min(max(1, round(amount * len(indices) if amount <= 1 else amount)), len(indices))
    generator = numpy_generator(seed, "separation")
    classes, counts = np.unique(labels, return_counts=True)
    kept = [
        generator.choice(indices[labels == label], size=int(number), replace=False)
        for label, number in zip(classes, proportional_allotment(counts, total), strict=True)
    ]
    return np.sort(np.concatenate([np.zeros(0, np.int64), *kept]))
