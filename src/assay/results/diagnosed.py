"""What the courses of runs say of them: as their measure found it, else by the epochs alone."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from assay.diagnosis.catalogue import diagnose
from assay.diagnosis.course import Course
from assay.evaluate.diagnosis import SCHEMA, facts_of, findings_table
from assay.recipe import Recipe
from assay.results.comparing.collapse import NOT_FINITE
from assay.results.folders import Run, read_description, read_table
from assay.system.files import read_object

STORED = "diagnosis.parquet"


def is_diagnosed(run: Run) -> bool:
    """Whether a run has a course that says something: it finished, or ended in a number that was not finite."""
    return run.state == "finished" or (run.state == "failed" and NOT_FINITE in (run.reason or ""))


def findings_of(folder: Path, recipe: Recipe) -> pl.DataFrame:
    """The table ``diagnosis`` of a run that finished, or that ended in a number that was not finite.

    Raises AssayError where a file is missing or damaged.
    """
    status = read_object(folder / "status.json")
    if status.get("state") == "finished" and (folder / STORED).exists():
        return read_table(folder / STORED)
    broke = int(status.get("epoch", 0)) + 1 if status.get("state") == "failed" else None
    return findings_table(diagnose(_course(folder, recipe, broke), recipe))


def steps_are_missing(folder: Path) -> bool:
    """Whether the run finished without its steps, units and inputs having been recorded."""
    return (folder / "predictions.parquet").exists() and not (folder / STORED).exists()


def stacked_findings(runs: list[tuple[Run, Recipe]]) -> pl.DataFrame:
    """The tables of several runs, with variant and seed before their own columns; a run without a finding has none."""
    tables = [pl.DataFrame(schema={"variant": pl.String, "seed": pl.Int64, **SCHEMA})]
    for run, recipe in runs:
        names = [pl.lit(run.variant).alias("variant"), pl.lit(run.seed, pl.Int64).alias("seed")]
        tables.append(findings_of(run.folder, recipe).select(*names, pl.all()))
    return pl.concat(tables, how="diagonal_relaxed")


def _course(folder: Path, recipe: Recipe, broke: int | None) -> Course:
    """What the history alone tells, and the truth of the predictions; a run that ``broke`` may have neither."""
    history, said = folder / "history.parquet", folder / "predictions.parquet"
    epochs = pl.DataFrame({"epoch": []}) if broke is not None and not history.exists() else read_table(history)
    counts = read_description(folder / "data.json").get("counts", {})
    split = "validation" if counts.get("validation") else "test"
    table = pl.DataFrame() if broke is not None else read_table(said).filter(pl.col("split") == split)
    facts = facts_of(recipe, table, epochs, counts.get("train", 0), counts.get("validation", 0))
    return Course.read(epochs, replace(facts, broke=broke))
