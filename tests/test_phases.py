"""Training in phases: each has its own settings, begins where the one before was best, and is resumed bit for bit."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from assay import seeds
from assay.data import ImageData
from assay.errors import AssayError
from assay.models import build
from assay.recipe import Recipe
from assay.recipe.study import Study
from assay.recipe.validation import mistakes
from assay.report.page import write_report
from assay.runs.engine import run as run_study
from assay.train.checkpoint import State, pack, unpack
from assay.train.optimizers import blocks, build_optimizer
from assay.train.phases import train
from trained import CPU, image_data

HEAD_FIRST = [
    {"epochs": 2, "freeze": "backbone", "optimizer": {"name": "adam", "lr": 0.01}},
    {"epochs": 2, "optimizer": {"name": "sgd", "lr": 0.001, "momentum": 0.9}, "schedule": "cosine"},
]


def recipe(phases: list[dict[str, Any]] | None, model: str = "timm/resnet18", **train: Any) -> Recipe:
    values: dict[str, Any] = {"batch_size": 8} | train
    if phases is not None:
        values["phases"] = phases
    return Recipe.model_validate({"data": {"source": "noise"}, "model": {"name": model}, "train": values})


@pytest.fixture(scope="module")
def data() -> ImageData:
    return image_data(shape=(3, 32, 32), train=24, validation=8, test=8)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))


def trained(
    chosen: Recipe, data: ImageData, packed: bytes | None = None
) -> tuple[nn.Module, State, list[bytes], list[str]]:
    """The network, its state, the state after every epoch packed, and the log."""
    with seeds.scoped(0, "initialisation"):
        network = build(chosen.model, data.shape, 3)
    states: list[bytes] = []
    log: list[str] = []
    state = unpack(packed) if packed else State()
    state, _, _ = train(network, data, chosen, CPU, state, lambda state: states.append(pack(state)), log.append)
    return network, state, states, log


def timeless(state: State) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in state.history]


def test_each_phase_has_its_own_settings(data: ImageData) -> None:
    _, state, states, log = trained(recipe(HEAD_FIRST, keep="last"), data)
    assert [row["phase"] for row in state.history] == [1, 1, 2, 2]
    assert [row["epoch"] for row in state.history] == [1, 2, 3, 4]
    rates = [row["lr"] for row in state.history]
    assert rates[:2] == [0.01, 0.01]
    assert 0.001 > rates[2] > rates[3] > 0
    begun = [unpack(each) for each in states]
    assert begun[1].model.keys() == {"0.weight", "0.bias"}  # the head alone, on kept features
    assert "conv1.weight" in begun[2].model
    assert log[0] == "phase 1 of 2 begins after epoch 0"
    assert "phase 2 of 2 begins after epoch 2" in log


def test_a_phase_that_says_nothing_of_it_freezes_what_the_model_freezes() -> None:
    values = recipe([{}, {"freeze": "none"}, {"epochs": 2}]).dump()
    values["model"]["freeze"] = "backbone"
    found = Recipe.model_validate(values)
    assert [stage.model.freeze for stage in found.stages] == ["backbone", "none", "backbone"]


def test_a_phase_that_says_nothing_of_its_epochs_has_those_of_the_training() -> None:
    assert recipe([{}, {"epochs": 3}, {}], epochs=5).train.total_epochs == 5 + 3 + 5
    assert recipe(None, epochs=5).train.total_epochs == 5


def test_a_phase_in_which_all_learns_changes_all(data: ImageData) -> None:
    with seeds.scoped(0, "initialisation"):
        before = build(recipe(HEAD_FIRST).model, data.shape, 3).state_dict()
    network = trained(recipe(HEAD_FIRST, keep="last"), data)[0]
    assert not torch.equal(network.get_parameter("conv1.weight"), before["conv1.weight"])
    only_head = trained(recipe(HEAD_FIRST[:1], keep="last"), data)[0]
    assert torch.equal(only_head.get_parameter("conv1.weight"), before["conv1.weight"])


def test_a_single_phase_is_a_training(data: ImageData) -> None:
    one, state, _, _ = trained(recipe([{}], "cnn", epochs=2), data)
    other, same, _, _ = trained(recipe(None, "cnn", epochs=2), data)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert [row | {"phase": 1} for row in timeless(same)] == timeless(state)


THREE = [*HEAD_FIRST, {"epochs": 2, "freeze": "backbone", "optimizer": "adamw"}]


@pytest.mark.parametrize("keep", ["best", "last"])
def test_it_resumes_bit_for_bit_inside_and_between_phases(data: ImageData, keep: str) -> None:
    chosen = recipe(THREE, keep=keep)
    whole, state, states, _ = trained(chosen, data)
    for packed in states[:-1]:
        again, continued, _, _ = trained(chosen, data, packed)
        assert timeless(continued) == timeless(state)
        for name, value in whole.state_dict().items():
            assert torch.equal(again.state_dict()[name], value), name


def test_the_best_goes_over_all_phases(data: ImageData) -> None:
    """A second phase that ruins the network leaves the best of the first."""
    ruin = {"epochs": 2, "optimizer": {"name": "sgd", "lr": 1.0}}
    first = recipe([{"epochs": 3}], "cnn", watch="loss")
    both = recipe([{"epochs": 3}, ruin], "cnn", watch="loss")
    one, _, _, _ = trained(first, data)
    other, state, states, _ = trained(both, data)
    losses = [row["validation_loss"] for row in state.history]
    assert min(losses[:3]) < min(losses[3:])
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert unpack(states[3]).start == 3


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_phase_begins_from_what_is_kept(data: ImageData, keep: str) -> None:
    """The second phase learns nothing to speak of, so it shows what it began with."""
    still = {"epochs": 1, "optimizer": {"name": "sgd", "lr": 1e-30}}
    wild = {"epochs": 4, "optimizer": {"name": "sgd", "lr": 0.5}}
    _, state, _, _ = trained(recipe([wild, still], "cnn", watch="loss", keep=keep), data)
    losses = [row["validation_loss"] for row in state.history]
    assert losses[4] == pytest.approx(min(losses[:4]) if keep == "best" else losses[3], rel=1e-5)


def test_early_stopping_and_plateaus_begin_anew(data: ImageData) -> None:
    still = {"name": "sgd", "lr": 1e-30}
    phases = [{"epochs": 9, "early_stopping": {"patience": 2}}, {"epochs": 9, "early_stopping": {"patience": 3}}]
    _, state, _, _ = trained(recipe(phases, "cnn", optimizer=still), data)
    assert [row["phase"] for row in state.history] == [1, 1, 1, 2, 2, 2, 2]


def test_a_plateau_is_one_of_its_own_phase(data: ImageData) -> None:
    still = {"name": "sgd", "lr": 1e-30}
    plateau = {"name": "plateau", "patience": 2, "factor": 0.5}
    phases = [{"epochs": 3}, {"epochs": 4, "schedule": plateau}]
    _, state, _, _ = trained(recipe(phases, "cnn", optimizer=still), data)
    assert [row["lr"] / 1e-30 for row in state.history[3:]] == pytest.approx([1, 1, 1, 0.5])


def test_a_phase_can_do_without_early_stopping(data: ImageData) -> None:
    still = {"name": "sgd", "lr": 1e-30}
    phases = [{"epochs": 5}, {"epochs": 5, "early_stopping": None}]
    chosen = recipe(phases, "cnn", optimizer=still, early_stopping={"patience": 2})
    assert [row["phase"] for row in trained(chosen, data)[1].history] == [1, 1, 1, 2, 2, 2, 2, 2]
    again = Recipe.model_validate(chosen.dump())
    assert (again, again.hash) == (chosen, chosen.hash)
    assert again.dump()["train"]["phases"] == phases
    stopping = recipe([{"epochs": 5}] * 2, "cnn", optimizer=still, early_stopping={"patience": 2})
    assert stopping.hash != chosen.hash


# ------------------------------------------------------------------------------------------- layer decay


def test_rates_fall_from_head_to_stem() -> None:
    network = build(recipe(None).model, (3, 32, 32), 3)
    body, heads = blocks(network)
    assert (body[:3], body[-1], heads) == (["conv1", "bn1", "layer1.0"], "layer4.1", ["fc"])
    optimizer = build_optimizer(recipe(None, optimizer={"name": "sgd", "layer_decay": 0.5}).train.optimizer, network)
    share = {id(p): group["share"] for group in optimizer.param_groups for p in group["params"]}
    assert share[id(network.get_parameter("fc.bias"))] == 1
    assert share[id(network.get_parameter("layer4.1.conv1.weight"))] == 0.5
    assert share[id(network.get_parameter("conv1.weight"))] == 0.5 ** len(body)
    assert len(share) == len(list(network.parameters()))


def test_parameters_of_the_network_itself_belong_to_the_stem() -> None:
    network = build(recipe(None, "timm/vit_tiny_patch16_224").model, (3, 32, 32), 3)
    optimizer = build_optimizer(recipe(None, optimizer={"name": "adamw", "layer_decay": 0.8}).train.optimizer, network)
    share = {id(p): group["share"] for group in optimizer.param_groups for p in group["params"]}
    assert share[id(network.get_parameter("cls_token"))] == min(share.values())


def test_the_layers_of_an_encoder_are_blocks() -> None:
    with torch.device("meta"):
        found = blocks(build(recipe(None, "torchvision/vit_b_16").model, (3, 224, 224), 3))
    layers = [f"encoder.layers.encoder_layer_{n}" for n in range(12)]
    assert found == (["conv_proj", *layers, "encoder.ln"], ["heads"])


@pytest.mark.parametrize(
    ("model", "together"),
    [({"name": "elu_resnet", "paths": 2}, "block2_1."), ({"name": "timm/deit_tiny_distilled_patch16_224"}, "head")],
)
def test_parallel_branches_and_two_heads_learn_at_one_rate(model: dict[str, Any], together: str) -> None:
    values = recipe(None, optimizer={"name": "sgd", "layer_decay": 0.5}).dump() | {"model": model}
    network = build(Recipe.model_validate(values).model, (3, 32, 32), 3)
    optimizer = build_optimizer(Recipe.model_validate(values).train.optimizer, network)
    share = {id(p): group["share"] for group in optimizer.param_groups for p in group["params"]}
    found = {share[id(p)] for name, p in network.named_parameters() if name.startswith(together)}
    assert len(found) == 1
    assert found == {1.0} or together != "head"


def test_a_head_of_several_layers_is_one_block() -> None:
    values = recipe(None, optimizer={"name": "sgd", "layer_decay": 0.5}).dump()
    values["model"]["head"] = [{"dense": 8}, "batch_norm"]
    headed = Recipe.model_validate(values)
    network = build(headed.model, (3, 32, 32), 3)
    assert blocks(network) == blocks(build(recipe(None).model, (3, 32, 32), 3))
    alone = nn.Sequential(network.get_submodule("fc"), nn.Flatten(1))  # as it is trained on kept features
    for whole in (network, alone):
        groups = build_optimizer(headed.train.optimizer, whole).param_groups
        (full,) = (group["params"] for group in groups if group["share"] == 1)
        assert {id(p) for p in full} == {id(p) for p in network.get_submodule("fc").parameters()}


def test_decay_scales_the_steps_and_resumes(data: ImageData) -> None:
    plain = {"name": "sgd", "lr": 0.01, "momentum": 0.9}
    chosen = recipe(None, "cnn", epochs=2, keep="last", optimizer=plain | {"layer_decay": 0.1})
    network, state, states, _ = trained(chosen, data)
    again = trained(chosen, data, states[0])[0]
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))
    assert state.history[-1]["lr"] == 0.01

    def moved(layer_decay: float) -> dict[str, float]:
        once = recipe(None, "cnn", epochs=1, keep="last", batch_size=24, optimizer=plain | {"layer_decay": layer_decay})
        with seeds.scoped(0, "initialisation"):
            start = build(once.model, data.shape, 3).state_dict()
        end = trained(once, data)[0].state_dict()
        return {name: float((end[name] - start[name]).norm()) for name in start}

    slow, fast = moved(0.1), moved(1.0)
    assert slow["output.weight"] == pytest.approx(fast["output.weight"], rel=1e-4)
    assert slow["dense1.weight"] == pytest.approx(0.1 * fast["dense1.weight"], rel=1e-2)


# ------------------------------------------------------------------------------------------------ recipes


def test_keys_that_are_not_used_are_not_written() -> None:
    plain = recipe(None).dump()["train"]
    assert "phases" not in plain
    assert "layer_decay" not in plain["optimizer"]
    assert recipe(HEAD_FIRST).dump()["train"]["phases"][0].keys() == {"epochs", "freeze", "optimizer"}
    assert Recipe.model_validate(recipe(THREE).dump()).hash == recipe(THREE).hash
    assert recipe(THREE).train.total_epochs == 6


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({"phases": [{"epoch": 2}]}, "did you mean 'epochs'"),
        ({"phases": [{"epochs": 0}]}, "epochs: found 0, expected more than 0"),
        ({"phases": [{"epochs": None}]}, "train.phases.0.epochs: found None, expected a whole number"),
        ({"phases": [{}, {"freeze": None}]}, "train.phases.1.freeze: found None, expected none, backbone"),
        ({"optimizer": {"layer_decay": 1.5}}, "layer_decay: found 1.5, expected at most 1"),
    ],
)
def test_a_mistake_is_told(train: dict[str, Any], said: str) -> None:
    found = mistakes(Recipe, {"data": {"source": "x"}, "model": {"name": "cnn"}, "train": train})
    assert any(said in line for line in found), found


def study(phases: list[dict[str, Any]]) -> Study:
    return Study(
        title="?",
        name="phases",
        base={
            "data": {"source": "digits", "size": 32, "train": 48, "test": 40, "validation": 16},
            "model": {"name": "timm/resnet18"},
            "train": {"batch_size": 16, "phases": phases},
            "evaluate": ["classification"],
        },
        seeds=1,
    )


def test_a_freeze_that_matches_nothing_is_told_before_training(tmp_path: Path) -> None:
    said = "'base': train.phases.1.freeze: no module or parameter is called 'layr1'; did you mean 'layer1'"
    with pytest.raises(AssayError, match=said):
        run_study(study([{"epochs": 1}, {"epochs": 1, "freeze": "layr1"}]), tmp_path, quiet=True)


def test_a_run_in_phases_and_its_report(tmp_path: Path) -> None:
    results = run_study(study([{"epochs": 1, "freeze": "backbone"}, {"epochs": 1}]), tmp_path, quiet=True)
    (run,) = results.runs
    assert run.state == "finished", run.reason
    assert pl.read_parquet(run.folder / "history.parquet")["phase"].to_list() == [1, 2]
    assert np.isfinite(results.frame["accuracy"].to_numpy()).all()
    page = write_report(results)
    figures = page.parent / "figures"
    assert "phase 2" in (figures / "learning-train-accuracy.svg").read_text()
