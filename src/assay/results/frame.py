"""One table over the finished runs of a study: what was measured of each, as numbers."""

import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from assay.recipe.names import label
from assay.recipe.study import Study
from assay.results.folders import Run
from assay.results.metrics import in_order


def frame(study: Study, measured: Mapping[Run, Mapping[str, Any]]) -> pl.DataFrame:
    """A row a run: variant, seed, a text column per factor (its dotted key), every scalar that was ``measured`` of any
    run, in its own unit; null where a run has none or it is not finite."""
    rows = [_row(study, run, metrics) for run, metrics in measured.items()]
    fixed = ["variant", "seed", *study.factors]
    metrics = in_order({key for row in rows for key in row}.difference(fixed))
    columns = {key: [row.get(key) for row in rows] for key in [*fixed, *metrics]}
    types = {"seed": pl.Int64, "variant": pl.String} | dict.fromkeys(study.factors, pl.String)
    return pl.DataFrame(columns, schema_overrides=types, strict=False)


def _row(study: Study, run: Run, metrics: Mapping[str, Any]) -> dict[str, Any]:
    scalars = {k: v for k, v in metrics.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    levels = {key: label(level) for key, level in study.plan[run.variant].levels.items()}
    finite = {key: value if math.isfinite(value) else None for key, value in scalars.items()}
    return finite | {"variant": run.variant, "seed": run.seed} | levels
