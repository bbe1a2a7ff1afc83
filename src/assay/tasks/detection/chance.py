"""What finding boxes without looking reaches: nothing."""

import polars as pl

from assay.language.speech import later
from assay.recipe import Loss
from assay.tasks.chance import Chance
from assay.tasks.detection.predictions import OF_CLASS, PRECISIONS, RECALLS

NONE = Chance(0.0, later("saying no boxes"))


def chance(table: pl.DataFrame, metric: str, loss: Loss) -> Chance | None:
    """0 of AP, recall and F1; None of another metric."""
    found = metric in (*PRECISIONS, *RECALLS, "f1", "recall") or metric.startswith(tuple(f"{p}_" for p in OF_CLASS))
    return NONE if found else None
