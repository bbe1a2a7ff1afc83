"""A frozen backbone runs once: its features are kept, and the head trained on them is that of the slow way."""

import os
import re
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from assay import seeds
from assay.data.batches import ImageData
from assay.data.features import FeatureData
from assay.errors import AssayError
from assay.evaluate import Trained, uncertainty
from assay.models import build
from assay.models.modes import evaluating
from assay.recipe import Data, Recipe, UncertaintyMeasure
from assay.recipe.study import Study
from assay.recipe.validation import mistakes
from assay.runs.checks import check_network
from assay.runs.engine import run as run_study
from assay.train.checkpoint import State, pack, unpack
from assay.train.frozen import trained_part
from assay.train.loop import fit
from trained import CPU, image_data, predict

LONG_HEAD = ["average_pool", {"dense": 16}, "batch_norm", {"dropout": 0.5}]
TURNED: dict[str, Any] = {"augment": ["horizontal_flip", {"rotation": 30}], "augment_views": 2}


def recipe(model: dict[str, Any] | None = None, data: dict[str, Any] | None = None, **train: Any) -> Recipe:
    values = {"epochs": 3, "batch_size": 8, "optimizer": {"name": "adam", "lr": 0.01}, "keep": "last"} | train
    network = {"name": "timm/resnet18", "freeze": "backbone"} | (model or {})
    return Recipe.model_validate({"data": {"source": "noise"} | (data or {}), "model": network, "train": values})


def data_of(chosen: Recipe) -> ImageData:
    made = image_data(shape=(3, 32, 32), train=24, validation=8, test=8)
    return ImageData(made.images, made.indices, made.mean, made.std, chosen.data.augment)


def network_of(chosen: Recipe) -> torch.nn.Module:
    with seeds.scoped(0, "initialisation"):
        return build(chosen.model, (3, 32, 32), 3)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def trained(chosen: Recipe, fast: bool, said: list[str] | None = None) -> tuple[torch.nn.Module, State]:
    network, data = network_of(chosen), data_of(chosen)
    said = [] if said is None else said
    part, seen = trained_part(network, data, chosen, CPU, said.append) if fast else (network, data)
    assert isinstance(seen, FeatureData) == fast
    return network, fit(part, seen, chosen, CPU, State(), lambda _: None)


def timeless(state: State) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in state.history]


# ---------------------------------------------------------------------------------------- fast is slow


