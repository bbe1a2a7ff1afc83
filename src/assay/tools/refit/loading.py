"""A finished run as it was: its recipe, network and data, refused where the network does not say what it said."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
import torch
from torch import nn

from assay.after.around import around
from assay.data import ImageData
from assay.errors import AssayError
from assay.recipe import Recipe
from assay.results.folders import read_table
from assay.system.integrity import refuse_changed
from assay.tasks.classification import task
from assay.tasks.classification.predictions import Predictions
from assay.tasks.predicting import SPLITS, predict

AGREE = 0.01
"""How far a probability may be from the one that the run kept, which another machine may have computed."""

BySplit = dict[str, Predictions]


@dataclass(frozen=True, eq=False)
class Finished:
    """A finished run, ready to be trained on."""

    folder: Path
    recipe: Recipe
    data: ImageData
    model: nn.Module
    """On ``device``, in evaluation mode."""
    device: torch.device

    def predictions(self, network: nn.Module) -> BySplit:
        """What a network says of the images of each split that has some, in evaluation mode, without augmentation, with
        what the run's ``predict`` asks for around it."""
        answering = around(network, self.recipe.predict, self.data.mean.tolist(), self.data.std.tolist())
        loss, there = self.recipe.train.loss, [split for split, own in self.data.indices.items() if len(own)]
        return cast(BySplit, {s: predict(task, answering, self.data, s, loss, self.device) for s in there})


def refuse_other_answers(run: Path, said: BySplit) -> None:
    """Raise AssayError where the run's network now says something else of its validation and test images."""
    refuse_changed(run, "predictions.parquet")
    kept = read_table(run / "predictions.parquet")
    for split in (name for name in SPLITS if name in said):
        then = kept.filter(pl.col("split") == split)["probabilities"].to_list()
        if np.abs(np.stack(then) - said[split].probabilities).max() > AGREE:
            raise AssayError(
                f"{run}: its data have changed: the {split} images are not those of its predictions.parquet"
            )
