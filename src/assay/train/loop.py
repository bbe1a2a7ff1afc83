"""The training loop, in the order of execution."""

import math
import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn, optim

from assay import seeds
from assay.data.batches import ImageData, batch_sizes
from assay.errors import RunFailed
from assay.models.freezing import training
from assay.models.state import restore, snapshot
from assay.recipe import Recipe, Train
from assay.recipe.tasks import TASKS
from assay.tasks import catalogue
from assay.tasks.contract import Step, Sums, Task
from assay.tasks.metric import Metric
from assay.tasks.predicting import predict, scores
from assay.train.checkpoint import State
from assay.train.optimizers import build_optimizer, optimizer_tensors, restore_optimizer
from assay.train.schedules import rate_factor

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def fit(
    model: nn.Module, data: ImageData, recipe: Recipe, device: torch.device, state: State, save: Callable[[State], None]
) -> State:
    """Train ``model`` in place from ``state`` to the end of the recipe; ``save`` gets the state after every epoch.

    ``state`` is ``State()`` for a new training; the recipe's epochs count from ``state.start``. The model ends with the
    weights that the recipe keeps.
    Raises RunFailed when a loss is not finite.
    """
    config, task = recipe.train, catalogue.task(recipe.task)
    model.to(device)
    if config.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = build_optimizer(config.optimizer, model)
    scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
    if state.epoch > state.start:
        restore(model, state.model)
        restore_optimizer(optimizer, state.optimizer)
        scaler.load_state_dict(state.scaler)
    learn = task.learning(config.loss, data, device)

    while state.epoch - state.start < config.epochs and not stopped_early(state, config, task.METRICS):
        began = time.perf_counter()
        training(model)
        rate, sums = learn_once(model, data, recipe, device, state, learn, optimizer, scaler)
        learned = {f"train_{name}": value for name, value in task.epoch(sums, data.epoch_size).items()}
        seconds = time.perf_counter() - began
        epoch = state.epoch + 1
        if not math.isfinite(learned["train_loss"]):
            raise RunFailed(f"the train loss is not finite in epoch {epoch} (learning rate {rate:g})")
        try:
            checked = validate(task, model, data, recipe, device)
        except RunFailed as error:
            raise RunFailed(f"{error} in epoch {epoch} (learning rate {rate:g})") from None
        state.history = [*state.history, {"epoch": epoch, "lr": rate, **learned, **checked, "seconds": seconds}]
        state.epoch, state.model = epoch, snapshot(model)
        state.optimizer, state.scaler = optimizer_tensors(optimizer), scaler.state_dict()
        if config.keep == "best" and is_best(state.watched(config.watch, task.METRICS)):
            state.best = state.model
        save(state)

    restore(model, state.best or state.model)
    return state


def learn_once(
    model: nn.Module,
    data: ImageData,
    recipe: Recipe,
    device: torch.device,
    state: State,
    learn: Step,
    optimizer: optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> tuple[float, Sums]:
    """One epoch: every training image once, a step a batch. The last learning rate, and the sums of the batches."""
    config, sums, rate = recipe.train, Sums(), 0.0
    weights = [p for p in model.parameters() if p.ndim > 1 and p.requires_grad]
    steps, done = len(batch_sizes(data.epoch_size, config.batch_size)), state.epoch - state.start
    validation_losses = [row["validation_loss"] for row in state.history[state.start :]]
    with seeds.scoped(recipe.seed, "noise", state.epoch + 1):
        batches = data.train_batches(config.batch_size, recipe.seed, state.epoch + 1, device)
        for step, (images, target) in enumerate(batches, start=done * steps):
            rate = config.optimizer.lr * rate_factor(config.schedule, step, steps, config.epochs, validation_losses)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["share"]
            with torch.autocast(device.type, PRECISIONS[config.precision], enabled=config.precision != "float32"):
                loss, found = learn(model, laid_out(images, config), target)
                if config.l1:
                    loss = loss + config.l1 * sum(w.abs().sum() for w in weights)
            scaler.scale(loss).backward()
            if config.clip is not None:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            for name, value in found.items():
                sums[name] = sums[name] + value if name in sums else value
    return rate, sums


def validate(
    task: Task, model: nn.Module, data: ImageData, recipe: Recipe, device: torch.device
) -> dict[str, float | None]:
    """The loss and the task's metric on the validation images; None where there are none, or the metric does not exist
    for them (R² of values that are all alike)."""
    metrics = ("loss", TASKS[recipe.task].metric)
    found: dict[str, float | None] = dict.fromkeys(metrics)
    if len(data.indices["validation"]):
        found |= scores(predict(task, model, data, "validation", recipe.train.loss, device), metrics)
    existing = {name: None if value is None or math.isnan(value) else value for name, value in found.items()}
    return {f"validation_{name}": value for name, value in existing.items()}


def laid_out(images: Tensor, config: Train) -> Tensor:
    """The batch in the memory layout of the recipe; features that are no maps have only one."""
    maps = config.channels_last and images.ndim == 4
    return images.contiguous(memory_format=torch.channels_last) if maps else images


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
