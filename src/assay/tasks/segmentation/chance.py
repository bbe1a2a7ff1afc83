"""What giving every pixel the same class reaches."""

import numpy as np
import polars as pl

from assay.language.speech import later
from assay.recipe import Loss
from assay.tasks.chance import Chance
from assay.tasks.segmentation.scores import SCORES, of_class


def chance(table: pl.DataFrame, metric: str, loss: Loss) -> Chance | None:
    """Of a metric of the test images in ``table``, every pixel being given the class of most pixels; of one class's
    IoU or Dice, that class. None where none is known, as near borders."""
    truth = table["truth"].struct.unnest()
    classes, counts = truth.columns, truth.to_numpy().astype(np.int64)
    most = int(counts.sum(axis=0).argmax())
    own = next((i for i, name in enumerate(classes) if metric in (f"iou_{name}", f"dice_{name}")), most)
    matrices = np.zeros((*counts.shape, len(classes)), np.int64)
    matrices[:, :, own] = counts
    score = SCORES[metric](matrices) if metric in SCORES else of_class(matrices, classes, metric)
    value = np.nan if score is None else float(score(np.ones((1, len(counts))))[0])
    guess = later("guessing the largest class") if own == most else later("guessing {name}")
    return Chance(value, guess, "class_accuracy", {"name": classes[own]}) if np.isfinite(value) else None
