"""Statistics of batch norms with a slow momentum are taken anew before a network is validated, kept and measured."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from assay.recipe import Recipe
from assay.train.checkpoint import State, pack, unpack
from assay.train.loop import fit
from assay.train.statistics import lagging, take_anew
from trained import CPU, image_data

SIDE = 8


def recipe(epochs: int = 2) -> Recipe:
    return Recipe.model_validate(
        {
            "data": {"source": "noise"},
            "model": {"name": "cnn"},
            "train": {"epochs": epochs, "batch_size": 4, "keep": "last", "optimizer": {"name": "adam", "lr": 0.01}},
        }
    )


def network_of(momentum: float) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4, momentum=momentum),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(4 * (SIDE - 2) ** 2, 3),
    )


def trained(momentum: float, state: State | None = None, said: list[str] | None = None, **more: Any) -> Any:
    network, saved = network_of(momentum), []
    data = image_data(shape=(1, SIDE, SIDE))
    log = (lambda _: None) if said is None else said.append
    fit(network, data, recipe(**more), CPU, state or State(), lambda s: saved.append(pack(s)), log)
    return network, data, saved


def test_slow_statistics_are_those_of_the_training_images_under_the_final_weights() -> None:
    said: list[str] = []
    network, data, _ = trained(0.01, said=said)
    images = torch.cat([images for images, _ in data.batches("train", 4, CPU)])
    with torch.no_grad():
        maps = network[0](images)
    assert torch.allclose(network[1].running_mean, maps.mean(dim=(0, 2, 3)), atol=1e-5)
    assert torch.allclose(network[1].running_var, maps.var(dim=(0, 2, 3)), rtol=0.05)
    assert network[1].momentum == 0.01
    assert int(network[1].num_batches_tracked) == 2 * 3
    assert [line for line in said if "lag behind" in line] == [
        "statistics of 1 batch norms lag behind the weights: taken anew before each validation"
    ]


def test_without_validation_images_they_are_taken_after_the_last_epoch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def counted(network: nn.Module, norms: list[Any], *rest: Any) -> None:
        taken.append(int(norms[0].num_batches_tracked))
        take_anew(network, norms, *rest)

    monkeypatch.setattr("assay.train.loop.take_anew", counted)
    said: list[str] = []
    network, data = network_of(0.01), image_data(shape=(1, SIDE, SIDE))
    unwatched = replace(data, indices=data.indices | {"validation": data.indices["validation"][:0]})
    fit(network, unwatched, recipe(epochs=3), CPU, State(), lambda _: None, said.append)
    assert taken == [3 * 3]
    assert [line for line in said if "lag behind" in line] == [
        "statistics of 1 batch norms lag behind the weights: taken anew at the end"
    ]
    images = torch.cat([images for images, _ in data.batches("train", 4, CPU)])
    with torch.no_grad():
        assert torch.allclose(network[1].running_mean, network[0](images).mean(dim=(0, 2, 3)), atol=1e-5)


def test_the_usual_momentum_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = trained(0.1, epochs=10)[2]
    monkeypatch.setattr("assay.train.loop.lagging", lambda *_: [])
    seconds = "seconds"
    for one, other in zip(before, trained(0.1, epochs=10)[2], strict=True):
        own, same = unpack(one), unpack(other)
        assert all(torch.equal(own.model[name], same.model[name]) for name in own.model)
        for row, again in zip(own.history, same.history, strict=True):
            assert {k: v for k, v in row.items() if k != seconds} == {k: v for k, v in again.items() if k != seconds}


def test_a_resumed_training_ends_bit_for_bit_the_same() -> None:
    whole = unpack(trained(0.01, epochs=3)[2][-1])
    first = unpack(trained(0.01, epochs=3)[2][0])
    resumed = unpack(trained(0.01, state=first, epochs=3)[2][-1])
    assert all(torch.equal(whole.model[name], resumed.model[name]) for name in whole.model)
    assert [row["validation_loss"] for row in whole.history] == [row["validation_loss"] for row in resumed.history]


@pytest.mark.parametrize(
    ("momentum", "steps", "planned", "lags"),
    [
        (0.01, 298, 1000, True),
        (0.01, 299, 1000, False),
        (0.1, 1, 29, False),
        (0.1, 28, 28, True),
        (0.05, 1, 59, False),
        (0.001, 2000, 9000, True),
    ],
)
def test_norms_lag_until_a_twentieth_of_their_beginning_is_left(
    momentum: float, steps: int, planned: int, lags: bool
) -> None:
    assert bool(lagging(network_of(momentum).train(), steps, planned)) == lags


def test_frozen_norms_and_those_without_a_momentum_do_not_lag() -> None:
    network = network_of(0.01).train()
    network[1].eval()
    assert lagging(network, 1, 1) == []
    assert lagging(nn.BatchNorm2d(3, momentum=None).train(), 1, 1) == []
