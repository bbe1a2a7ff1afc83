"""Backbones side by side on one set of images: separation of their features, LogME, and what they cost."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Int64
from torch import nn

from assay.data import ImageData, data_root, load_chosen
from assay.data.loading import validates
from assay.errors import AssayError
from assay.evaluate.separation import chosen
from assay.models.catalogue import complete, try_out
from assay.models.head import parts
from assay.models.layer_table import summary
from assay.models.modes import evaluating
from assay.models.weights import initial_network
from assay.recipe import Data, Recipe, SeparationMeasure
from assay.recipe.data import Layout
from assay.recipe.validation import validate
from assay.separation import cross_center_index, cross_index
from assay.separation.index import Index
from assay.system.machine import resolve_device
from assay.system.memory import give_back_freed_memory
from assay.tools.ranking.evidence import logme
from assay.tools.ranking.in_words import recommendation

Progress = Callable[[int, int], None]
IMAGES = 1000.0
"""Of each split, unless asked otherwise."""
VALIDATION = 0.2
"""The share of the training images that the others are held against."""
QUALITIES = ("cross_si", "cross_csi", "logme")
SCHEMA: dict[str, Any] = {
    "model": pl.String,
    "place": pl.Int64,
    "cross_si": pl.Float64,
    "cross_si_low": pl.Float64,
    "cross_si_high": pl.Float64,
    "cross_csi": pl.Float64,
    "cross_csi_low": pl.Float64,
    "cross_csi_high": pl.Float64,
    "logme": pl.Float64,
    "width": pl.Int64,
    "size": pl.String,
    "parameters": pl.Int64,
    "macs": pl.Int64,
    "features_seconds": pl.Float64,
    "reason": pl.String,
}


@dataclass(frozen=True)
class Ranking:
    """Which backbone to take, by measures that need no training."""

    table: pl.DataFrame
    """A row per backbone, the recommended one first: model, place (1 is first; null where it could not be ranked),
    cross_si and cross_csi with low and high (95 %), logme, width of the features, size of the images, parameters and
    macs of the network with a head for these classes, features_seconds (wall clock, for all images), and the reason
    why it could not be ranked."""
    recommendation: str
    """What to take, and how sure that is, in a few sentences."""
    left_out: Sequence[tuple[str, str]] = ()
    """(image, reason): an image that could not be read."""
    validation: float | None = VALIDATION
    """The share of the training images that was cut for validation; None: the source has such a split of its own."""


def rank(
    source: str | Path,
    models: Sequence[str],
    images: int | float = IMAGES,
    size: int | Sequence[int] | None = None,
    pretrained: bool = True,
    group: str | None = None,
    root: str | Path | None = None,
    decoding: Progress | None = None,
    measuring: Progress | None = None,
    layout: Layout | None = None,
) -> Ranking:
    """Rank the backbones ``models`` (``"timm/resnet18"``) by their features of ``source``, without training.

    The features are what the head of each network gets, in evaluation mode, of the same images: ``images`` (a share, or
    above 1 a number) of the training and of the validation split that a run with seed 0 would have, with a fifth of the
    training images for validation where the source has no such split of its own, in the network's own size unless
    ``size`` is given, and with its own normalisation. Test images are not looked at, so that they still judge the
    backbone that is taken. Cross-SI and cross-CSI are the shares of validation images whose nearest training image, or
    nearest class mean, has their label; LogME is of the training images. A backbone's place is by the mean of its
    places in the three, of equal means by cross-CSI.

    ``group`` keeps copies of an original on one side of the split, and ``layout`` says how folders are read, as in a
    recipe.

    A backbone that cannot be had (no weights, images it does not fit) is listed with the reason; images that cannot be
    read are in ``left_out``. ``decoding`` is called with (images done, images to do), ``measuring`` with (backbones
    done, backbones to do). Raises AssayError for an unknown name (with the nearest), one that is listed twice, or a
    source that is not there.
    """
    if not models:
        raise AssayError("rank: expected at least one backbone, such as timm/resnet18")
    if repeated := [name for name in models if models.count(name) > 1]:
        raise AssayError(f"rank: '{repeated[0]}' is listed twice")
    stated = {"source": str(source), "layout": layout, "size": size, "group": group, "on_bad_image": "skip"}
    is_own = validates(validate(Data, stated, "rank"), data_root(root))
    share = None if is_own else VALIDATION
    data = stated | {"validation": share}
    recipes = [candidate(name, pretrained, data) for name in models]
    options = validate(SeparationMeasure, {"images": images}, "rank")

    def choose(whole: ImageData) -> ImageData:
        whole.images.labels_for("rank")
        return chosen(replace(whole, indices=whole.indices | {"test": whole.indices["test"][:0]}), 0, options)

    rows = []
    for done, recipe in enumerate(recipes, start=1):
        there = load_chosen(recipe.data, recipe.seed, data_root(root), choose, decoding)
        try:
            rows.append(measured(recipe, there))
        except AssayError as error:
            rows.append({"model": recipe.model.name, "reason": str(error).splitlines()[0]})
        give_back_freed_memory()
        if measuring:
            measuring(done, len(recipes))
    table = placed(pl.DataFrame(rows, schema=SCHEMA))
    return Ranking(table, recommendation(table, pretrained, group is not None), there.images.skipped, share)


def candidate(name: str, pretrained: bool, data: dict[str, Any]) -> Recipe:
    """The recipe of one backbone. AssayError for a network that has none."""
    values = {"data": data, "model": {"name": name, "pretrained": pretrained}, "train": {"keep": "last"}}
    recipe = complete(validate(Recipe, values, "rank"))
    if not recipe.model.is_off_the_shelf:
        raise AssayError(f"rank: '{name}' has no backbone; expected timm/… or torchvision/…")
    return recipe


def measured(recipe: Recipe, data: ImageData) -> dict[str, Any]:
    """The row of one backbone. AssayError where it has no weights, several heads, or does not fit the images."""
    try_out(recipe.model, data.shape, len(data.classes))
    network, _ = initial_network(recipe, data.shape, len(data.classes), data.classes)
    device = resolve_device(recipe.train.device)
    network.to(device)
    began = time.perf_counter()
    (train, y_train), (held, y_held) = (features(network, data, name, device) for name in ("train", "validation"))
    seconds = time.perf_counter() - began
    cost = summary(network, data.shape)
    return {
        "model": recipe.model.name,
        **_with_interval("cross_si", cross_index(train, y_train, held, y_held)),
        **_with_interval("cross_csi", cross_center_index(train, y_train, held, y_held)),
        "logme": logme(train, y_train),
        "width": train.shape[1],
        "size": "×".join(map(str, data.shape[1:])),
        "parameters": cost.parameters,
        "macs": cost.macs,
        "features_seconds": seconds,
    }


def features(
    network: nn.Module, data: ImageData, name: str, device: torch.device
) -> tuple[Float32[np.ndarray, "n d"], Int64[np.ndarray, " n"]]:
    """What the network's head gets of the images of a split, flattened, and their labels."""
    backbone = parts(network).features
    with evaluating(network):
        shown = data.batches(name, data.pass_size(device), device)
        rows = torch.cat([backbone(images).float().flatten(1).cpu() for images, _ in shown])
    return rows.numpy(), data.images.labels_for("rank")[data.indices[name]]


def placed(table: pl.DataFrame) -> pl.DataFrame:
    """The table with places and in their order; what could not be ranked comes last."""
    ranks = pl.mean_horizontal([pl.col(name).rank("average", descending=True) for name in QUALITIES])
    there = table.filter(pl.col("reason").is_null()).with_columns(mean=ranks)
    there = there.sort(["mean", "cross_csi"], descending=[False, True], maintain_order=True).drop("mean")
    there = there.with_columns(place=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    return pl.concat([there.select(list(SCHEMA)), table.filter(pl.col("reason").is_not_null())])


def _with_interval(name: str, index: Index) -> dict[str, float]:
    low, high = index.interval
    return {name: index.value, f"{name}_low": low, f"{name}_high": high}
