"""Several batches a step of the optimizer: the steps of one large batch, for every task."""

from collections import OrderedDict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from assay.data.batches import ImageData
from assay.data.targets import Masks, Tags, Values
from assay.models.catalogue import build
from assay.recipe import Recipe, Train
from assay.seeds import scoped
from assay.system.machine import reproducible
from assay.train.accumulation import Part, parts
from assay.train.checkpoint import State, pack, unpack
from assay.train.loop import fit
from test_average import equal, timeless
from trained import CPU, image_data

EMA = {"decay": 0.8, "ramp": 2}
IMAGES = {"train": 44, "validation": 8, "test": 4}
"""In batches of 8: five, and one of 4; two at a time they are two steps of 16 and one of 12."""


def data_of(task: str) -> ImageData:
    data = image_data(shape=(3, 16, 16), **IMAGES)
    n, draw = len(data.images), np.random.default_rng(0)
    targets = {
        "classification": data.images.targets,
        "regression": Values(draw.normal(size=(n, 2)), ("a", "b")),
        "multilabel": Tags(draw.integers(0, 2, (n, 3)).astype(np.uint8)),
        "segmentation": Masks(draw.integers(0, 3, (n, 16, 16)).astype(np.uint8)),
    }[task]
    return replace(data, images=replace(data.images, targets=targets))


def recipe(task: str, **train: Any) -> Recipe:
    own = {"epochs": 2, "keep": "last", "watch": "loss", "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}}
    tree = {"task": task, "data": {"source": "noise"}, "model": {"name": "mlp", "hidden": [8]}, "train": own | train}
    return Recipe.model_validate(tree)


def trained(chosen: Recipe, data: ImageData, state: State | None = None, save: Any = lambda state: None) -> State:
    with scoped(0, "initialisation"):
        if chosen.task == "segmentation":
            network: nn.Module = nn.Sequential(OrderedDict(output=nn.Conv2d(3, 3, 3, padding=1)))
        else:
            network = build(chosen.model, data.shape, 2 if chosen.task == "regression" else 3)
    with reproducible(1):
        return fit(network, data, chosen, CPU, state or State(), save)


def test_the_parts_of_an_epoch_by_hand() -> None:
    config = Train(batch_size=8, accumulate=2)
    assert parts(44, config) == [
        Part(0, 0.5, False), Part(0, 0.5), Part(1, 0.5, False), Part(1, 0.5), Part(2, 8 / 12, False), Part(2, 4 / 12),
    ]  # fmt: skip
    assert parts(33, config)[-1] == Part(1, 9 / 17)  # a single image left over joins its batch
    assert parts(40, config)[-1] == Part(2)  # an incomplete group makes a step
    assert parts(40, Train(batch_size=8)) == [Part(step) for step in range(5)]


@pytest.mark.parametrize("task", ["classification", "regression", "multilabel", "segmentation"])
def test_two_batches_a_step_are_a_batch_twice_as_large(task: str) -> None:
    common = {
        "schedule": "cosine", "clip": 1.0, "l1": 1e-3, "ema": EMA, "warmup": {"steps": 4, "bias": 0.2},
    }  # fmt: skip
    data = data_of(task)
    one = trained(recipe(task, batch_size=8, accumulate=2, **common), data)
    other = trained(recipe(task, batch_size=16, **common), data)
    for name, value in other.model.items():
        torch.testing.assert_close(one.model[name], value, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(one.average[name], other.average[name], atol=1e-5, rtol=1e-4)
    for row, wanted in zip(one.history, other.history, strict=True):
        assert row["lr"] == pytest.approx(wanted["lr"])
        assert row["train_loss"] == pytest.approx(wanted["train_loss"], rel=1e-4)
    each = trained(recipe(task, batch_size=8, **common), data)
    assert (each.model["output.weight"] - other.model["output.weight"]).abs().max() > 1e-4


def test_an_incomplete_group_is_a_step_of_its_own_images() -> None:
    data = data_of("classification")
    one = trained(recipe("classification", batch_size=8, accumulate=100), data)
    whole = trained(recipe("classification", batch_size=44), data)
    for name, value in whole.model.items():
        torch.testing.assert_close(one.model[name], value, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("task", ["classification", "segmentation"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_is_continued_to_the_same_bits(task: str, precision: str) -> None:
    chosen = recipe(
        task,
        batch_size=8,
        accumulate=4,
        epochs=3,
        precision=precision,
        ema={"decay": 0.8, "ramp": 2},
        schedule="one_cycle",
    )
    packed: list[bytes] = []
    whole = trained(chosen, data_of(task), save=lambda state: packed.append(pack(state)))
    for state in packed[:-1]:
        again = trained(chosen, data_of(task), unpack(state))
        assert equal(whole.model, again.model)
        assert equal(whole.average, again.average)
        assert timeless(whole) == timeless(again)


def test_on_a_card_steps_of_several_batches_run_from_python_and_it_is_told(device: torch.device) -> None:
    if device.type != "cuda":
        pytest.skip("a step is captured on a card")
    lines: list[str] = []
    chosen = recipe("classification", batch_size=8, accumulate=2)
    data = data_of("classification")
    fit(build(chosen.model, data.shape, 3), data, chosen, device, State(), lambda state: None, lines.append)
    assert "steps run from Python: train.accumulate makes a step of several batches" in lines
