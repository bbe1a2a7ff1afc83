"""Results of studies that nobody trained: the numbers of their runs are drawn, all that is made of them is assay's."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from assay.recipe.study import Study
from assay.results.comparing.chance import Truth
from assay.results.folders import Run
from assay.results.results import Results

METRIC = "accuracy"
UNTOLD = Path("no-such-folder")
"""Where no look is recorded."""


class Drawn(Results):
    """Of runs without files: their numbers are the frame's, and of their answers nothing is known."""

    def predictions(self, run: Run) -> pl.DataFrame:
        """None."""
        return pl.DataFrame(schema={"split": pl.String, "image": pl.Int64, "name": pl.String})


def study_of(variants: int, seeds: int = 3, vary: Mapping[str, list[object]] | None = None, **keys: object) -> Study:
    """A study of so many activations, or of the grid ``vary``; ``keys`` are others of a study file."""
    base = {"data": {"source": "digits"}, "model": {"name": "mlp"}}
    levels = vary or {"model.activation": [f"a{i}" for i in range(variants)]}
    return Study.model_validate({"title": "t", "name": "n", "base": base, "vary": levels, "seeds": seeds} | keys)


def results(study: Study, runs: np.ndarray, folder: Path = UNTOLD) -> Results:
    """``runs``: variant × seed. A look at what is decided is recorded in ``folder``, where it is there."""
    planned = [(variant, seed) for variant in study.plan for seed in study.seed_list]
    found = Drawn(folder, study, tuple(Run(variant, seed, folder, "finished") for variant, seed in planned))
    columns = {"variant": [v for v, _ in planned], "seed": [s for _, s in planned], METRIC: runs.ravel()}
    levels = {key: [str(study.plan[v].levels[key]) for v, _ in planned] for key in study.factors}
    truth = Truth(study, found.runs)
    vars(truth)["tables"] = {}
    vars(found).update(frame=pl.DataFrame(columns | levels).select("variant", "seed", *levels, METRIC), truth=truth)
    return found
