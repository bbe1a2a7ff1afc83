"""What each variant reached on average over its seeds, and which is the best."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from assay.recipe.names import label
from assay.recipe.study import Study
from assay.results.comparing.compare import Values
from assay.results.metrics import bounds, lower_is_better
from assay.results.statistics.intervals import mean_interval


def means(study: Study, counts: Mapping[str, int], values: Mapping[str, Values]) -> pl.DataFrame:
    """A row per variant: variant, factors, seeds (its ``counts``), and per metric ``<m>``, ``<m>_low``, ``<m>_high``.

    The mean over seeds and its 95 % t interval, null with one seed and cut at what the metric can be.
    """
    columns: dict[str, list[Any]] = {"variant": list(study.plan)}
    for key in study.factors:
        columns[key] = [label(variant.levels[key]) for variant in study.plan.values()]
    columns["seeds"] = [counts[name] for name in study.plan]
    for metric, by_variant in values.items():
        intervals = [mean_interval(list(by_seed.values()), within=bounds(metric)) for by_seed in by_variant.values()]
        columns |= {metric: [i.mean for i in intervals]}
        columns |= {f"{metric}_low": [i.low for i in intervals], f"{metric}_high": [i.high for i in intervals]}
    text = ["variant", *study.factors]
    types = {key: pl.String if key in text else pl.Int64 if key == "seeds" else pl.Float64 for key in columns}
    return pl.DataFrame(columns, schema=types)


def best(values: Values, metric: str) -> str | None:
    """The variant with the best mean, of equals the first; None where no run has a value."""
    found = {variant: mean_interval(list(by_seed.values())).mean for variant, by_seed in values.items()}
    known = {variant: mean for variant, mean in found.items() if mean is not None}
    choose = min if lower_is_better(metric) else max
    return choose(known, key=known.__getitem__) if known else None
