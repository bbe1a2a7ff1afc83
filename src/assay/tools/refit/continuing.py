"""Training that goes on where a run ended, on some of its training images."""

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int64
from torch import nn

from assay import seeds
from assay.data import ImageData
from assay.recipe import Constant, MeanSquaredError, Recipe
from assay.tasks.classification.losses import class_weights
from assay.train.checkpoint import State
from assay.train.loop import fit

LR_SHARE = 0.1
"""The rate is this share of the recipe's, unless one is given."""


def continued(recipe: Recipe, data: ImageData, epochs: int, lr: float | None = None) -> Recipe:
    """What is trained on with: the recipe's last phase for ``epochs`` more, at a constant rate, to the last weights.

    Its seed is another one, so that order, augmentation and dropout are not those of the run's own first epochs.
    No weights are averaged: in so few steps the average would hardly leave where it began. Weights of the classes are
    those that the run's own training images give.
    """
    last = recipe.stages[-1]
    loss, optimizer = last.train.loss, last.train.optimizer
    if not isinstance(loss, MeanSquaredError):
        weights = class_weights(loss, data.class_counts)
        loss = loss.model_copy(update={"class_weights": None if weights is None else tuple(weights.tolist())})
    changes = {
        "epochs": epochs,
        "optimizer": optimizer.model_copy(update={"lr": LR_SHARE * optimizer.lr if lr is None else lr}),
        "schedule": Constant(),
        "warmup": None,
        "loss": loss,
        "early_stopping": None,
        "keep": "last",
        "ema": None,
    }
    train = last.train.model_copy(update=changes)
    return last.model_copy(update={"train": train, "seed": seeds.derive(recipe.seed, "refit")})


def trained_on(
    model: nn.Module,
    data: ImageData,
    shown: Int64[np.ndarray, " n"],
    recipe: Recipe,
    device: torch.device,
    after_epoch: Callable[[int], None] = lambda epoch: None,
) -> nn.Module:
    """A copy of ``model`` after it was trained by ``recipe`` on the images ``shown`` and nothing else.

    What is frozen in it stays as it is, statistics of batch norms too. Each image counts once in an epoch, however the
    run balanced its classes. ``after_epoch`` is called with the number of the epoch, from 1.
    """
    network = copy.deepcopy(model)
    indices = {"train": np.sort(shown), "validation": np.zeros(0, np.int64)}
    seen = replace(data, indices=indices, balance="none")
    fit(network, seen, recipe, device, State(), lambda state: after_epoch(state.epoch))
    return network.eval()
