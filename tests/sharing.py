"""Trainings that one device makes, or several: ``python sharing.py NUMBER FOLDER cpu 3 2`` is one of three, then, where
it is no third, of two."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from assay.data.batches import ImageData
from assay.data.targets import VOID, Masks, Tags, Values
from assay.errors import RunFailed
from assay.models.catalogue import build
from assay.recipe import Recipe
from assay.seeds import scoped
from assay.system.machine import reproducible
from assay.train.checkpoint import State, pack
from assay.train.devices import ALONE, Devices, meeting
from assay.train.phases import train
from trained import CPU, image_data

SHAPE, CLASSES = (3, 16, 16), 3
MLP = {"name": "mlp", "hidden": [8]}
CNN = {"name": "cnn", "channels": [4], "dense": [8]}
NORMED = CNN | {"norm": "batch"}
SGD = {"name": "sgd", "lr": 0.1, "momentum": 0.9}
WEIGHTS = [1.0, 5.0, 0.2]
WEIGHED = {"name": "cross_entropy", "label_smoothing": 0.1, "class_weights": WEIGHTS}
CASES: dict[str, dict[str, Any]] = {
    "weights of classes": {
        "loss": WEIGHED, "clip": 0.5, "l1": 1e-3, "schedule": "cosine", "warmup": {"steps": 4, "momentum": 0.5},
    },
    "mixed and moved": {
        "model": CNN, "augment": ["rotation", "horizontal_flip", {"mixup": 0.4}, "cutmix"], "loss": WEIGHED,
    },
    "batch norm": {"model": NORMED, "keep": "best"},
    "batch norms of timm": {
        "model": {"name": "timm/test_efficientnet"}, "epochs": 1, "channels_last": True, "batch_size": 11,
        "optimizer": {"name": "sgd", "lr": 0.001},  # of few values a channel, whose norms enlarge rounding
    },
    "kept features": {"model": {"name": "timm/test_resnet", "freeze": "backbone"}, "loss": WEIGHED},
    "accumulated and averaged": {
        "accumulate": 2, "ema": {"decay": 0.8, "ramp": 2}, "loss": WEIGHED, "evaluate": ["classification", "diagnosis"],
    },
    "stopped early": {
        "epochs": 9, "keep": "best", "early_stopping": {"patience": 2}, "optimizer": {"name": "adam", "lr": 0.05},
    },
    "phases": {"model": CNN, "phases": [{"epochs": 1, "freeze": ["conv1"]}, {"epochs": 2, "optimizer": SGD}]},
    "half": {"precision": "bfloat16"},
    "numbers": {"task": "regression", "loss": "huber"},
    "tags": {"task": "multilabel", "loss": {"name": "focal", "class_weights": WEIGHTS}},
    "pixels": {"task": "segmentation", "loss": {"name": "cross_entropy", "class_weights": WEIGHTS}},
    "windows of pixels": {
        "task": "segmentation", "loss": ["focal", "cross_entropy"], "crop": {"size": 8, "classes": "balanced"},
    },
    "not finite": {"optimizer": {"name": "sgd", "lr": 1e30}},
}  # fmt: skip


class Spare(nn.Module):
    """Maps of classes from a layer, beside one that nothing needs."""

    def __init__(self) -> None:
        super().__init__()
        self.output, self.spare = nn.Conv2d(3, CLASSES, 3, padding=1), nn.Linear(2, 2)

    def forward(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) → (b, classes, h, w)."""
        found: Tensor = self.output(images)
        return found


def data_of(recipe: Recipe) -> ImageData:
    """44 images to learn from: of 10 in a batch, the last has 4. Every other mask is void for the most part."""
    data = image_data(CLASSES, SHAPE, train=44, validation=12, test=4)
    n, draw = len(data.images), np.random.default_rng(0)
    masks = draw.integers(0, CLASSES, (n, *SHAPE[1:])).astype(np.uint8)
    masks[::2, 2:] = VOID
    targets = {
        "classification": data.images.targets,
        "regression": Values(draw.normal(size=(n, 2)), ("a", "b")),
        "multilabel": Tags(draw.integers(0, 2, (n, CLASSES)).astype(np.uint8)),
        "segmentation": Masks(masks),
    }[recipe.task]
    own = {"augment": recipe.data.augment, "crop": recipe.data.crop}
    return replace(data, images=replace(data.images, targets=targets), **own)


def recipe_of(case: str, devices: int = 1) -> Recipe:
    """Of a case of ``CASES``."""
    own = dict(CASES[case])
    tree = {"task": own.pop("task", "classification"), "model": own.pop("model", MLP)}
    data = {"source": "noise"} | {key: own.pop(key) for key in ("augment", "crop") if key in own}
    measures = {"evaluate": own.pop("evaluate")} if "evaluate" in own else {}
    usual = {"epochs": 3, "batch_size": 10, "keep": "last", "watch": "loss", "optimizer": SGD}
    return Recipe.model_validate(tree | measures | {"data": data, "train": usual | own | {"devices": devices}})


def learned(case: str, devices: Devices = ALONE, device: torch.device = CPU) -> State | str:
    """The training of a case at its end; or why it failed."""
    recipe = recipe_of(case, devices.count)
    data = data_of(recipe)
    with scoped(devices.number, "initialisation"):  # the others get the first one's weights
        spare = recipe.task == "segmentation"
        network = Spare() if spare else build(recipe.model, SHAPE, 2 if recipe.task == "regression" else CLASSES)
    keep: Callable[[object], None] = lambda _: None  # noqa: E731
    with reproducible(1):
        try:
            return train(network.to(device), data, recipe, device, State(), keep, keep, devices)[0]
        except RunFailed as error:
            return str(error)


def main() -> None:
    """One of several devices, as often as there are counts of them."""
    number, folder, kind, *counts = sys.argv[1:]
    device = torch.device(kind, int(number)) if kind == "cuda" else CPU
    for count in counts:
        devices, place = Devices(int(number), int(count)), Path(folder) / count
        if devices.number < devices.count:
            place.mkdir(exist_ok=True)
            with meeting(devices, device, place):
                learn_all(devices, device, place)


def learn_all(devices: Devices, device: torch.device, place: Path) -> None:
    """All cases on one of several devices; of the first what comes out is kept."""
    for case in CASES:
        found = learned(case, devices, device)
        if devices.is_first:
            (place / case).write_bytes(found.encode() if isinstance(found, str) else pack(found))


if __name__ == "__main__":
    main()
