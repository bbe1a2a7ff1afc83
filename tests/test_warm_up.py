"""The first steps of a training: its rate rises, its momentum too, and the rate of the biases falls to the others'."""

from typing import Any

import pytest
import torch
from torch import nn

from assay import AssayError
from assay.recipe import SGD, AdamW, Recipe, RMSprop, Train, WarmUp
from assay.recipe.study import Study
from assay.recipe.validation import mistakes
from assay.runs.effect import check_effect
from assay.tools.refit.continuing import continued
from assay.train.checkpoint import State, pack, unpack
from assay.train.loop import fit
from assay.train.optimizers import build_optimizer, kinds_of
from assay.train.phases import train
from assay.train.schedules import Pace, pace, rate_factor
from test_average import DATA, equal, network_of, recipe, timeless
from trained import CPU

WARM = {"steps": 4, "momentum": 0.5, "bias": 0.2}
OPTIMIZERS: list[dict[str, Any]] = [
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
    {"name": "adamw", "lr": 0.01},
    {"name": "rmsprop", "lr": 0.001, "momentum": 0.6},
]


def paces(config: Train, steps: int = 6) -> list[Pace]:
    return [pace(config, step, 3) for step in range(steps)]


def test_a_warm_up_by_hand() -> None:
    config = Train(optimizer=SGD(lr=0.1, momentum=0.9), warmup=WarmUp(**WARM), epochs=2)
    found = paces(config)
    assert [each.rate for each in found] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.1])
    assert [each.bias_rate for each in found] == pytest.approx([0.175, 0.15, 0.125, 0.1, 0.1, 0.1])
    assert [each.momentum for each in found] == [*map(pytest.approx, (0.6, 0.7, 0.8, 0.9)), None, None]


def test_the_momentum_of_its_last_step_is_exactly_the_optimizers() -> None:
    for own, first in ((0.9, 0.3), (0.43, 0.1), (0.6, 0.5)):
        config = Train(optimizer=SGD(lr=0.1, momentum=own), warmup=WarmUp(steps=3, momentum=first), epochs=2)
        assert paces(config)[2].momentum == own


def test_it_lies_over_the_schedule_and_leaves_an_optimizer_without_momentum_alone() -> None:
    schedule = {"name": "cosine", "final": 0.1}
    config = Train.model_validate({"optimizer": "adamw", "schedule": schedule, "warmup": WARM, "epochs": 2})
    for step, found in enumerate(paces(config)):
        assert found.rate == pytest.approx(0.001 * rate_factor(config.schedule, step, 3, 2) * min(1, (step + 1) / 4))
        assert found.momentum is None


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer["name"])
def test_every_step_is_torchs_with_the_rates_by_hand(optimizer: dict[str, Any]) -> None:
    chosen = recipe(
        {"name": "cnn", "channels": [4], "dense": [8]}, ema=None, epochs=2, optimizer=optimizer, warmup=WARM
    )
    ours = network_of(chosen)
    fit(ours, DATA, chosen, CPU, State(), lambda state: None)
    plain = network_of(chosen)
    biases = [p for name, p in plain.named_parameters() if name.endswith("bias")]
    weights = [p for name, p in plain.named_parameters() if not name.endswith("bias")]
    kind = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}[optimizer["name"]]
    settings = {name: value for name, value in optimizer.items() if name != "name"}
    own = kind([{"params": weights}, {"params": biases}], **settings)
    done = 0
    for epoch in (1, 2):
        for x, y in DATA.train_batches(16, 0, epoch, CPU):
            share = min(1.0, (done + 1) / 4)
            for group, rate in zip(own.param_groups, (0.0, 0.2), strict=True):
                group["lr"] = share * settings["lr"] + (1 - share) * rate
                if "momentum" in settings:
                    group["momentum"] = 0.5 + share * (settings["momentum"] - 0.5)
            own.zero_grad()
            nn.functional.cross_entropy(plain(x), y).backward()
            own.step()
            done += 1
    for a, b in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer["name"])
def test_it_is_continued_to_the_same_bits_from_the_middle_of_it(optimizer: dict[str, Any]) -> None:
    chosen = recipe(optimizer=optimizer, warmup={**WARM, "steps": 8}, schedule="one_cycle", accumulate=2)
    packed: list[bytes] = []
    whole = fit(network := network_of(chosen), DATA, chosen, CPU, State(), lambda state: packed.append(pack(state)))
    for state in packed[:-1]:
        again = fit(other := network_of(chosen), DATA, chosen, CPU, unpack(state), lambda state: None)
        assert equal(network.state_dict(), other.state_dict())
        assert equal(whole.average, again.average)
        assert timeless(whole) == timeless(again)


