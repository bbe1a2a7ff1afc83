"""Healthy recipes and planted faults, small enough to be trained by the hundred: what ``bench_diagnosis`` reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from assay.diagnosis.course import Course
from assay.recipe import Recipe

SETS: dict[str, dict[str, Any]] = {
    "digits": {"data": {"source": "digits"}, "epochs": 30},
    "fashion-mnist": {"data": {"source": "fashion-mnist", "train": 1500, "test": 200, "size": 14}, "epochs": 20},
    "cifar10": {"data": {"source": "cifar10", "train": 1500, "test": 200, "size": 16}, "epochs": 20},
}
"""Images, and epochs after which a healthy validation loss falls no more. The first chose the thresholds, the last did
not."""
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {"name": "mlp", "hidden": [64]},
    "mlp, dropout": {"name": "mlp", "hidden": [128, 64], "dropout": 0.2},
    "cnn": {"name": "cnn", "channels": [8, 16], "dense": [32]},
    "cnn, batch norm": {"name": "cnn", "channels": [8, 16], "dense": [32], "norm": "batch"},
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adam": {"name": "adam", "lr": 0.001},
    "sgd": {"name": "sgd", "lr": 0.1},
    "momentum": {"name": "sgd", "lr": 0.02, "momentum": 0.9},
    "adam, cosine": {"name": "adam", "lr": 0.003},
    "rmsprop": {"name": "rmsprop", "lr": 0.001},
}
TOO_HIGH = {"adam": 1.0, "sgd": 100.0, "momentum": 20.0}
TOO_LOW = 1e-3
"""Of the healthy rate."""
FEW = 0.1
"""Of the healthy epochs."""
DEEP = {"name": "mlp", "hidden": [64] * 9, "activation": "sigmoid"}


@dataclass(frozen=True)
class Planted:
    """A recipe, and what is wrong with it."""

    fault: str
    """Empty: nothing."""
    recipe: dict[str, Any]
    labels: float = 0.0
    """The share of the labels that is drawn at random."""


@dataclass(frozen=True)
class Seen:
    """A run, as the rules see it."""

    data: str
    fault: str
    recipe: Recipe
    course: Course


def recipe(name: str, network: dict[str, Any], optimizer: dict[str, Any], seed: int, **train: Any) -> dict[str, Any]:
    """A healthy one on the set ``name``."""
    return {
        "data": SETS[name]["data"] | {"validation": 0.2},
        "model": network,
        "train": {"epochs": SETS[name]["epochs"], "batch_size": 64, "optimizer": optimizer} | train,
        "evaluate": ["classification", "diagnosis"],
        "seed": seed,
    }


def healthy(name: str) -> Iterator[Planted]:
    """Sixty: four networks, five optimizers, three seeds."""
    for (network, (kind, optimizer)), seed in product(product(NETWORKS.values(), OPTIMIZERS.items()), range(3)):
        schedule = "cosine" if "cosine" in kind else "constant"
        yield Planted("", recipe(name, network, optimizer, seed, schedule=schedule))


def faulty(name: str) -> Iterator[Planted]:
    """Twelve of each fault: four networks, three optimizers."""
    few = max(2, round(FEW * SETS[name]["epochs"]))
    for network, (kind, lr) in product(NETWORKS.values(), TOO_HIGH.items()):
        usual = OPTIMIZERS[kind]
        own = recipe(name, network, usual, 0)
        yield Planted("exploded", recipe(name, network, usual | {"lr": lr}, 0))
        yield Planted("rate too low", recipe(name, network, usual | {"lr": TOO_LOW * usual["lr"]}, 0))
        yield Planted("unfinished", recipe(name, network, usual, 0, epochs=few))
        channels = 3 if name == "cifar10" else 1
        by_numbers = {"normalize": {"mean": [0.0] * channels, "std": [1 / 255] * channels}}
        yield Planted("inputs unscaled", own | {"data": own["data"] | by_numbers})
        yield Planted("overfitting", own | {"data": own["data"] | {"train": 100}})
        yield Planted("training harder than testing", recipe(name, network | {"dropout": 0.9}, usual, 0))
        yield Planted("half the labels random", own, labels=0.5)
    for seed, (kind, _) in product(range(4), TOO_HIGH.items()):
        yield Planted("gradient fades", recipe(name, DEEP, OPTIMIZERS[kind], seed))
    for network in NETWORKS.values():
        for kind in ("adam", "sgd"):
            yield Planted("not learning", recipe(name, network, OPTIMIZERS[kind], 0), labels=1.0)
        yield Planted("not learning", recipe(name, network, OPTIMIZERS["momentum"] | {"weight_decay": 1.0}, 0))
