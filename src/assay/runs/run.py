"""One run: a recipe becomes a trained, measured, saved network in its folder; an interrupted one is continued."""

import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
import torch
from safetensors import SafetensorError
from torch import nn

from assay.after.around import around
from assay.data import ImageData, load
from assay.data.remarks import remarks
from assay.data.splits import crossing
from assay.errors import AssayError, StudyStopped
from assay.evaluate import Trained, measure
from assay.models.catalogue import complete
from assay.models.state import packed
from assay.models.weights import in_words, initial_network
from assay.recipe import Data, Recipe
from assay.recipe.yaml_files import dump_yaml
from assay.results.folders import read_table
from assay.results.metrics import known
from assay.runs import crf
from assay.runs.companions import placed_at, share_card
from assay.runs.data import describe, refuse_other_data
from assay.runs.folder import Folder, Settings
from assay.runs.learning import history_table, learn, learned_by
from assay.runs.trial import FellBehind, end_trial, halting
from assay.runs.trouble import reason
from assay.runs.twins import finished_twin
from assay.system.claim import ClaimLost
from assay.system.files import MEND, read_object
from assay.system.integrity import digests
from assay.system.machine import environment, refuse_full, reproducible
from assay.system.memory import give_back_freed_memory, keep_freed_memory
from assay.tasks import catalogue
from assay.tasks.predicting import predict_splits, predictions_table
from assay.train.checkpoint import State, unpack


def execute(recipe: Recipe, folder: Folder, settings: Settings, on_epoch: Callable[[], None] = lambda: None) -> None:
    """Train, measure and save the run of ``recipe``, from its checkpoint where there is one.

    Ends with status.json saying ``finished``, with the seconds that it took and the hashes of its files, or ``failed``
    with the reason. Ctrl-C, a lost claim (ClaimLost) and a full disk (StudyStopped) are raised, since they end more
    than this run.
    """

    began = time.monotonic() - seconds_spent(folder.path)

    def status(state: str, epoch: int, reason: str | None = None, **far: Any) -> None:
        values = {"state": state, "epoch": epoch, "epochs": recipe.train.total_epochs, "reason": reason} | far
        values |= {"recipe_hash": recipe.hash, "updated": time.time(), "seconds": time.monotonic() - began}
        if state == "finished":
            values["files"] = digests(folder.path)
        folder.write_json("status.json", values)

    keep_freed_memory()
    try:
        with reproducible(settings.threads):
            if settings.trials:
                on_epoch = halting(folder.path, recipe, on_epoch)
            _train_and_measure(recipe, folder, settings, status, on_epoch)
    except FellBehind as fell:
        end_trial(folder, recipe, status, str(fell))
    except (ClaimLost, StudyStopped):
        raise
    except Exception as error:
        folder.log(f"failed: {''.join(traceback.format_exception(error)).rstrip()}")
        epoch = read_object(folder.path / "status.json", missing={}).get("epoch", 0)
        status("failed", epoch, reason(error, settings.workers))
    finally:
        give_back_freed_memory()


