"""Short trainings of one recipe at several learning rates."""

import math

import torch

from assay.data import ImageData
from assay.errors import RunFailed
from assay.models.weights import initial_network
from assay.recipe import Recipe
from assay.recipe.optimizers import Constant
from assay.tasks import catalogue
from assay.train.checkpoint import State
from assay.train.phases import train


def loss_after(recipe: Recipe, data: ImageData, rate: float, epochs: int, device: torch.device) -> float:
    """The loss of the recipe after so many epochs at the constant ``rate``, with its own seed, on the validation
    images; where there are none, or the task has no such loss, that of the training. Infinite where it is not finite.

    Of a training in phases the first is meant; warm-up, schedule and early stopping are left out.
    """
    short = shortened(recipe, rate, epochs)
    outputs = catalogue.task(recipe.task).outputs(recipe.train.loss, data.classes)
    network, _ = initial_network(short, data.shape, outputs, data.classes)
    network.to(device)
    try:
        state, _, _ = train(network, data, short, device, State(), lambda state: None, lambda line: None)
    except RunFailed:
        return math.inf
    last = state.history[-1]
    loss = last["train_loss"] if last["validation_loss"] is None else last["validation_loss"]
    return float(loss) if math.isfinite(loss) else math.inf


def shortened(recipe: Recipe, rate: float, epochs: int) -> Recipe:
    """The first phase of the recipe for so many epochs at a constant rate, without measures."""
    stage = recipe.stages[0]
    changes = {
        "optimizer": stage.train.optimizer.model_copy(update={"lr": rate}),
        "epochs": epochs,
        "schedule": Constant(),
        "warmup": None,
        "early_stopping": None,
        "keep": "last",
    }
    return stage.model_copy(update={"train": stage.train.model_copy(update=changes), "evaluate": ()})


def rounded(rate: float) -> float:
    """To three digits: 0.1 times 3 is 0.3."""
    return float(f"{rate:.3g}")
