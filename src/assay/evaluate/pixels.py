"""How far the probabilities of pixels may be believed, plain and by temperature, and of which pictures they are wrong.

Temperature and calibration are of the pixels that the predictions have sampled; risk and coverage are of pictures.
"""

import numpy as np
import polars as pl

from assay.evaluate.metrics import OF_SAMPLED
from assay.recipe import UncertaintyMeasure
from assay.tasks.contract import Trained, Value
from assay.uncertainty.measures import (
    area_under_risk_coverage,
    negative_log_likelihood,
    reliability,
    risk_coverage,
    scores,
)
from assay.uncertainty.temperature import find_temperature, scaled


def measure(trained: Trained, options: UncertaintyMeasure) -> dict[str, Value]:
    """The temperature by the validation pixels, their negative log-likelihood, and ``OF_SAMPLED`` of the test pixels,
    before (plain) and after (temperature); ``aurc_plain`` of the test pictures.

    Tables: ``reliability`` by method; ``risk_coverage``, the mean share of wrong pixels among the pictures of the least
    mean entropy.
    """
    validation, test = (trained.predictions[split].kept.sampled for split in ("validation", "test"))
    temperature = find_temperature(validation.logits, validation.labels)
    values: dict[str, Value] = {"temperature": temperature}
    tables = []
    for method, by in {"plain": 1.0, "temperature": temperature}.items():
        before, after = (scaled(each.logits, by) for each in (validation, test))
        found = scores(after, test.labels, options.bins)
        values |= {f"{name}_{method}": found[name] for name in OF_SAMPLED if name in found}
        values[f"validation_nll_{method}"] = negative_log_likelihood(before, validation.labels)
        table = reliability(after, test.labels, options.bins)
        tables.append(table.select(pl.lit(method).alias("method"), pl.all()))
    said = trained.predictions["test"]
    shares, known = said.right_shares
    sure, right = -said.kept.entropies[known].astype(np.float64), shares[known]
    risks = risk_coverage(sure, right).select(pl.lit("plain").alias("method"), pl.all())
    values["aurc_plain"] = area_under_risk_coverage(sure, right)
    return values | {"reliability": pl.concat(tables), "risk_coverage": risks}
