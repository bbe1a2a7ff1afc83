"""The training loop, in the order of execution."""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from assay import seeds
from assay.data.batches import ImageData, batch_sizes
from assay.errors import RunFailed
from assay.models.freezing import training
from assay.models.state import restore, snapshot
from assay.recipe import Recipe, Train
from assay.recipe.tasks import TASKS
from assay.system.machine import placed
from assay.tasks import catalogue
from assay.tasks.contract import Task
from assay.tasks.metric import Metric
from assay.tasks.predicting import predict, scores
from assay.train.accumulation import parts
from assay.train.arithmetic import arithmetic, laid_out
from assay.train.average import averaged, remembered
from assay.train.checkpoint import State
from assay.train.devices import ALONE, Devices, is_reached
from assay.train.mixing import of_mixed
from assay.train.optimizers import build_optimizer, optimizer_tensors, restore_optimizer
from assay.train.recording import Recording
from assay.train.schedules import Pace, pace
from assay.train.statistics import REMEMBERED, lagging, take_anew
from assay.train.steps import Steps


def fit(
    model: nn.Module,
    data: ImageData,
    recipe: Recipe,
    device: torch.device,
    state: State,
    save: Callable[[State], None],
    log: Callable[[str], None] = lambda line: None,
    devices: Devices = ALONE,
) -> State:
    """Train ``model`` in place from ``state`` to the end of the recipe; ``save`` gets the state after every epoch.

    ``state`` is ``State()`` for a new training; the recipe's epochs count from ``state.start``. The model ends with the
    weights that the recipe keeps. Where it asks for their moving average, that is in the model whenever it is validated
    or saved, and is what is kept. Each of several ``devices`` calls this with an equal state; all but the first get
    their weights from it, and ``save`` what is not to be kept.
    Raises RunFailed when a loss is not finite.
    """
    config, task, device = recipe.train, catalogue.task(recipe.task), placed(device)
    model.to(device)
    if config.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = build_optimizer(config.optimizer, model, config.warmup is not None)
    scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
    average = averaged(model, config.ema) if config.ema and devices.is_first else None
    if state.epoch > state.start:
        restore(model, state.model)
        restore_optimizer(optimizer, state.optimizer)
        scaler.load_state_dict(state.scaler)
        if average:
            average.resume(state.average)
    learn = of_mixed(task.learning(config.loss, data, device, devices.total))
    recording = Recording(model) if any(measure.name == "diagnosis" for measure in recipe.evaluate) else None
    reached = devices.count == 1 or is_reached(model, laid_out(next(data.batches("train", 2, device))[0], config))
    steps = Steps(model, learn, optimizer, scaler, config, device, log, devices, average, recording, reached)
    planned = config.epochs * (parts(data.epoch_size, config)[-1].step + 1)
    if config.ema and state.epoch == state.start and (left := remembered(config.ema, planned)) > REMEMBERED:
        log(
            f"train.ema: after the {planned} steps of this training {left:.0%} of the average will be the weights that "
            "it began with; a smaller decay, or a ramp, forgets them"
        )
    if config.warmup and state.epoch == state.start and config.warmup.steps > planned:
        log(f"train.warmup: of its {config.warmup.steps} steps this training has {planned}: it ends below the rate")

    with arithmetic(model, config):
        while state.epoch - state.start < config.epochs and not stopped_early(state, config, task.METRICS):
            row = one_epoch(steps, task, data, recipe, state)
            state.history, state.epoch, state.model = [*state.history, row], row["epoch"], snapshot(model)
            state.optimizer, state.scaler = optimizer_tensors(optimizer), scaler.state_dict()
            with steps.shown():
                state.average = snapshot(model) if average else {}
                if config.keep == "best" and is_best(state.watched(config.watch, task.METRICS)):
                    state.best = state.shown
                save(state)
    restore(model, state.kept)
    return state


