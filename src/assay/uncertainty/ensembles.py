"""An ensemble for nothing: the networks of several seeds are there already, and their mean is a network of its own.

Lakshminarayanan, Pritzel, Blundell, arXiv:1612.01474, without the adversarial training.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float, Int64

from assay.errors import AssayError


def ensemble(
    predictions: Sequence[pl.DataFrame],
) -> tuple[Float[np.ndarray, "n classes"], Int64[np.ndarray, " n"]]:
    """Mean of the probabilities that several runs give the test images common to all, and the labels.

    Each table is a run's predictions.parquet: split, image, name, label, probabilities. Raises AssayError for fewer
    than two runs, or where they have no test image in common.
    """
    if len(predictions) < 2:
        raise AssayError(f"ensemble: found {len(predictions)} runs, expected at least 2")
    key = ["image", "name", "label"]
    tests = [table.filter(pl.col("split") == "test").select(*key, "probabilities") for table in predictions]
    common = tests[0].select(key)
    for other in tests[1:]:
        common = common.join(other.select(key), on=key, how="semi")
    if common.is_empty():
        raise AssayError("ensemble: the runs have no test image in common")
    common = common.sort("image")
    each = [common.join(test, on=key, how="left", maintain_order="left")["probabilities"].to_list() for test in tests]
    mean = np.mean(np.asarray(each, dtype=np.float64), axis=0)
    return mean / mean.sum(axis=1, keepdims=True), common["label"].to_numpy().astype(np.int64)
