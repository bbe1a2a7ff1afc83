"""What the courses of a run, or of all runs of a study, say."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from assay.errors import AssayError
from assay.recipe import Recipe
from assay.recipe.validation import validate
from assay.recipe.yaml_files import read_yaml
from assay.results import Results
from assay.results.diagnosed import findings_of, is_diagnosed, stacked_findings, steps_are_missing
from assay.results.folders import Run
from assay.system.files import read_object

MISSING = (
    "Its steps, units and inputs were not recorded, so that the rules on them are silent; 'evaluate: [diagnosis]' "
    "records them."
)


@dataclass(frozen=True)
class Diagnosed:
    """What was found of runs."""

    folder: Path
    findings: pl.DataFrame
    """A row a finding, as the measure ``diagnosis`` has it; of a study with variant and seed before it."""
    seeds: dict[str, list[int]]
    """Variant → the seeds whose courses were read; empty of a run."""
    notes: tuple[str, ...] = ()


def diagnosed(folder: Path) -> Diagnosed:
    """The findings of the run in ``folder``, or of every run of the study there.

    Raises AssayError for a folder that is neither, and for a run that is still on its way, or that failed for another
    reason than a number that was not finite.
    """
    if (folder / "status.json").is_file():
        recipe = recipe_of_ended(folder)
        notes = (MISSING,) if steps_are_missing(folder) else ()
        return Diagnosed(folder, findings_of(folder, recipe), {}, notes)
    if (folder / "study.yaml").is_file():
        return _of_study(Results.read(folder), None)
    if (folder.resolve().parent / "study.yaml").is_file():
        return _of_study(Results.read(folder.resolve().parent), folder.resolve().name)
    raise AssayError(f"{folder} holds neither a run (a status.json) nor a study (a study.yaml)")


def recipe_of_ended(folder: Path) -> Recipe:
    """The recipe of a run that has a whole course. AssayError of one that has not."""
    status = read_object(folder / "status.json")
    reason = status.get("reason")
    run = Run("", 0, folder, status.get("state", "running"), reason)
    if not is_diagnosed(run):
        far = (
            f"it failed: {reason}"
            if run.state == "failed"
            else f"{status.get('epoch')} of {status.get('epochs')} epochs"
        )
        raise AssayError(f"{folder} has not finished ({far}); a diagnosis needs its whole course")
    return validate(Recipe, read_yaml(folder / "recipe.yaml"), str(folder / "recipe.yaml"))


def _of_study(results: Results, variant_folder: str | None) -> Diagnosed:
    plan = results.study.plan
    runs = [run for run in results.runs if is_diagnosed(run) and variant_folder in (None, run.folder.parent.name)]
    if not runs:
        raise AssayError(
            f"no run in {results.folder} has finished; 'assay status {results.folder}' says how far each is"
        )
    seeds: dict[str, list[int]] = {}
    for run in runs:
        seeds.setdefault(run.variant, []).append(run.seed)
    silent = sum(steps_are_missing(run.folder) for run in runs if run.state == "finished")
    notes = [f"Of {silent} of {len(runs)} runs: {MISSING}"] if silent else []
    waiting = len(results.runs) - len(runs) if variant_folder is None else 0
    notes += [f"{waiting} planned runs have no course yet."] if waiting else []
    findings = stacked_findings([(run, plan[run.variant].recipe) for run in runs])
    return Diagnosed(results.folder, findings, seeds, tuple(notes))
