"""The moving average of the weights: its numbers, and that all but the steps themselves goes by it."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from assay import AssayError, seeds
from assay.data.batches import ImageData
from assay.models.catalogue import build
from assay.models.state import restore
from assay.recipe import MovingAverage, Recipe
from assay.recipe.study import Study
from assay.recipe.validation import mistakes
from assay.runs.effect import check_effect
from assay.system.machine import reproducible
from assay.tools.refit.continuing import continued
from assay.train.average import averaged, decay_at, remembered
from assay.train.checkpoint import State, pack, unpack
from assay.train.loop import fit
from assay.train.phases import train
from trained import CPU, image_data, predict

DATA = image_data(shape=(3, 16, 16), train=44, validation=20)  # 2 batches of 16, one of 12
EMA = {"decay": 0.8, "ramp": 4}


def recipe(model: dict[str, Any] | None = None, **own: Any) -> Recipe:
    settings = {"epochs": 4, "batch_size": 16, "keep": "last", "ema": EMA, "watch": "loss"} | own
    network = model or {"name": "cnn", "channels": [4], "norm": "batch", "dense": [8], "dropout": 0.2}
    return Recipe.model_validate({"data": {"source": "noise"}, "model": network, "train": settings})


def network_of(chosen: Recipe, data: ImageData = DATA) -> nn.Module:
    with seeds.scoped(0, "initialisation"):
        return build(chosen.model, data.shape, 3)


def trained(
    chosen: Recipe,
    state: State | None = None,
    device: torch.device = CPU,
    data: ImageData = DATA,
    after_epoch: Callable[[State, nn.Module], None] = lambda state, network: None,
) -> tuple[State, nn.Module]:
    network = network_of(chosen, data)
    with reproducible(1):
        found = fit(network, data, chosen, device, state or State(), lambda state: after_epoch(state, network))
    return found, network


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(value.cpu(), other[name].cpu()) for name, value in one.items()
    )


def timeless(state: State) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in state.history]


# ------------------------------------------------------------------------------------------------ its numbers


def test_the_decay_grows_over_the_ramp() -> None:
    config = MovingAverage(decay=0.9, ramp=100)
    assert decay_at(config, 1) == pytest.approx(0.9 * 0.00995, rel=1e-3)
    assert decay_at(config, 100) == pytest.approx(0.9 * (1 - 1 / math.e))
    assert decay_at(config, 10_000) == pytest.approx(0.9)
    assert {decay_at(MovingAverage(decay=0.9, ramp=0), step) for step in (1, 2, 1000)} == {0.9}


def test_an_average_that_will_hardly_have_moved_is_told() -> None:
    assert remembered(MovingAverage(decay=0.9, ramp=0), 3) == pytest.approx(0.729)
    chosen = recipe(ema={"decay": 0.999, "ramp": 0})
    lines: list[str] = []
    fit(network_of(chosen), DATA, chosen, torch.device("cpu"), State(), lambda state: None, lines.append)
    (line,) = [line for line in lines if line.startswith("train.ema")]
    assert "of the average will be the weights that it began with" in line


def test_an_update_by_hand() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 2.0)
    average = averaged(network, MovingAverage(decay=0.75, ramp=0))
    for weight, expected in ((6.0, 3.0), (7.0, 4.0)):  # 2 + (6 − 2)/4, 3 + (7 − 3)/4
        nn.init.constant_(network.weight, weight)
        average.at(1)
        average.update()
        assert network.weight.item() == weight
        with average.shown():
            assert network.weight.item() == expected


@pytest.mark.parametrize("ramp", [0, 3])
def test_a_training_has_the_average_of_timm_after_every_step(ramp: float) -> None:
    """One batch an epoch, so that the state is seen after every step; statistics of batch norms included."""
    chosen = recipe(batch_size=64, epochs=30, ema={"decay": 0.7, "ramp": ramp})
    other, live = ModelEmaV3(network_of(chosen)), network_of(chosen)
    steps = []

    def compare(state: State, network: nn.Module) -> None:
        restore(live, state.model)
        other.apply_update_(live, decay_at(MovingAverage(decay=0.7, ramp=ramp), state.epoch))
        for name, value in other.module.state_dict().items():
            torch.testing.assert_close(state.average[name], value)
        assert not torch.equal(state.average["output.weight"], state.model["output.weight"])
        steps.append(state.epoch)

    trained(chosen, after_epoch=compare)
    assert steps == [*range(1, 31)]


def test_the_average_changes_no_step() -> None:
    one, other = (trained(recipe(ema=ema, epochs=10))[0] for ema in (EMA, None))
    assert equal(one.model, other.model)
    assert [row["train_loss"] for row in one.history] == [row["train_loss"] for row in other.history]
    assert [row["validation_loss"] for row in one.history] != [row["validation_loss"] for row in other.history]


def test_shown_and_put_back_to_the_bit_where_weights_are_shared() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Linear(3, 3), nn.Linear(3, 3)
            self.other.weight = self.one.weight

    network = Tied()
    average = averaged(network, MovingAverage(decay=0.5, ramp=0))
    first = network.one.weight.detach().clone()
    nn.init.ones_(network.one.weight)
    average.at(1)
    average.update()
    with average.shown():
        torch.testing.assert_close(network.other.weight.detach(), (first + 1) / 2)
    assert torch.equal(network.other.weight.detach(), torch.ones(3, 3))


# ------------------------------------------------------------------------------------------------ who goes by it


@pytest.mark.parametrize("keep", ["best", "last"])
def test_validation_and_what_is_kept_go_by_the_average(keep: str) -> None:
    chosen, shown = recipe(keep=keep), []

    def check(state: State, network: nn.Module) -> None:
        assert equal(network.state_dict(), state.average)
        said = predict(network, DATA, "validation", chosen.train.loss)
        assert state.history[-1]["validation_loss"] == pytest.approx(said.losses.mean())
        shown.append({name: value.clone() for name, value in state.average.items()})

    state, network = trained(chosen, after_epoch=check)
    losses = [row["validation_loss"] for row in state.history]
    assert equal(network.state_dict(), shown[losses.index(min(losses)) if keep == "best" else -1])


def test_of_a_frozen_backbone_the_head_alone_is_averaged() -> None:
    chosen = recipe({"name": "cnn", "channels": [4], "norm": "batch", "dense": [8], "freeze": ["conv*", "*norm*"]})
    average = averaged(network_of(chosen), MovingAverage())
    assert {name for name in average.names if not name.startswith(("dense", "output"))} <= {
        name for name, _ in network_of(chosen).named_buffers()
    }
    state, _ = trained(chosen)
    before = network_of(chosen).state_dict()
    assert torch.equal(state.average["conv1.weight"], before["conv1.weight"])
    assert not torch.equal(state.average["dense1.weight"], before["dense1.weight"])


# ------------------------------------------------------------------------------------------------ continued


WAYS: list[dict[str, Any]] = [
    {},
    {"keep": "best"},
    {"precision": "bfloat16", "channels_last": True},
    {"precision": "float16"},
    {"optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9}, "schedule": "cosine", "clip": 1.0},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_it_is_continued_to_the_same_bits(way: dict[str, Any], device: torch.device) -> None:
    packed: list[bytes] = []
    whole, network = trained(recipe(**way), device=device, after_epoch=lambda state, _: packed.append(pack(state)))
    for each in packed[:3]:
        continued, other = trained(recipe(**way), unpack(each), device)
        assert timeless(continued) == timeless(whole)
        assert equal(continued.average, whole.average)
        assert equal(continued.model, whole.model)
        assert equal(other.state_dict(), network.state_dict())


@pytest.mark.parametrize("way", WAYS[:3], ids=str)
def test_a_captured_step_averages_as_one_run_from_python(way: dict[str, Any], device: torch.device) -> None:
    one, other = (trained(recipe(**way, capture=capture), device=device)[0] for capture in (True, False))
    assert equal(one.average, other.average)
    assert timeless(one) == timeless(other)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="compiling takes a minute on a processor")
def test_a_compiled_network_is_averaged_too(device: torch.device) -> None:
    mlp = {"name": "mlp", "hidden": [8]}
    one, other = (trained(recipe(mlp, compile=compiled), device=device)[0] for compiled in (True, False))
    for name, value in other.average.items():
        torch.testing.assert_close(one.average[name], value, rtol=1e-3, atol=1e-4)


HEAD_FIRST = [
    {"epochs": 2, "freeze": "backbone", "optimizer": {"name": "adam", "lr": 0.01}},
    {"epochs": 2, "optimizer": {"name": "sgd", "lr": 0.001, "momentum": 0.9}},
]


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("keep", ["best", "last"])
def test_inside_and_between_phases_too(keep: str) -> None:
    data = image_data(shape=(3, 32, 32), train=24, validation=8, test=8)
    chosen = recipe({"name": "timm/test_resnet"}, keep=keep, batch_size=8, phases=HEAD_FIRST)

    def through(packed: bytes | None = None) -> tuple[State, dict[str, Tensor], list[bytes]]:
        network, states = network_of(chosen, data), []
        begun = unpack(packed) if packed else State()
        state, _, _ = train(network, data, chosen, CPU, begun, lambda s: states.append(pack(s)), lambda _: None)
        return state, network.state_dict(), states

    whole, weights, states = through()
    for packed in states[:-1]:
        again, other, _ = through(packed)
        assert timeless(again) == timeless(whole)
        assert equal(other, weights)


def test_a_phase_begins_from_the_average_and_averages_anew() -> None:
    """The second phase learns nothing to speak of, so weights and average stay what it began with."""
    still = {"epochs": 1, "optimizer": {"name": "sgd", "lr": 1e-30}}
    wild = {"epochs": 3, "optimizer": {"name": "sgd", "lr": 0.5}}
    mlp = {"name": "mlp", "hidden": [8]}
    chosen, network = recipe(mlp, phases=[wild, still]), network_of(recipe(mlp))
    seen: list[State] = []
    train(network, DATA, chosen, CPU, State(), lambda state: seen.append(replace(state)), lambda _: None)
    first, last = seen[2], seen[3]
    assert not torch.equal(first.average["output.weight"], first.model["output.weight"])
    torch.testing.assert_close(last.model, first.average)
    torch.testing.assert_close(last.average, first.average)


# ------------------------------------------------------------------------------------------------ in the recipe


def test_recipes_without_it_stay_what_they_were() -> None:
    assert "ema" not in recipe(ema=None).dump()["train"]
    assert recipe(ema={}).dump()["train"]["ema"] == {"decay": 0.9999, "ramp": 2000.0}
    assert Recipe.model_validate(recipe().dump()).hash == recipe().hash != recipe(ema=None).hash


@pytest.mark.parametrize(
    ("ema", "sentence"),
    [
        ({"decay": 1.0}, "train.ema.decay: found 1.0, expected less than 1"),
        ({"decay": -0.1}, "train.ema.decay: found -0.1, expected at least 0"),
        ({"ramp": -1}, "train.ema.ramp: found -1, expected at least 0"),
        ({"decy": 0.9}, "unknown key 'train.ema.decy'; did you mean 'decay'"),
        (True, "train.ema: found True, expected keys and values"),
    ],
)
def test_mistakes_are_told_in_a_sentence(ema: Any, sentence: str) -> None:
    base = {"data": {"source": "noise"}, "model": {"name": "mlp"}, "train": {"ema": ema}}
    (line,) = mistakes(Recipe, base)
    assert line.startswith(sentence)


def test_a_refit_is_too_short_to_be_averaged() -> None:
    assert continued(recipe(), DATA, epochs=2).train.ema is None


def test_an_average_of_which_nothing_stays_is_none() -> None:
    base = {"data": {"source": "digits"}, "model": {"name": "mlp"}}
    study = Study(title="?", name="s", base=base, vary={"train.ema": [None, {"decay": 0.0}]}, seeds=1)
    with pytest.raises(AssayError, match="train alike: what they differ in has no effect"):
        check_effect(study, lambda line: None)
