"""No step waits for a number, so that a card can capture it: of every task's losses, of maps in windows too.

On the meta device there are no numbers, and whatever needs one (a mask as an index, an item, a size that depends on
values) raises. Whether a captured step learns what one run from Python does is seen on a card alone; without one both
run from Python.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from assay import seeds
from assay.data import ImageData
from assay.data.targets import VOID
from assay.models.catalogue import build
from assay.recipe import Crop, Recipe
from assay.recipe.tasks import TASKS
from assay.system.machine import reproducible
from assay.tasks import catalogue
from assay.tasks.segmentation.task import overlaps
from assay.train.checkpoint import State
from assay.train.loop import fit
from labelled import masked_data, random_masks
from trained import image_data, tagged_data

META = torch.device("meta")
MAPS: list[Any] = [
    {"name": "cross_entropy", "class_weights": "inverse", "label_smoothing": 0.1},
    {"name": "focal", "class_weights": "median_frequency"},
    "dice",
    "lovasz",
    ["cross_entropy", "lovasz"],
]


def noise() -> ImageData:
    """12 coloured pictures with masks, a fifth of each void and one wholly."""
    draw = np.random.default_rng(0)
    masks = random_masks(draw, 12, 24, 20)
    masks[5] = VOID
    data = masked_data(masks)
    pixels = draw.integers(0, 256, (12, 3, 24, 20), np.uint8)
    mean, std = np.full(3, 0.5, "f4"), np.full(3, 0.25, "f4")
    return replace(data, images=replace(data.images, pixels=pixels), mean=mean, std=std)


def recipe(loss: Any, **changes: Any) -> Recipe:
    train = {"epochs": 2, "batch_size": 4, "keep": "last", "watch": "miou", "loss": loss} | changes
    model = {"name": "deeplab", "width": 4}
    return Recipe.model_validate({"task": "segmentation", "data": {"source": "noise"}, "model": model, "train": train})


def network(momentum: float) -> nn.Module:
    """Its batch norms at a momentum below 0.05 have their statistics taken anew before each validation."""
    with seeds.scoped(0, "initialisation"):
        built = build(recipe("dice").model, (3, 24, 20), 3)
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = momentum
    return built


def trained(data: ImageData, recipe: Recipe, device: torch.device, model: nn.Module) -> tuple[State, list[str]]:
    said: list[str] = []
    with reproducible(1):
        found = fit(deepcopy(model), data, recipe, device, State(), lambda state: None, said.append)
    return found, said


WHOLE, WINDOWS = noise(), replace(noise(), crop=Crop(size=(16, 16), classes="balanced"))


@pytest.mark.parametrize("data", [WHOLE, WINDOWS], ids=["whole", "windows"])
@pytest.mark.parametrize(("loss", "momentum"), [*((loss, 0.1) for loss in MAPS), ("dice", 0.01)], ids=str)
def test_captured_steps_of_maps_learn_what_steps_from_python_do(
    loss: Any, data: ImageData, momentum: float, device: torch.device
) -> None:
    model = network(momentum)
    captured, said = trained(data, recipe(loss), device, model)
    eager, _ = trained(data, recipe(loss, capture=False), device, model)
    assert all(torch.equal(value, eager.model[name]) for name, value in captured.model.items())
    assert captured.history[-1]["train_loss"] == eager.history[-1]["train_loss"]
    assert ("steps are captured as a CUDA graph" in said) == (device.type == "cuda")


def two_classes() -> ImageData:
    """As one logit needs them."""
    return image_data(classes=2)


TASKS_AND_LOSSES: list[tuple[str, Any, Callable[[], ImageData]]] = [
    *(("segmentation", loss, noise) for loss in MAPS),
    *(("classification", loss, two_classes) for loss in TASKS["classification"].losses),
    *(("multilabel", loss, tagged_data) for loss in TASKS["multilabel"].losses),
]


@pytest.mark.parametrize(
    ("task", "loss", "data"), TASKS_AND_LOSSES, ids=lambda value: getattr(value, "__name__", str(value)[:40])
)
def test_no_loss_waits_for_a_number(task: str, loss: Any, data: Callable[[], ImageData]) -> None:
    asked = Recipe.model_validate(
        {"task": task, "data": {"source": "noise"}, "model": {"name": "cnn"}} | {"train": {"loss": loss}}
    )
    images = torch.empty(4, *data().shape, device=META)
    target = data().images.targets.take(torch.arange(4)).to(META)
    outputs = catalogue.task(task).outputs(asked.train.loss, data().classes)
    model: nn.Module = nn.Sequential(nn.Flatten(), nn.Linear(images[0].numel(), outputs))
    if task == "segmentation":
        model = nn.Conv2d(3, outputs, 1)
    with reproducible(1):
        minimised, sums = catalogue.task(task).learning(asked.train.loss, data(), META)(model.to(META), images, target)
        minimised.backward()
    assert minimised.shape == ()
    assert all(total.device == META for total in sums.values())
    with pytest.raises((RuntimeError, NotImplementedError)):
        images[images > 0]  # as a step that waits would


@pytest.mark.parametrize(
    "model", [{"name": "deeplab", "width": 4}, {"name": "smp/unet", "encoder": "timm/mobilenetv3_small_050"}], ids=str
)
def test_no_network_for_maps_waits_for_a_number(model: dict[str, Any]) -> None:
    built = build(recipe("dice").model.model_validate(model), (3, 40, 52), 3).to(META)
    with reproducible(1):  # on a card bilinear interpolation is another function then
        said: Tensor = built(torch.empty(2, 3, 40, 52, device=META))
        said.sum().backward()
    assert said.shape == (2, 3, 40, 52)


def test_intersection_and_union_by_hand() -> None:
    masks = torch.tensor([[[0, 0, 1], [2, VOID, 1]]], dtype=torch.uint8)
    answers = torch.tensor([[[0, 1, 1], [1, 1, 1]]])
    logits = nn.functional.one_hot(answers, 3).movedim(-1, 1).float()
    hits, union = overlaps(logits, masks)
    assert hits.tolist() == [1, 2, 0]
    assert union.tolist() == [2, 4, 1]
