"""Separation while the network learns: of the untrained network, and after every few epochs."""

import polars as pl
import torch
from torch import nn

from assay.data.batches import ImageData
from assay.evaluate.separation import measured_layers
from assay.recipe import Recipe, SeparationMeasure
from assay.separation.by_layer import SCHEMA

BY_EPOCH = {"epoch": pl.Int64, **SCHEMA}


def follow(
    earlier: pl.DataFrame, epoch: int, model: nn.Module, data: ImageData, recipe: Recipe, device: torch.device
) -> pl.DataFrame | None:
    """``earlier`` up to ``epoch``, with the layers as they are after it; None where this epoch is not measured.

    A row per epoch (0: untrained), layer, split and index. Rows of later epochs, from a training that was interrupted
    before it could keep them, are dropped.
    """
    options = next((m for m in recipe.evaluate if isinstance(m, SeparationMeasure)), None)
    if options is None or options.track is None or epoch % options.track.every:
        return None
    chosen = options.model_copy(update={"images": options.track.images})
    found = measured_layers(model, data, recipe.seed, chosen, device).table
    now = found.select(pl.lit(epoch, pl.Int64).alias("epoch"), pl.all())
    return pl.concat([earlier.filter(pl.col("epoch") < epoch), now])
