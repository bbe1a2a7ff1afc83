"""What the courses of runs say of them: as their measure found it, else by the epochs alone."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from assay.diagnosis.catalogue import diagnose
from assay.diagnosis.course import Course
from assay.errors import AssayError
from assay.evaluate.diagnosis import SCHEMA, facts_of, findings_table
from assay.recipe import Recipe
from assay.results.collapse import NOT_FINITE
from assay.results.folders import Run, read_description, read_table
from assay.system.files import read_object

STORED = "diagnosis.parquet"


def is_diagnosed(run: Run) -> bool:
    """Whether a run has a course that says something: it finished, or ended in a number that was not finite."""
    return run.state == "finished" or (run.state == "failed" and NOT_FINITE in (run.reason or ""))


def findings_of(folder: Path, recipe: Recipe) -> pl.DataFrame:
    """The table ``diagnosis`` of a run that finished, or that ended in a number that was not finite.

    Raises AssayError where a file is missing or damaged, or where the run has no epoch to speak of.
    """
    status = read_object(folder / "status.json")
    if status.get("state") == "finished" and (folder / STORED).exists():
        return read_table(folder / STORED)
    course = _course(folder, recipe)
    if status.get("state") == "failed":
        broke = int(status.get("epoch", 0)) + 1
        course = replace(course, facts=replace(course.facts, broke=broke))
    elif not len(course):
        raise AssayError(f"{folder / 'history.parquet'} has no epoch")
    return findings_table(diagnose(course, recipe))


def steps_are_missing(folder: Path) -> bool:
    """Whether the run did not record its steps, units and inputs."""
    return not (folder / STORED).exists()


def stacked_findings(runs: list[tuple[Run, Recipe]]) -> pl.DataFrame:
    """The tables of several runs, with variant and seed before their own columns; a run without a finding has none."""
    tables = [pl.DataFrame(schema={"variant": pl.String, "seed": pl.Int64, **SCHEMA})]
    for run, recipe in runs:
        names = [pl.lit(run.variant).alias("variant"), pl.lit(run.seed, pl.Int64).alias("seed")]
        tables.append(findings_of(run.folder, recipe).select(*names, pl.all()))
    return pl.concat(tables, how="diagonal_relaxed")


def _course(folder: Path, recipe: Recipe) -> Course:
    """What the history alone tells, and the truth of the predictions where there are some."""
    history, said = folder / "history.parquet", folder / "predictions.parquet"
    epochs = read_table(history) if history.exists() else pl.DataFrame({"epoch": []})
    counts = read_description(folder / "data.json").get("counts", {})
    split = "validation" if counts.get("validation") else "test"
    table = read_table(said).filter(pl.col("split") == split) if said.exists() else pl.DataFrame()
    return Course.read(epochs, facts_of(recipe, table, epochs, counts.get("train", 0), counts.get("validation", 0)))