def one_epoch(steps: Steps, task: Task, data: ImageData, recipe: Recipe, state: State) -> dict[str, Any]:
    """A row of the history: what was learned, at what rate, in how many seconds, and what the validation says.

    Raises RunFailed when a loss is not finite.
    """
    began, epoch = time.perf_counter(), state.epoch + 1
    training(steps.model)
    rate = learn_once(steps, data, recipe, state)
    sums = dict(steps.devices.summed(steps.sums))
    learned = {f"train_{name}": value for name, value in task.epoch(sums, data.epoch_size).items()}
    seconds = time.perf_counter() - began
    if not math.isfinite(learned["train_loss"]):
        raise RunFailed(f"the train loss is not finite in epoch {epoch} (learning rate {rate:g})")
    checked = steps.devices.told(lambda: check(steps, task, data, recipe, state, rate))
    recorded = steps.recording.row() if steps.recording else {}
    return {"epoch": epoch, "lr": rate, **learned, **checked, **recorded, "seconds": seconds}


def check(
    steps: Steps, task: Task, data: ImageData, recipe: Recipe, state: State, rate: float
) -> dict[str, float | None]:
    """What the validation says after an epoch, of the averages where there are some, with statistics that do not lag;
    without validation images they are of use, and taken, after the last epoch alone.

    Raises RunFailed when it is not finite.
    """
    epoch, count = state.epoch + 1, len(batch_sizes(data.epoch_size, recipe.train.batch_size))
    is_watched, is_last = len(data.indices["validation"]) > 0, epoch - state.start == recipe.train.epochs
    norms = lagging(steps.model, epoch * count, recipe.train.epochs * count) if is_watched or is_last else []
    if norms and (state.epoch == state.start or not is_watched):
        when = "before each validation" if is_watched else "at the end"
        steps.log(f"statistics of {len(norms)} batch norms lag behind the weights: taken anew {when}")
    try:
        with steps.shown():
            if norms:
                take_anew(steps.model, norms, data, recipe, steps.device)
            return validate(task, steps.model, data, recipe, steps.device)
    except RunFailed as error:
        raise RunFailed(f"{error} in epoch {epoch} (learning rate {rate:g})") from None


def learn_once(steps: Steps, data: ImageData, recipe: Recipe, state: State) -> float:
    """One epoch: every training image once, a step a batch, or several batches. The last learning rate."""
    config, epoch, now = recipe.train, state.epoch + 1, Pace(0.0, 0.0)
    every = parts(data.epoch_size, config, steps.devices.share)
    count = every[-1].step + 1
    done = (state.epoch - state.start) * count
    validation_losses = [row["validation_loss"] for row in state.history[state.start :]]
    steps.begin()
    with seeds.scoped(recipe.seed, "noise", epoch, *steps.devices.noise):
        batches = data.train_batches(config.batch_size, recipe.seed, epoch, steps.device, steps.devices.share)
        for part, (images, target) in zip(every, batches, strict=True):
            now = pace(config, done + part.step, count, validation_losses)
            steps.at(now, done + part.step)
            steps(laid_out(images, config), target, part)
    return now.rate


def validate(
    task: Task, model: nn.Module, data: ImageData, recipe: Recipe, device: torch.device
) -> dict[str, float | None]:
    """The loss and the task's metric on the validation images; None where there are none, or it does not exist for
    them (R² of values that are all alike, a loss of boxes)."""
    metrics = TASKS[recipe.task].watched
    found: dict[str, float | None] = dict.fromkeys(("loss", *metrics))
    if len(data.indices["validation"]):
        found |= scores(predict(task, model, data, "validation", recipe.train.loss, device), metrics)
    existing = {name: None if value is None or math.isnan(value) else value for name, value in found.items()}
    return {f"validation_{name}": value for name, value in existing.items()}


def is_best(values: list[float]) -> bool:
    """Whether the last value is larger than all before it; of values that do not exist the last is."""
    return len(values) == 1 or values[-1] > max(values[:-1]) or max(values) == -math.inf


def stopped_early(state: State, config: Train, metrics: Iterable[Metric]) -> bool:
    """Whether the watched value has not risen by ``min_delta`` over the phase's best for ``patience`` epochs, those
    left out in which it does not exist."""
    if config.early_stopping is None:
        return False
    best, waited = -math.inf, 0
    for value in state.watched(config.watch, metrics)[state.start :]:
        if value > best + config.early_stopping.min_delta:
            best, waited = value, 0
        elif value > -math.inf:
            waited += 1
    return waited >= config.early_stopping.patience
