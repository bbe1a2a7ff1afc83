"""A finished run as it was: its recipe, network and data, refused where these are no longer those it was trained on."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import nn

from assay.data import ImageData
from assay.errors import AssayError
from assay.evaluate.predictions import SPLITS, rows
from assay.recipe import Recipe
from assay.run import describe
from assay.runs import read_table
from assay.tasks.classification import Predictions, predict

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
        """What a network says of the images of each split that has some, in evaluation mode, without augmentation."""
        loss = self.recipe.train.loss
        return {
            s: predict(network, self.data, s, loss, self.device) for s, own in self.data.indices.items() if len(own)
        }


def refuse_other_images(run: Path, about: dict[str, Any], data: ImageData) -> None:
    """Raise AssayError where the data are not those that the run's data.json, ``about``, describes."""
    for key, value in json.loads(json.dumps(describe(data))).items():
        if about.get(key, value) != value:
            was, now = (_short(each) for each in (about[key], value))
            raise AssayError(f"{run}: its data have changed: data.json has {key} {was}, and now it is {now}")


def refuse_other_answers(run: Path, said: BySplit, data: ImageData) -> None:
    """Raise AssayError where the run kept predictions of other images, or its network now says something else."""
    kept = read_table(run / "predictions.parquet")
    for split in (name for name in SPLITS if name in said):
        then, now = kept.filter(pl.col("split") == split), rows(split, said[split], data.images.names)
        if then.select("name", "label").equals(now.select("name", "label")):
            apart = np.abs(np.stack(then["probabilities"].to_list()) - said[split].probabilities)
            if apart.max() <= AGREE:
                continue
        raise AssayError(f"{run}: its data have changed: the {split} images are not those of its predictions.parquet")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"