@pytest.mark.parametrize(
    ("model", "train"),
    [
        ({}, {}),
        ({"head": LONG_HEAD}, {"l1": 0.001, "clip": 0.5}),
        ({"name": "torchvision/squeezenet1_0"}, {"channels_last": True}),
        ({"name": "torchvision/efficientnet_b0", "head": LONG_HEAD}, {"optimizer": "sgd"}),
        ({"name": "timm/vit_tiny_patch16_224"}, {"keep": "best"}),
    ],
)
def test_both_ways_give_the_same_history_and_the_same_predictions(model: dict[str, Any], train: dict[str, Any]) -> None:
    chosen = recipe(model, **train)
    slow, slow_state = trained(chosen, fast=False)
    quick, quick_state = trained(chosen, fast=True)
    for one, other in zip(timeless(slow_state), timeless(quick_state), strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-5)
    for (name, one), other in zip(slow.state_dict().items(), quick.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4, msg=name)
    data = data_of(chosen)
    both = [predict(network, data, "test", chosen.train.loss, CPU).probabilities for network in (slow, quick)]
    np.testing.assert_allclose(*both, rtol=1e-3, atol=1e-4)
    part, seen = trained_part(quick, data, chosen, CPU, lambda _: None)
    for split in data.indices:
        whole, head = (predict(*pair, split, chosen.train.loss, CPU) for pair in ((quick, data), (part, seen)))
        np.testing.assert_array_equal(whole.labels, head.labels)
        np.testing.assert_array_equal(whole.indices, head.indices)
        np.testing.assert_allclose(whole.probabilities, head.probabilities, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(whole.losses, head.losses, rtol=1e-4, atol=1e-5)


def test_the_backbone_is_left_alone() -> None:
    chosen = recipe({"head": LONG_HEAD})
    before = network_of(chosen).state_dict()
    after = trained(chosen, fast=True)[0].state_dict()
    assert {n.split(".")[0] for n in after if not torch.equal(after[n], before[n])} == {"fc"}


def test_a_training_continued_on_features_ends_bit_for_bit_the_same() -> None:
    chosen, packed = recipe({"head": LONG_HEAD}), []
    for keep in (packed.append, lambda _: None):
        state = unpack(packed[0]) if packed else State()
        network = network_of(chosen)
        part, seen = trained_part(network, data_of(chosen), chosen, CPU, lambda _: None)
        fit(part, seen, chosen, CPU, state, lambda state, keep=keep: keep(pack(state)))
        packed.append(pack(State(model=network.state_dict())))
    assert packed[-1] == packed[-2]
    assert timeless(state) == timeless(unpack(packed[2]))


# ---------------------------------------------------------------------------------------------- the cache


def test_features_are_computed_once_and_shared(own_cache: Path) -> None:
    said: list[str] = []
    trained(recipe(), True, said)
    kept = {path: path.stat().st_mtime_ns for path in (own_cache / "features").glob("*/features.npy")}
    trained(recipe({"head": LONG_HEAD}, optimizer="sgd"), True, said)
    assert [re.sub(r"in .* s,", "in … s,", line) for line in said] == [
        f"the backbone is frozen: features of {images} images {how}, 512 numbers each"
        for how in ("computed in … s", "found in the cache")
        for images in (32, 8)
    ]
    assert {path: path.stat().st_mtime_ns for path in (own_cache / "features").glob("*/features.npy")} == kept
    assert {np.load(path).dtype for path in kept} == {np.dtype(np.float32)}


def test_test_images_are_shared_by_seeds_that_train_on_others(own_cache: Path) -> None:
    chosen, said = recipe(), []
    data, network = data_of(chosen), network_of(chosen)
    fewer = replace(data, indices=data.indices | {"train": data.indices["train"][1:]})
    for each in (data, fewer):
        trained_part(network, each, chosen, CPU, said.append)
    how = [re.search(r"of (\d+) images (computed|found)", line) for line in said]
    assert [found and found.groups() for found in how] == [
        ("32", "computed"),
        ("8", "computed"),
        ("31", "computed"),
        ("8", "found"),
    ]


@pytest.mark.parametrize("balance", ["none", "oversample"])
def test_they_are_those_of_the_backbone(balance: Any) -> None:
    chosen = recipe()
    network, made = network_of(chosen), data_of(chosen)
    uneven = made.indices | {"train": made.indices["train"][:-2]}
    data = ImageData(made.images, uneven, made.mean, made.std, balance=balance)
    _, seen = trained_part(network, data, chosen, CPU, lambda _: None)
    network.fc = torch.nn.Identity()
    with evaluating(network):
        for (features, labels), (images, same) in zip(
            seen.train_batches(8, 0, 2, CPU), data.train_batches(8, 0, 2, CPU), strict=True
        ):
            assert torch.equal(labels, same)
            torch.testing.assert_close(features, network(images))


def test_images_without_features_are_refused() -> None:
    chosen = recipe()
    data = data_of(chosen)
    _, seen = trained_part(network_of(chosen), data, chosen, CPU, lambda _: None)
    others = replace(seen, indices=data.indices | {"test": data.indices["train"]})
    with pytest.raises(KeyError, match="images whose features are not kept"):
        next(others.batches("test", 8, CPU))


def test_other_weights_pixels_or_normalisation_are_other_features(own_cache: Path) -> None:
    chosen = recipe()
    network, data = network_of(chosen), data_of(chosen)

    def entries(data: ImageData = data) -> int:
        trained_part(network, data, chosen, CPU, lambda _: None)
        return len(list((own_cache / "features").iterdir()))

    assert [entries(), entries()] == [2, 2]
    with torch.no_grad():
        network.get_parameter("fc.weight").add_(1)
    assert entries() == 2
    with torch.no_grad():
        network.get_parameter("conv1.weight").add_(0.01)
    assert entries() == 4
    assert entries(ImageData(data.images, data.indices, data.mean + 0.1, data.std)) == 6
    data.images.pixels[0] += 1
    assert entries() == 8


@pytest.mark.parametrize("damage", ["features.npy", "index.json"])
def test_a_damaged_entry_is_made_again(own_cache: Path, damage: str) -> None:
    first = timeless(trained(recipe(), True)[1])
    for entry in (own_cache / "features").iterdir():
        (entry / damage).unlink()
    assert timeless(trained(recipe(), True)[1]) == first


def test_a_disk_too_full_is_told_with_sizes(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 2**10))
    with pytest.raises(
        AssayError,
        match=r"keeping the features of 32 images \(512 numbers each\) needs 0 MiB and '.*'"
        r" has 0 MiB free; set ASSAY_CACHE to another disk",
    ):
        trained(recipe(), True)
    assert list((own_cache / "features").iterdir()) == []


