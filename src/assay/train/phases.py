"""A training in phases: first the head, say, then everything at a lower rate."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from assay.after.around import answering
from assay.data.batches import ImageData
from assay.models.catalogue import build
from assay.models.state import restore, snapshot
from assay.recipe import Model, Recipe
from assay.seeds import scoped
from assay.tasks import catalogue
from assay.train.checkpoint import State
from assay.train.devices import ALONE, Devices
from assay.train.frozen import trained_part
from assay.train.loop import fit


def train(
    network: nn.Module,
    data: ImageData,
    recipe: Recipe,
    device: torch.device,
    state: State,
    save: Callable[[State], None],
    log: Callable[[str], None],
    devices: Devices = ALONE,
) -> tuple[State, nn.Module, ImageData]:
    """Train ``network`` in place through the phases of the recipe, or in one go where it has none.

    Returns the state at the end, and what then answers, on what: what the last phase trained (``trained_part``), the
    network on the images or something that gives the same outputs sooner; or what ``recipe.predict`` asks for.

    Each phase has its own optimizer, schedule and early stopping, and begins with the weights that the recipe keeps of
    the phases before: the best of all epochs so far, or the last. ``save`` gets the state after every epoch; continued
    from it, the training ends bit for bit the same. A moving average begins anew in each phase, from the weights that
    the phase begins with. In a later phase, history rows say which (``phase``, from 1).
    """
    outputs = catalogue.task(recipe.task).outputs(recipe.train.loss, data.classes)
    for number, stage in enumerate(recipe.stages):
        if number < state.phase:
            continue
        begins = number > state.phase
        if recipe.train.phases:
            learn_as(network, stage.model, data.shape, outputs)
            if begins or not state.epoch:
                log(f"phase {number + 1} of {len(recipe.stages)} begins after epoch {state.epoch}")
        if state.begin and not begins:
            restore(network, state.begin)
        devices.alike(network)
        with devices.first_before_others():
            part, seen = trained_part(network, data, stage, device, log)
        if begins:
            begin_phase(state, number, network, part, keep_best=recipe.train.keep == "best")
        keep = marked(number, save) if recipe.train.phases else save
        state = fit(part, seen, stage, device, state, keep, log, devices)
    return state, *answering(recipe.predict, network, data, part, seen)


def trained(
    network: nn.Module,
    weights: Mapping[str, Tensor],
    data: ImageData,
    recipe: Recipe,
    device: torch.device,
    log: Callable[[str], None],
) -> tuple[nn.Module, ImageData]:
    """What answers, on what, once ``train`` has ended with these ``weights``, which ``network`` gets."""
    last = recipe.stages[-1]
    restore(network, weights)
    if recipe.train.phases:
        learn_as(network, last.model, data.shape, catalogue.task(recipe.task).outputs(recipe.train.loss, data.classes))
    if recipe.train.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    kept = (network, data) if recipe.predict.asks else trained_part(network, data, last, device, log)
    return answering(recipe.predict, network, data, *kept)


def begin_phase(state: State, number: int, network: nn.Module, part: nn.Module, keep_best: bool) -> None:
    """Turn the state at the end of a phase into that at the beginning of the next."""
    state.phase, state.start = number, state.epoch
    state.optimizer, state.scaler, state.average = {}, {}, {}
    state.begin = {} if part is network else snapshot(network)
    state.model = snapshot(part)
    state.best = state.model if keep_best else {}


def learn_as(network: nn.Module, model: Model, shape: tuple[int, int, int], outputs: int) -> None:
    """Freeze in ``network`` what ``model`` freezes, and nothing else."""
    with scoped(0, "trial"):
        fresh = build(model, shape, outputs)
    for own, other in zip(network.parameters(), fresh.parameters(), strict=True):
        own.requires_grad_(other.requires_grad)


def marked(number: int, save: Callable[[State], None]) -> Callable[[State], None]:
    """``save`` after the epoch has been marked with its phase."""

    def mark_and_save(state: State) -> None:
        state.history[-1]["phase"] = number + 1
        save(state)

    return mark_and_save
