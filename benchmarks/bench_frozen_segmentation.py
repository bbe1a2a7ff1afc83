"""A decoder trained on kept maps of its frozen encoder against the loop that runs the encoder in every epoch.

Three networks of random weights, 10 epochs on 48 noise pictures of 180×240 with a box of a second class, 16 more for
validation: LR-ASPP on MobileNetV3, whose decoder is light, and smp/deeplabv3plus on timm/resnet50 and on
timm/tf_efficientnet_lite0. One side computes the maps first, into an empty cache, and then trains a second time, as a
further seed or variant does, from the maps that it finds there; the other is the same loop on the whole network, its
encoder frozen all the same. An epoch of each that is not timed comes before. All are timed as wholes, in one process
that keeps the memory it frees, as a run does. What can be saved is the encoder's forward pass (billions of
multiply-accumulates a picture: 0.6 of lite0, 5.7 of resnet50); the decoder, forward and backward, is left (three times
0.4 and 0.7), so that with lite0 no more than 1.5 times can be had.

Target: at least 3 times faster, with the same mIoU (validation, after the last epoch, within 0.02)."""

import os
import tempfile
import time

import numpy as np
import torch
from benchmark import verdict, weather

from assay import seeds
from assay.data.batches import ImageData
from assay.data.images import ImageSet
from assay.data.targets import Masks
from assay.models.catalogue import build
from assay.recipe import Recipe
from assay.system.machine import reproducible
from assay.system.memory import keep_freed_memory
from assay.train.checkpoint import State
from assay.train.frozen import trained_part
from assay.train.loop import fit

CPU = torch.device("cpu")
TRAIN, VALIDATION, HEIGHT, WIDTH = 48, 16, 180, 240
NETWORKS = (
    {"name": "torchvision/lraspp_mobilenet_v3_large"},
    {"name": "smp/deeplabv3plus", "encoder": "timm/resnet50"},
    {"name": "smp/deeplabv3plus", "encoder": "timm/tf_efficientnet_lite0"},
)


def recipe(network: dict[str, str], epochs: int = 10) -> Recipe:
    """Epochs of the decoder on a frozen encoder."""
    return Recipe.model_validate(
        {
            "task": "segmentation",
            "data": {"source": "noise"},
            "model": network | {"freeze": "backbone"},
            "train": {"epochs": epochs, "batch_size": 8, "keep": "last", "watch": "miou"},
        }
    )


def pictures() -> ImageData:
    """Noise with a bright box, whose pixels are of the second class."""
    draw, n = np.random.default_rng(0), TRAIN + VALIDATION
    pixels = draw.integers(0, 120, (n, 3, HEIGHT, WIDTH), np.uint8)
    masks = np.zeros((n, HEIGHT, WIDTH), np.uint8)
    for i, (y, x) in enumerate(draw.integers(0, 90, (n, 2))):
        pixels[i, :, y : y + 80, x : x + 110] += 100
        masks[i, y : y + 80, x : x + 110] = 1
    found = ImageSet(pixels, Masks(masks), [str(i) for i in range(n)], np.zeros(n, bool), ["ground", "box"], [])
    rows = np.arange(n, dtype=np.int64)
    splits = {"train": rows[:TRAIN], "validation": rows[TRAIN:], "test": rows[:0]}
    half = np.full(3, 0.5, np.float32)
    return ImageData(found, splits, half, half)


def train(data: ImageData, chosen: Recipe, once: bool) -> tuple[float, float]:
    """(seconds, validation mIoU) of all epochs."""
    with seeds.scoped(0, "initialisation"):
        network = build(chosen.model, data.shape, 2)
    with reproducible(torch.get_num_threads()):
        began = time.perf_counter()
        part, seen = trained_part(network, data, chosen, CPU, print) if once else (network, data)
        state = fit(part, seen, chosen, CPU, State(), lambda state: None)
    return time.perf_counter() - began, state.history[-1]["validation_miou"]


def main() -> None:
    keep_freed_memory()
    data = pictures()
    for network in NETWORKS:
        name, chosen = " on ".join(network.values()), recipe(network)
        for once in (False, True):
            with tempfile.TemporaryDirectory() as cache:
                os.environ["ASSAY_CACHE"] = cache
                train(data, recipe(network, epochs=1), once)
        with tempfile.TemporaryDirectory() as cache:
            os.environ["ASSAY_CACHE"] = cache
            first, miou = train(data, chosen, once=True)
            further, _ = train(data, chosen, once=True)
        every_epoch, same = train(data, chosen, once=False)
        print(
            f"{name}: maps once {first:.1f} s, a further training from them {further:.1f} s, "
            f"encoder in every epoch {every_epoch:.1f} s ({weather()})"
        )
        verdict(f"{name}: the first / encoder in every epoch", every_epoch / first, 3, " × faster", at_least=True)
        verdict(f"{name}: a further one / encoder in every epoch", every_epoch / further, 3, " × faster", at_least=True)
        verdict(f"{name}: difference in validation mIoU", abs(miou - same), 0.02)


if __name__ == "__main__":
    main()
