"""A variant trained for two epochs on a part of its images: what an epoch takes, what the rest, and how much disk."""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from assay.after.around import around
from assay.data import ImageData
from assay.errors import AssayError
from assay.evaluate import Trained
from assay.models.catalogue import complete
from assay.models.weights import initial_network
from assay.recipe import Recipe
from assay.recipe.crf import Crf
from assay.runs import crf
from assay.runs.folder import Folder
from assay.runs.learning import history_table
from assay.runs.run import measure_and_save
from assay.system.machine import resolve_device
from assay.tasks import catalogue
from assay.tasks.predicting import predict_splits
from assay.train.checkpoint import State, pack
from assay.train.phases import train

EPOCHS = 2
"""Of each phase; the first one also warms up, and the second counts."""
BELIEVED = 512
"""A recipe's mistake is one on so many training images; fewer may lack a class."""
SECONDS = 1.5
"""An epoch has more images until it takes so long, or has all."""
FIXED = ("model.safetensors", "pictures.parquet")
"""The files of a run that do not grow with its images."""


@dataclass(frozen=True)
class Trial:
    """What one run of a recipe will take."""

    training_seconds: float
    """All epochs, each with its validation and its checkpoint; what devices share is divided by their number, and what
    they tell each other not counted."""
    other_seconds: float
    """Preparing, measuring and writing."""
    bytes: int
    """On disk, when it has finished."""


def try_recipe(recipe: Recipe, data: ImageData) -> Trial:
    """Train on a growing part of the images of ``data``, one batch at first, until that says how long the whole takes.

    What is measured grows with the number of images, so the part is scaled up to all. Raises AssayError for a recipe
    that cannot be trained.
    """
    recipe, images = complete(recipe), len(data.indices["train"])
    share, believed = (min(1.0, n / images) for n in (recipe.train.batch_size, BELIEVED))
    while True:
        try:
            found, epoch = _part_tried(recipe, _part(data, share), share)
        except AssayError:
            if share >= believed:
                raise
            share = min(believed, 2 * share)
            continue
        if share == 1 or epoch >= SECONDS:
            return found
        share = min(1.0, share * max(2.0, SECONDS / max(epoch, 1e-3)))


def _part(data: ImageData, share: float) -> ImageData:
    """Evenly spaced images of every split."""

    def few(n: int) -> np.ndarray:
        return np.linspace(0, n - 1, min(n, max(2, round(n * share)))).astype(np.int64)

    return replace(data, indices={split: rows[few(len(rows))] for split, rows in data.indices.items()})


def _part_tried(recipe: Recipe, data: ImageData, share: float) -> tuple[Trial, float]:
    """What all images would take, and the seconds of one epoch on these."""
    device = resolve_device(recipe.train.device)
    outputs = catalogue.task(recipe.task).outputs(recipe.train.loss, data.classes)
    ends, began = [], time.perf_counter()

    def after_epoch(state: State) -> None:
        pack(state)
        ends.append(time.perf_counter())

    model, _ = initial_network(recipe, data.shape, outputs, data.classes)
    state, part, seen = train(model.to(device), data, _short(recipe), device, State(), after_epoch, lambda line: None)
    choosing, tried = 0.0, 0.0
    if recipe.predict.crf == "tune":
        choosing, tried = _choosing_seconds(recipe, model, data, share, device)
        recipe = recipe.model_copy(update={"predict": crf.with_crf(recipe.predict, Crf())})
        part = around(model, recipe.predict, data.mean.tolist(), data.std.tolist())
    size = _measured(recipe, Trained(model, data, recipe, device, {}, history_table(state), part, seen), share)
    whole = time.perf_counter() - began
    learned = [row["seconds"] for row in state.history[1::EPOCHS]]
    alone = [second - first for first, second in zip(ends[::EPOCHS], ends[1::EPOCHS], strict=True)]
    saved = 1 - 1 / recipe.train.devices
    seconds = [each - saved * own for each, own in zip(alone, learned, strict=True)]
    training = sum(stage.train.epochs * each for stage, each in zip(recipe.stages, seconds, strict=True))
    other = max(0.0, whole - EPOCHS * sum(alone) - tried)
    return Trial(training / share, choosing + other / share, size), min(alone)


def _choosing_seconds(
    recipe: Recipe, model: nn.Module, data: ImageData, share: float, device: torch.device
) -> tuple[float, float]:
    """What ``predict.crf: tune`` takes on as many pictures as it asks, and what trying it on two has taken."""
    began, few = time.perf_counter(), data.indices["validation"][:2]
    crf.choice(recipe, model, replace(data, indices={"validation": few}), device)
    took = time.perf_counter() - began
    asked = min(crf.PICTURES, round(len(data.indices["validation"]) / share))
    return took * asked / len(few), took


def _short(recipe: Recipe) -> Recipe:
    """The recipe with a few epochs, all of which happen."""
    few = {"epochs": EPOCHS, "early_stopping": None}
    phases = tuple(phase.model_copy(update=few) for phase in recipe.train.phases)
    return recipe.model_copy(update={"train": recipe.train.model_copy(update=few | {"phases": phases})})


def _measured(recipe: Recipe, trained: Trained, share: float) -> int:
    """Predict, measure and write; the bytes that all images would take.

    Of so few images a measure may not exist, so only the network is counted then.
    """
    task = catalogue.task(recipe.task)
    with tempfile.TemporaryDirectory() as folder:
        with torch.no_grad():
            said = predict_splits(task, trained.part, trained.seen, recipe, trained.device)
        try:
            measure_and_save(Folder(Path(folder)), replace(trained, predictions=said))
        except AssayError:
            return sum(value.nbytes for value in trained.model.state_dict().values())
        sizes = {path.name: path.stat().st_size for path in Path(folder).iterdir()}
    return round(sum(size if name in FIXED else size / share for name, size in sizes.items()))
