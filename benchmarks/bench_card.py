"""Training on a card: assay's loop against a bare loop over tensors that already lie there, images per second.

The residual network of studies/cifar10/skip.yaml in its recipe (batches of 128, two flips and a rotation), in float32,
TF32 and bfloat16 with channels last; the same without augmentation; the MLP of studies/fashion-mnist/activation.yaml.
Pixels are random: a network's speed does not depend on what it sees. The bare loop has no augmentation and does not
count what it gets right. A rate is that of the last of three epochs; validation is no part of any side.

Targets on an H100: 60,000 images/s in float32, 90,000 in bfloat16 with channels last; the MLP at least the bare loop;
augmentation at most 15 % of an epoch."""

import time
from pathlib import Path

import numpy as np
import torch
from benchmark import card, verdict
from torch.nn import functional

from assay import load_study, seeds
from assay.data import ImageData, ImageSet
from assay.data.targets import Labels
from assay.models import build
from assay.recipe import Recipe
from assay.system.machine import reproducible
from assay.train.checkpoint import State
from assay.train.loop import fit
from assay.train.optimizers import build_optimizer

STUDIES = Path(__file__).parents[1] / "studies"
EPOCHS = 3
IMAGES = 45_000


def random_images(channels: int, side: int, recipe: Recipe) -> ImageData:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (IMAGES, channels, side, side), dtype=np.uint8)
    labels, none = Labels(rng.integers(0, 10, IMAGES)), np.zeros(0, np.int64)
    names = [str(i) for i in range(IMAGES)]
    images = ImageSet(pixels, labels, names, np.zeros(IMAGES, bool), [str(c) for c in range(10)], [])
    indices = {"train": np.arange(IMAGES), "validation": none, "test": none}
    half = np.full(channels, 0.5, np.float32)
    return ImageData(images, indices, half, half, recipe.data.augment)


def recipe_of(study: str, *overrides: str) -> Recipe:
    loaded = load_study(STUDIES / study, [f"train.epochs={EPOCHS}", "train.keep=last", *overrides])
    return loaded.plan[loaded.base_variant].recipe


def network(recipe: Recipe, data: ImageData) -> torch.nn.Module:
    with seeds.scoped(recipe.seed, "initialisation"):
        return build(recipe.model, data.shape, 10)


def assay_rate(recipe: Recipe, data: ImageData, device: torch.device) -> float:
    with reproducible(torch.get_num_threads()):
        state = fit(network(recipe, data), data, recipe, device, State(), lambda state: None)
    return len(data.indices["train"]) / state.history[-1]["seconds"]


def bare_rate(recipe: Recipe, data: ImageData, device: torch.device) -> float:
    layout = torch.channels_last if recipe.train.channels_last else torch.contiguous_format
    images = torch.from_numpy(data.images.pixels).to(device).float().div_(127.5).sub_(1)
    images = images.contiguous(memory_format=layout)
    labels = torch.from_numpy(data.images.labels).to(device)
    model = network(recipe, data).to(device, memory_format=layout)
    optimizer = build_optimizer(recipe.train.optimizer, model)
    half = recipe.train.precision == "bfloat16"
    for _ in range(EPOCHS):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for rows in torch.randperm(IMAGES, device=device).split(recipe.train.batch_size):
            with torch.autocast("cuda", torch.bfloat16, enabled=half):
                loss = functional.cross_entropy(model(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        torch.cuda.synchronize()
    return IMAGES / (time.perf_counter() - began)


def main() -> None:
    device = card()
    skip, half = "cifar10/skip.yaml", ("train.precision=bfloat16", "train.channels_last=true")
    plain, first = ("data.augment=[]",), ("train.channels_last=false",)
    found: dict[str, float] = {}
    for name, study, overrides in (
        ("float32", skip, first),
        ("float32, no augmentation", skip, first + plain),
        ("tf32", skip, (*first, "train.precision=tf32")),
        ("bfloat16", skip, half),
        ("bfloat16, no augmentation", skip, half + plain),
        ("bfloat16, batch 1024", skip, (*half, "train.batch_size=1024")),
        ("MLP", "fashion-mnist/activation.yaml", ("train.batch_size=256",)),
    ):
        recipe = recipe_of(study, *overrides)
        data = random_images(1 if name == "MLP" else 3, 28 if name == "MLP" else 32, recipe)
        found[name], bare = assay_rate(recipe, data, device), bare_rate(recipe, data, device)
        print(f"{name}: assay {found[name]:,.0f}  bare, not augmented {bare:,.0f}", flush=True)
        found[f"{name}, bare"] = bare
    verdict("float32, images/s", found["float32"], 60_000, at_least=True)
    verdict("bfloat16 and channels last, images/s", found["bfloat16"], 90_000, at_least=True)
    verdict("MLP / bare loop", found["MLP"] / found["MLP, bare"], 1, " ×", at_least=True)
    spent = 1 - found["bfloat16"] / found["bfloat16, no augmentation"]
    verdict("augmentation's share of an epoch", 100 * spent, 15, " %")


if __name__ == "__main__":
    main()
