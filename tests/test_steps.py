"""A captured step: the numbers of a step run from Python, and a reason where it cannot be captured.

Without a card both sides run from Python, and only that they agree is seen.
"""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from assay import seeds
from assay.models.catalogue import build
from assay.recipe import Augmentation, Recipe
from assay.system.machine import reproducible
from assay.train.checkpoint import State, pack, unpack
from assay.train.loop import fit
from trained import image_data

OPTIMIZERS = [
    {"name": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4},
    {"name": "adam", "lr": 0.01},
    {"name": "adamw", "lr": 0.01, "weight_decay": 0.1},
    {"name": "rmsprop", "lr": 0.001, "momentum": 0.9},
]
AUGMENT = tuple(
    Augmentation(name=name, amount=amount) for name, amount in (("horizontal_flip", 0.5), ("rotation", 20.0))
)
DATA = replace(image_data(shape=(3, 16, 16), train=92, validation=20), augment=AUGMENT)  # 5 batches of 16, one of 12


def recipe(**train: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "data": {"source": "digits"},
            "model": {"name": "cnn", "norm": "batch", "dropout": 0.2},
            "train": {"epochs": 3, "batch_size": 16, "keep": "last"} | train,
        }
    )


def train(
    recipe: Recipe, device: torch.device, state: State | None = None, model: nn.Module | None = None
) -> tuple[State, list[str]]:
    if model is None:
        with seeds.scoped(0, "initialisation"):
            model = build(recipe.model, DATA.shape, 3)
    said: list[str] = []
    with reproducible(1):
        found = fit(model, DATA, recipe, device, state or State(), lambda state: None, said.append)
    return found, [line for line in said if line.startswith("steps ")]


def alike(one: State, other: State) -> bool:
    same = all(torch.equal(value, other.model[name]) for name, value in one.model.items())
    timeless = [[{k: v for k, v in row.items() if k != "seconds"} for row in state.history] for state in (one, other)]
    return same and timeless[0] == timeless[1]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer["name"])
def test_captured_and_eager_steps_give_the_same_bits(optimizer: dict[str, Any], device: torch.device) -> None:
    common = {"optimizer": optimizer, "clip": 1.0, "l1": 1e-5, "schedule": {"name": "cosine"}}
    captured, said = train(recipe(**common), device)
    eager, refused = train(recipe(**common, capture=False), device)
    assert alike(captured, eager)
    on_card = device.type == "cuda"
    assert said == (["steps are captured as a CUDA graph"] if on_card else [])
    assert refused == (["steps run from Python: train.capture is false"] if on_card else [])


def test_bfloat16_and_channels_last_too(device: torch.device) -> None:
    common = {"precision": "bfloat16", "channels_last": True}
    assert alike(train(recipe(**common), device)[0], train(recipe(**common, capture=False), device)[0])


def test_a_captured_training_is_continued_to_the_same_bits(device: torch.device) -> None:
    whole, _ = train(recipe(), device)
    half, _ = train(recipe(epochs=1), device)
    continued, _ = train(recipe(), device, unpack(pack(half)))
    assert alike(continued, whole)


def test_mixed_images_are_captured(device: torch.device) -> None:
    mixing = replace(DATA, augment=(Augmentation(name="mixup", amount=0.4), Augmentation(name="cutmix", amount=1.0)))
    found = []
    for capture in (True, False):
        with seeds.scoped(0, "initialisation"):
            model = build(recipe().model, DATA.shape, 3)
        with reproducible(1):
            found.append(fit(model, mixing, recipe(capture=capture), device, State(), lambda state: None))
    assert alike(*found)


class Counting(nn.Module):
    """A network that looks at its numbers from Python, as no graph can."""

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.dense = nn.Flatten(), nn.Linear(3 * 16 * 16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dense(self.flat(x)) * (1.0 if x.mean().item() > 1e9 else 2.0)


def test_what_cannot_be_captured_runs_from_python_and_says_why(device: torch.device) -> None:
    with seeds.scoped(0, "initialisation"):
        network = Counting()
    captured, said = train(recipe(), device, model=deepcopy(network))
    eager, _ = train(recipe(capture=False), device, model=deepcopy(network))
    assert alike(captured, eager)
    if device.type == "cuda":
        assert said[0].startswith("steps run from Python: the network cannot be captured (")
        assert torch.cuda.current_stream(device) == torch.cuda.default_stream(device)


def test_float16_runs_from_python(device: torch.device) -> None:
    if device.type == "cpu":
        pytest.skip("float16 is trained on a card")
    _, said = train(recipe(precision="float16"), device)
    assert said == ["steps run from Python: float16 looks at every step's gradients"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="compiling takes a minute on a processor")
def test_a_compiled_network_learns_the_same_but_for_last_bits(device: torch.device) -> None:
    plain, compiled = train(recipe(), device)[0], train(recipe(compile=True), device)[0]
    assert list(plain.model) == list(compiled.model)
    assert compiled.history[0]["train_loss"] == pytest.approx(plain.history[0]["train_loss"], rel=0.05)


def test_the_precision_of_products_is_as_before_after_a_training(device: torch.device) -> None:
    before = torch.get_float32_matmul_precision()
    train(recipe(precision="tf32", epochs=1), device)
    assert torch.get_float32_matmul_precision() == before