def test_every_phase_warms_up_anew_or_as_it_says() -> None:
    phases = [{"epochs": 1}, {"epochs": 1, "warmup": {"steps": 2}}, {"epochs": 1, "warmup": None}]
    chosen = recipe(ema=None, optimizer={"name": "sgd", "lr": 0.1}, warmup={"steps": 30}, phases=phases)
    state, _, _ = train(network_of(chosen), DATA, chosen, CPU, State(), lambda state: None, lambda line: None)
    assert [row["lr"] for row in state.history] == pytest.approx([0.01, 0.1, 0.1])  # 3 of 30 steps; 2 of 2; none


def test_one_that_is_longer_than_the_training_is_told() -> None:
    lines: list[str] = []
    chosen = recipe(ema=None, warmup={"steps": 13})  # 4 epochs of 3 steps
    fit(network_of(chosen), DATA, chosen, CPU, State(), lambda state: None, lines.append)
    assert [line for line in lines if "warmup" in line] == [
        "train.warmup: of its 13 steps this training has 12: it ends below the rate"
    ]


def test_weights_alone_are_decayed() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.LayerNorm([4, 2, 2]), nn.Flatten(), nn.Linear(16, 2)
    )
    kinds = kinds_of(network)
    assert [name for name, kind in kinds.items() if kind == "weight"] == ["0.weight", "4.weight"]
    assert [name for name, kind in kinds.items() if kind == "other"] == ["1.weight", "2.weight"]
    for config in (SGD(weight_decay=0.1, decayed="weights"), AdamW(decayed="weights"), RMSprop(weight_decay=0.1)):
        before = {name: p.detach().clone() for name, p in network.named_parameters()}
        optimizer = build_optimizer(config, network)
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        moved = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
        expected = {"0.weight", "4.weight"} if config.decayed == "weights" else {n for n in before if before[n].any()}
        assert moved == expected


def test_recipes_without_it_stay_what_they_were_and_have_one_group() -> None:
    plain = recipe(ema=None)
    assert not {"warmup", "accumulate", "decayed"} & {*plain.dump()["train"], *plain.dump()["train"]["optimizer"]}
    warm = recipe(ema=None, warmup={"steps": 4})
    assert warm.dump()["train"]["warmup"] == {"steps": 4, "momentum": None, "bias": None}
    assert Recipe.model_validate(warm.dump()).hash == warm.hash != plain.hash
    assert len(build_optimizer(plain.train.optimizer, network_of(plain)).param_groups) == 1
    assert continued(warm, DATA, epochs=2).train.warmup is None


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        ({"warmup": {}}, "the key 'train.warmup.steps' is missing"),
        ({"warmup": {"steps": 0}}, "train.warmup.steps: found 0, expected more than 0"),
        ({"warmup": {"steps": 3, "momentum": 1.0}}, "train.warmup.momentum: found 1.0, expected less than 1"),
        (
            {"warmup": WARM, "optimizer": {"name": "sgd", "momentum": 0.3}},
            "train.warmup.momentum rises to that of the optimizer, 0.3; expected at most that",
        ),
        (
            {"warmup": WARM, "schedule": {"name": "cosine", "warmup": 1}},
            "train.warmup counts steps, and train.schedule.warmup epochs; leave one out",
        ),
        ({"optimizer": {"decayed": "norms"}}, "train.optimizer.decayed: found 'norms'; expected one of: all, weights"),
    ],
)
def test_mistakes_are_told_in_a_sentence(train: dict[str, Any], sentence: str) -> None:
    (line,) = mistakes(Recipe, {"data": {"source": "noise"}, "model": {"name": "mlp"}, "train": train})
    assert line.startswith(sentence)


@pytest.mark.parametrize(
    "vary",
    [
        {"train.warmup": [None, {"steps": 1, "bias": 0.1}]},
        {"train.warmup": [{"steps": 9}, {"steps": 9, "momentum": 0.5}]},
        {"train.optimizer.decayed": ["all", "weights"]},
    ],
)
def test_what_comes_to_nothing_is_told(vary: dict[str, Any]) -> None:
    base = {"data": {"source": "digits"}, "model": {"name": "mlp"}}
    with pytest.raises(AssayError, match="train alike: what they differ in has no effect"):
        check_effect(Study(title="?", name="s", base=base, vary=vary, seeds=1), lambda line: None)