def _train_and_measure(
    recipe: Recipe, folder: Folder, settings: Settings, status: Callable[..., None], on_epoch: Callable[[], None]
) -> None:
    recipe = complete(recipe)
    device = placed_at(recipe, settings)
    share_card(recipe, settings, device)
    refuse_full(device)
    state = read_checkpoint(folder)
    status("running", state.epoch)
    folder.write("recipe.yaml", dump_yaml(recipe.dump()))
    folder.log(f"continued after epoch {state.epoch}" if state.epoch else "started")

    data = shared_data(recipe.data, recipe.seed, settings.root)
    if not state.epoch:
        for remark in [*remarks(data.images), *crossing(recipe.data, data.images)]:
            folder.log(remark)
    task = catalogue.task(recipe.task)
    outputs = task.outputs(recipe.train.loss, data.classes)
    model, loaded = initial_network(recipe, data.shape, outputs, data.classes)
    if state.epoch:
        refuse_other_data(folder.path, read_object(folder.path / "data.json", missing={}), data)
        refuse_other_weights(folder.path, loaded)
    made_on = environment(device, settings.threads, settings.command)
    folder.write_json("environment.json", made_on | ({"pretrained": loaded} if loaded else {}))
    folder.write_json("data.json", describe(data))
    if loaded:
        folder.log(in_words(loaded))
    model.to(device)
    twin = None if state.epoch else finished_twin(recipe, folder.path)
    if twin:
        state, part, seen = learned_by(twin, model, data, recipe, device, folder)
    else:
        state, part, seen = learn(state, model, data, recipe, device, folder, settings, status, on_epoch)
    if settings.trials:
        return end_trial(folder, recipe, status)
    recipe, part = with_chosen_crf(recipe, model, part, data, device, folder)
    predictions = predict_splits(task, part, seen, recipe, device)
    measure_and_save(folder, Trained(model, data, recipe, device, predictions, history_table(state), part, seen))
    folder.log("finished")
    status("finished", state.epoch)
    (folder.path / "checkpoint.safetensors").unlink(missing_ok=True)


def with_chosen_crf(
    recipe: Recipe, model: nn.Module, part: nn.Module, data: ImageData, device: torch.device, folder: Folder
) -> tuple[Recipe, nn.Module]:
    """Under ``predict.crf: tune`` the recipe with what the validation pictures choose, which is kept, and what then
    answers; else both as they are."""
    if recipe.predict.crf != "tune":
        return recipe, part
    found = crf.choice(recipe, model, data, device)
    folder.write_json(crf.FILE, found)
    folder.log(crf.in_words(found))
    recipe = crf.with_choice(recipe, folder.path)
    return recipe, around(model, recipe.predict, data.mean.tolist(), data.std.tolist())


def seconds_spent(run: Path) -> float:
    """What the earlier parts of a run took, up to their last epochs; by its history where status.json does not say."""
    with suppress(AssayError):
        known = read_object(run / "status.json", missing={}).get("seconds")
        return known if isinstance(known, float) else float(read_table(run / "history.parquet")["seconds"].sum())
    return 0.0


def measure_and_save(folder: Folder, trained: Trained) -> None:
    """Measure a trained network, and write what was found and the network itself."""
    values = measure(trained)
    tables = {name: value for name, value in values.items() if isinstance(value, pl.DataFrame)}
    timed = {name for name in values if known(name).of == "time"}
    folder.write_table("history.parquet", trained.history)
    folder.write_table("predictions.parquet", predictions_table(trained))
    folder.write_table("pictures.parquet", trained.predictions["test"].gallery(trained.data, trained.recipe.seed))
    for name, table in tables.items():
        folder.write_table(f"{name}.parquet", table)
    folder.write("model.safetensors", packed(trained.model))
    folder.write_json("timing.json", {name: values[name] for name in timed})
    folder.write_json(
        "metrics.json", {name: value for name, value in values.items() if name not in timed | tables.keys()}
    )


def refuse_other_weights(run: Path, loaded: dict[str, Any]) -> None:
    """Raise AssayError where a run would go on with other pretrained weights than it began with."""
    began = read_object(run / "environment.json", missing={}).get("pretrained", loaded)
    if began and began["sha256"] != loaded["sha256"]:
        what = f"its pretrained weights, {loaded['origin']}, have changed since it began"
        raise AssayError(f"{run}: {what}; bring them back, or {MEND}")


@lru_cache(maxsize=1)
def shared_data(data: Data, seed: int, root: Path) -> ImageData:
    """The images of a run; the next variant with the same seed finds them ready, on an accelerator in its memory."""
    return load(data, seed, root)


def read_checkpoint(folder: Folder) -> State:
    """The state after the last finished epoch; a new one where there is none, or none that can be read."""
    path = folder.path / "checkpoint.safetensors"
    if not path.exists():
        return State()
    try:
        return unpack(path.read_bytes())
    except (SafetensorError, ValueError, KeyError) as error:
        folder.log(f"the checkpoint cannot be read ({error}); begun anew")
        return State()
