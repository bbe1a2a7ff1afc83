"""Runs that differ in nothing but what happens after the training: it is done once, and its weights are used again."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from assay.errors import AssayError
from assay.recipe import Recipe
from assay.recipe.yaml_files import read_yaml
from assay.results.folders import read_table
from assay.runs.essence import learning
from assay.system.files import read_object
from assay.system.integrity import WEIGHTS, changed, hashes
from assay.train.checkpoint import State


def finished_twin(recipe: Recipe, run: Path) -> Path | None:
    """A finished run of the same study that trained what ``run`` would: the same seed, data and pretrained weights.

    ``recipe`` is complete, and data.json and environment.json of ``run`` are written. A twin whose files have changed
    since is none.
    """
    asked, begun = learning(recipe.dump()), _began_with(run)
    for path in sorted(run.parent.parent.glob(f"*/{run.name}/recipe.yaml")):
        twin = path.parent
        with suppress(AssayError):  # a run that cannot be read is of no use
            if (
                twin != run
                and read_object(twin / "status.json").get("state") == "finished"
                and learning(read_yaml(path)) == asked
                and _began_with(twin) == begun
                and (kept := hashes(twin))
                and not changed(twin, kept)
            ):
                return twin
    return None


def state_of(twin: Path) -> State:
    """The training of a finished run as it stood at its end."""
    history = read_table(twin / "history.parquet").to_dicts()
    return State(len(history), history, load_file(twin / WEIGHTS))


def _began_with(run: Path) -> tuple[dict[str, Any], Any]:
    return read_object(run / "data.json"), read_object(run / "environment.json").get("pretrained")
