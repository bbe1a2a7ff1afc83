"""The training of a run, kept epoch by epoch; or the weights of a run that differs in ``predict`` alone."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import nn

from assay.data import ImageData
from assay.evaluate.tracking import BY_EPOCH, follow
from assay.recipe import Recipe
from assay.results.folders import read_table
from assay.runs.companions import companions
from assay.runs.folder import Folder, Settings
from assay.runs.twins import state_of
from assay.train.checkpoint import State, pack
from assay.train.phases import train, trained

TRACKED = "separation_by_epoch.parquet"
Answering = tuple[State, nn.Module, ImageData]
"""A training at its end, and what then answers, on what."""


def learn(
    state: State,
    model: nn.Module,
    data: ImageData,
    recipe: Recipe,
    device: torch.device,
    folder: Folder,
    settings: Settings,
    status: Callable[..., None],
    on_epoch: Callable[[], None],
) -> Answering:
    """Train from ``state`` to the end, and keep what is there after every epoch."""
    if state.epoch == 0:
        follow_layers(0, model, data, recipe, device, folder)
    first = state.epoch

    def after_epoch(state: State) -> None:
        follow_layers(state.epoch, model, data, recipe, device, folder)
        folder.write("checkpoint.safetensors", pack(state))
        folder.write_table("history.parquet", history_table(state))
        seconds = (time.perf_counter() - began) / (state.epoch - first)
        status("running", state.epoch, validation=watched(state, recipe), epoch_seconds=seconds)
        folder.log(epoch_line(state.history[-1]))
        on_epoch()

    with companions(recipe, state, device, settings, folder.log) as devices:
        began = time.perf_counter()
        return train(model, data, recipe, device, state, after_epoch, folder.log, devices)


def learned_by(
    twin: Path, model: nn.Module, data: ImageData, recipe: Recipe, device: torch.device, folder: Folder
) -> Answering:
    """What training would give, from a finished run that differs in ``predict`` alone."""
    folder.log(f"not trained again: the weights are those of {twin}, whose recipe differs in predict only")
    if (tracked := twin / TRACKED).exists():
        folder.write(TRACKED, tracked.read_bytes())
    state = state_of(twin)
    return state, *trained(model, state.model, data, recipe, device, folder.log)


def follow_layers(
    epoch: int, model: nn.Module, data: ImageData, recipe: Recipe, device: torch.device, folder: Folder
) -> None:
    """Where the recipe tracks the separation of the layers, measure it and keep it; the network is left as it was."""
    path = folder.path / TRACKED
    earlier = read_table(path) if path.exists() else pl.DataFrame(schema=BY_EPOCH)
    table = follow(earlier, epoch, model, data, recipe, device)
    if table is not None:
        folder.write_table(TRACKED, table)


def history_table(state: State) -> pl.DataFrame:
    """The history, a row an epoch."""
    names = dict.fromkeys(name for row in state.history for name in row)
    kinds = {name: pl.Int64 if name in ("epoch", "phase") else pl.Float64 for name in names}
    return pl.DataFrame([{name: row[name] for name in kinds} for row in state.history], schema=kinds)


def watched(state: State, recipe: Recipe) -> dict[str, float]:
    """The value that the recipe watches, after the last epoch; nothing where it does not exist."""
    value = state.history[-1][f"validation_{recipe.train.watch}"]
    return {} if value is None else {recipe.train.watch: value}


def epoch_line(row: dict[str, Any]) -> str:
    """One epoch as a line of the log."""
    shown = (f"{name} {value:.4g}" for name, value in row.items() if name != "epoch" and value is not None)
    return f"epoch {row['epoch']}: {', '.join(shown)}"
