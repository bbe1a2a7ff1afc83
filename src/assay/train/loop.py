"""The training loop, in the order of execution."""

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from assay import seeds
from assay.data.batches import ImageData, batch_sizes
from assay.errors import RunFailed
from assay.models.freezing import training
from assay.recipe import Recipe, Train
from assay.tasks import classification
from assay.train.checkpoint import State, Weights
from assay.train.losses import objective, per_sample_loss
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
    config = recipe.train
    model.to(device)
    if config.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = build_optimizer(config.optimizer, model)
    scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
    if state.epoch > state.start:
        model.load_state_dict(state.model)
        restore_optimizer(optimizer, state.optimizer)
        scaler.load_state_dict(state.scaler)
    loss_of = per_sample_loss(config.loss)
    minimised = objective(config.loss, data.class_counts, device)
    weights = [p for p in model.parameters() if p.ndim > 1 and p.requires_grad]
    steps = len(batch_sizes(data.epoch_size, config.batch_size))

    while state.epoch - state.start < config.epochs and not stopped_early(state, config):
        epoch, began = state.epoch + 1, time.perf_counter()
        total, right = torch.zeros((), device=device), torch.zeros((), device=device)
        rate, validation_losses = 0.0, [row["validation_loss"] for row in state.history[state.start :]]
        training(model)
        with seeds.scoped(recipe.seed, "noise", epoch):
            batches = data.train_batches(config.batch_size, recipe.seed, epoch, device)
            for step, (images, labels) in enumerate(batches, start=(state.epoch - state.start) * steps):
                rate = config.optimizer.lr * rate_factor(config.schedule, step, steps, config.epochs, validation_losses)
                for group in optimizer.param_groups:
                    group["lr"] = rate * group["share"]
                with torch.autocast(device.type, PRECISIONS[config.precision], enabled=config.precision != "float32"):
                    logits = model(laid_out(images, config))
                    losses = loss_of(logits.float(), labels)
                    loss = minimised(losses, labels)
                    if config.l1:
                        loss = loss + config.l1 * sum(w.abs().sum() for w in weights)
                scaler.scale(loss).backward()
                if config.clip is not None:
                    scaler.unscale_(optimizer)
                    nn.utils.clip_grad_norm_(model.parameters(), config.clip)
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
                total += losses.detach().sum()
                right += classification.correct(logits.detach(), labels).sum()

        images_seen = data.epoch_size
        row: dict[str, Any] = {
            "epoch": epoch,
            "lr": rate,
            "train_loss": total.item() / images_seen,
            "train_accuracy": right.item() / images_seen,
            "seconds": time.perf_counter() - began,
        } | validate(model, data, loss_of, config, device)
        for name in ("train_loss", "validation_loss"):
            if row[name] is not None and not math.isfinite(row[name]):
                raise RunFailed(f"the {name.replace('_', ' ')} is not finite in epoch {epoch} (learning rate {rate:g})")
        state.epoch, state.history = epoch, [*state.history, row]
        state.model = snapshot(model)
        state.optimizer, state.scaler = optimizer_tensors(optimizer), scaler.state_dict()
        if config.keep == "best" and is_best(state.watched(config.watch)):
            state.best = state.model
        save(state)

    model.load_state_dict(state.best or state.model)
    return state


@torch.inference_mode()
def validate(
    model: nn.Module, data: ImageData, loss_of: Callable[[Tensor, Tensor], Tensor], config: Train, device: torch.device
) -> dict[str, float | None]:
    """Loss and accuracy on the validation images, in evaluation mode; None where there are none."""
    images_seen = len(data.indices["validation"])
    if not images_seen:
        return {"validation_loss": None, "validation_accuracy": None}
    model.eval()
    total, right = torch.zeros((), device=device), torch.zeros((), device=device)
    for images, labels in data.batches("validation", data.pass_size, device):
        logits = model(laid_out(images, config))
        total += loss_of(logits, labels).sum()
        right += classification.correct(logits, labels).sum()
    return {"validation_loss": total.item() / images_seen, "validation_accuracy": right.item() / images_seen}


def laid_out(images: Tensor, config: Train) -> Tensor:
    """The batch in the memory layout of the recipe; features that are no maps have only one."""
    maps = config.channels_last and images.ndim == 4
    return images.contiguous(memory_format=torch.channels_last) if maps else images


def snapshot(model: nn.Module) -> Weights:
    """A copy of the weights that later training does not change."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def is_best(values: list[float]) -> bool:
    """Whether the last value is larger than all before it."""
    return len(values) == 1 or values[-1] > max(values[:-1])


def stopped_early(state: State, config: Train) -> bool:
    """Whether the watched value has not risen by ``min_delta`` over the phase's best for ``patience`` epochs."""
    if config.early_stopping is None:
        return False
    best, waited = -math.inf, 0
    for value in state.watched(config.watch)[state.start :]:
        if value > best + config.early_stopping.min_delta:
            best, waited = value, 0
        else:
            waited += 1
    return waited >= config.early_stopping.patience