def test_features_without_a_reader_for_30_days_make_room(own_cache: Path) -> None:
    network, data = network_of(recipe()), data_of(recipe())
    trained_part(network, data, recipe(), CPU, lambda _: None)
    images = {len(np.load(entry / "features.npy")): entry for entry in (own_cache / "features").iterdir()}
    for entry in images.values():
        os.utime(entry, (0, 0))
    fewer = replace(data, indices=data.indices | {"test": data.indices["test"][1:]})
    trained_part(network, fewer, recipe(), CPU, lambda _: None)
    assert {images: entry.exists() for images, entry in images.items()} == {32: True, 8: False}


# ------------------------------------------------------------------------------- where it must be the slow way


@pytest.mark.parametrize(
    ("model", "data", "said"),
    [
        ({"name": "timm/efficientnet_b0", "drop_rate": 0.2}, {}, "random in training, such as a dropout right before"),
        ({}, {"augment": ["horizontal_flip"]}, "augmentation is drawn anew in each (data.augment_views: 4 would keep"),
        ({"name": "timm/deit_tiny_distilled_patch16_224"}, {}, "the network has 2 heads"),
    ],
)
def test_the_slow_way_says_why(model: dict[str, Any], data: dict[str, Any], said: str) -> None:
    chosen, lines = recipe(model, data), []
    network, images = network_of(chosen), data_of(chosen)
    part, seen = trained_part(network, images, chosen, CPU, lines.append)
    assert part is network
    assert seen is images
    assert len(lines) == 1
    assert said in lines[0]


@pytest.mark.parametrize("freeze", ["none", "layer1", ["conv1", "bn1", "layer*"]])
def test_only_what_is_wholly_frozen_is_kept(freeze: Any) -> None:
    chosen = recipe({"freeze": freeze})
    _, seen = trained_part(network_of(chosen), data_of(chosen), chosen, CPU, lambda _: None)
    assert isinstance(seen, FeatureData) == isinstance(freeze, list)


def test_a_trial_leaves_the_network_as_it_was() -> None:
    chosen = recipe({"name": "timm/efficientnet_b0", "drop_rate": 0.2})
    network = network_of(chosen)
    trained_part(network, data_of(chosen), chosen, CPU, lambda _: None)
    fresh = network_of(chosen).state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in network.state_dict().items())


# -------------------------------------------------------------------------------------------------- views


def test_epochs_go_round_the_views() -> None:
    said: list[str] = []
    chosen = recipe(data=TURNED)
    _, seen = trained_part(network_of(chosen), data_of(chosen), chosen, CPU, said.append)
    assert said[-1] == "augmentation: 2 views of each training image; epoch e sees view e mod 2"

    def epoch(number: int) -> torch.Tensor:
        order = seen.order(0, number)
        features = torch.cat([x for x, _ in seen.train_batches(8, 0, number, CPU)])
        return features[torch.argsort(order)]

    assert torch.equal(epoch(1), epoch(3))
    assert torch.equal(epoch(2), epoch(4))
    assert not torch.allclose(epoch(1), epoch(2), atol=1e-3)
    assert isinstance(seen, FeatureData)
    every = torch.from_numpy(seen.indices["train"])
    assert all(torch.equal(epoch(number), seen.views[number % 2].of(every)) for number in (1, 2))


def test_views_follow_the_seed_and_are_shared(own_cache: Path) -> None:
    def entries(views: int, seed: int = 0) -> int:
        chosen = recipe(data=TURNED | {"augment_views": views}).model_copy(update={"seed": seed})
        trained_part(network_of(chosen), data_of(chosen), chosen, CPU, lambda _: None)
        return len(list((own_cache / "features").iterdir()))

    assert [entries(2), entries(3), entries(2, seed=1)] == [2 + 2, 2 + 3, 2 + 3 + 2]


def test_views_work_without_validation_images() -> None:
    chosen = recipe(data=TURNED, epochs=1)
    made = data_of(chosen)
    data = ImageData(
        made.images, made.indices | {"validation": np.zeros(0, np.int64)}, made.mean, made.std, chosen.data.augment
    )
    part, seen = trained_part(network_of(chosen), data, chosen, CPU, lambda _: None)
    assert fit(part, seen, chosen, CPU, State(), lambda _: None).history[-1]["validation_loss"] is None


@pytest.mark.parametrize(
    ("data", "model", "said"),
    [
        ({"augment_views": 2}, {}, "data.augment_views needs data.augment: without it every view is the same"),
        (TURNED, {"freeze": "none"}, "data.augment_views needs model.freeze: backbone"),
        (TURNED | {"augment_views": 0}, {}, "augment_views: found 0, expected more than 0"),
    ],
)
def test_views_that_would_do_nothing_are_refused(data: dict[str, Any], model: dict[str, Any], said: str) -> None:
    values = {"data": {"source": "x"} | data, "model": {"name": "timm/resnet18", "freeze": "backbone"} | model}
    found = mistakes(Recipe, values)
    assert any(said in line for line in found), found


def test_views_that_cannot_be_kept_are_refused() -> None:
    chosen = recipe({"name": "timm/efficientnet_b0", "drop_rate": 0.2}, TURNED)
    with pytest.raises(AssayError, match="augment_views: features cannot be kept, since outside the head something"):
        trained_part(network_of(chosen), data_of(chosen), chosen, CPU, lambda _: None)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"name": "timm/efficientnet_b0", "drop_rate": 0.2}, "since outside the head something is random in training"),
        ({"name": "timm/deit_tiny_distilled_patch16_224"}, "since the network has 2 heads"),
    ],
)
@pytest.mark.parametrize("phases", [(), [{"epochs": 1, "freeze": "none"}, {"epochs": 1}]])
def test_views_that_cannot_be_kept_are_refused_before_training(
    model: dict[str, Any], said: str, phases: Any, tmp_path: Path
) -> None:
    base = recipe(model, {"source": "digits", "size": 32, "color": "rgb"} | TURNED, phases=phases).dump()
    base.pop("seed")
    with pytest.raises(AssayError, match=f"variant 'base': data.augment_views: features cannot be kept, {said}"):
        run_study(Study(title="?", name="views", base=base, seeds=1), tmp_path / "runs", quiet=True)
    assert not list(tmp_path.rglob("seed-0"))


def test_a_batch_of_one_suits_batch_norms_that_are_frozen() -> None:
    check_network(recipe(batch_size=1), (3, 32, 32), ["a", "b", "c"])
    for learns in ({"freeze": "none"}, {"head": ["batch_norm"]}):
        with pytest.raises(AssayError, match=r"train.batch_size: 1 is too small for a batch norm that learns"):
            check_network(recipe(learns, batch_size=1), (3, 32, 32), ["a", "b", "c"])


def test_the_key_is_not_written_where_it_is_not_used() -> None:
    assert "augment_views" not in Data(source="x").model_dump(mode="json")


# ------------------------------------------------------------------------------------------------- passes


@pytest.mark.parametrize(
    ("model", "layers", "whole"),
    [
        ({"head": [{"dropout": 0.5}]}, "head", False),
        ({}, ["layer4"], True),
        ({"name": "timm/vit_tiny_patch16_224", "proj_drop_rate": 0.1}, "head", True),
    ],
)
def test_passes_run_the_whole_network_where_dropout_acts_outside_the_head(
    model: dict[str, Any], layers: Any, whole: bool
) -> None:
    chosen = recipe(model)
    network, data = network_of(chosen), data_of(chosen)
    part, seen = trained_part(network, data, chosen, CPU, lambda _: None)
    assert isinstance(seen, FeatureData)
    trained = Trained(network, data, chosen, CPU, {}, pl.DataFrame(), part, seen)
    found = [
        uncertainty.measure(each, UncertaintyMeasure(layers=layers, passes=3))
        for each in (trained, replace(trained, part=network, seen=data))
    ]
    for name, value in found[1].items():
        if not isinstance(value, pl.DataFrame):
            assert found[0][name] == (value if whole else pytest.approx(value, rel=1e-3, abs=1e-4)), name
