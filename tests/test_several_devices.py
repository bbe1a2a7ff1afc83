"""One training on several devices: the numbers of one device, or a sentence; no process outlives it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from assay.data.mixing import Mixed
from assay.data.shares import Share
from assay.errors import AssayError, RunFailed
from assay.models.catalogue import complete
from assay.recipe import Recipe
from assay.recipe.study import load_study
from assay.recipe.validation import validate
from assay.runs import at_once
from assay.runs.companions import companions
from assay.runs.engine import run
from assay.runs.folder import Settings
from assay.system.machine import refuse_too_many
from assay.tasks.weighted import weighted_mean
from assay.train.accumulation import parts
from assay.train.checkpoint import State, unpack
from driving import (
    Driver,
    all_end,
    descendants,
    differences,
    epochs,
    leftovers,
    run_folders,
    said,
    state,
    wait_for,
    write_study,
)
from sharing import CASES, data_of, learned, recipe_of
from trained import CPU, image_data

ROUNDING = {"atol": 2e-6, "rtol": 2e-5}
"""Of float32: sums over devices are in another order than those over a batch."""
HALF = {"atol": 2e-2, "rtol": 2e-2}
"""Of bfloat16, which has eight bits."""


def together(folder: Path, kind: str, *counts: int) -> Path:
    """All cases, trained on so many devices: files of folders that are called after their count."""
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), *sys.path])
    devices = [
        subprocess.Popen(
            [sys.executable, here / "sharing.py", str(number), folder, kind, *map(str, counts)],
            env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        )
        for number in range(max(counts))
    ]
    assert [each.wait(300) for each in devices] == [0] * max(counts)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What three devices, and what two, made of all cases."""
    return together(tmp_path_factory.mktemp("shared"), "cpu", 3, 2)


@pytest.fixture(params=["2", "3"])
def shared(made: Path, request: pytest.FixtureRequest) -> Path:
    """What so many made of them."""
    return made / str(request.param)


def same(found: State, wanted: State, within: dict[str, float]) -> None:
    """Weights, averages and history alike but for rounding; times apart."""
    assert len(found.history) == len(wanted.history)
    for row, other in zip(found.history, wanted.history, strict=True):
        assert row.keys() == other.keys()
        for name in row.keys() - {"seconds"}:
            assert row[name] == pytest.approx(other[name], rel=10 * within["rtol"], abs=within["atol"]), name
    for kind in ("model", "best", "average"):
        tensors: dict[str, Tensor] = getattr(wanted, kind)
        assert getattr(found, kind).keys() == tensors.keys()
        for name, value in tensors.items():
            torch.testing.assert_close(getattr(found, kind)[name].cpu(), value.cpu(), **within)


@pytest.mark.parametrize("case", [case for case in CASES if case != "not finite"])
def test_several_devices_learn_what_one_learns(case: str, shared: Path) -> None:
    wanted = learned(case)
    assert isinstance(wanted, State)
    same(unpack((shared / case).read_bytes()), wanted, HALF if case == "half" else ROUNDING)


def test_a_loss_that_is_not_finite_ends_all_of_them(shared: Path) -> None:
    assert (shared / "not finite").read_text() == learned("not finite")
    assert "train loss is not finite in epoch" in (shared / "not finite").read_text()


def test_some_training_stops_early_and_one_has_weights_that_nothing_needs() -> None:
    stopped, pixels = learned("stopped early"), learned("pixels")
    assert isinstance(stopped, State)
    assert isinstance(pixels, State)
    assert 2 < len(stopped.history) < 9
    assert "spare.weight" in pixels.model


def test_two_cards_learn_what_one_learns(device: torch.device, tmp_path: Path) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("two cards are needed")
    found = together(tmp_path, "cuda", 2) / "2"
    for case in CASES.keys() - {"not finite", "half"}:
        wanted = learned(case, device=torch.device("cuda", 0))
        assert isinstance(wanted, State)
        same(unpack((found / case).read_bytes()), wanted, {"atol": 2e-3, "rtol": 2e-3})  # convolutions are in TF32


@pytest.mark.parametrize("devices", [2, 3, 4])
@pytest.mark.parametrize("case", ["mixed and moved", "windows of pixels", "pixels", "mosaics", "balanced"])
def test_the_shares_of_a_batch_are_the_batch(case: str, devices: int) -> None:
    data = data_of(recipe_of(case if case in CASES else "pixels"))
    if case == "mosaics":
        data = replace(data, mosaic=Recipe.model_validate(
            {"task": "segmentation", "data": {"source": "noise", "mosaic": {"epochs": 2}}, "model": "deeplab"}
        ).data.mosaic)  # fmt: skip
    if case == "balanced":
        data = replace(image_data(train=41, classes=2), balance="oversample")
    each = [list(data.train_batches(10, 0, 1, CPU, Share(number, devices))) for number in range(devices)]
    for batch, *own in zip(data.train_batches(10, 0, 1, CPU), *each, strict=True):
        torch.testing.assert_close(torch.cat([images for images, _ in own]), batch[0], atol=1e-6, rtol=0)
        assert max(len(images) for images, _ in own) - min(len(images) for images, _ in own) <= 1
        for kind in ("first", "second") if isinstance(batch[1], Mixed) else ("",):
            parts, whole = [getattr(true, kind, true) for _, true in own], getattr(batch[1], kind, batch[1])
            assert torch.equal(torch.cat(parts), whole)


def test_shares_by_hand() -> None:
    assert [Share(number, 3).own([4, 3]).places.tolist() for number in range(3)] == [[0, 4], [1, 5], [2, 3, 6]]
    before = Share(0, 2).own([4, 3], before=True)
    assert (before.places.tolist(), before.sizes) == ([3, 0, 1, 6, 4], [3, 2])
    config = recipe_of("accumulated and averaged").train
    assert [(part.share, part.own) for part in parts(13, config, Share(1, 2))] == [
        (pytest.approx(2 * 5 / 13), 0.5), (pytest.approx(2 * 2 / 13), pytest.approx(2 / 3)),
    ]  # fmt: skip


def test_a_weighted_mean_of_shares_has_the_weights_of_all() -> None:
    """Three losses of weights 1, 2, 5 on one device and one of weight 4 on another."""
    losses, weights = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([1.0, 2.0, 5.0, 4.0])
    total: Callable[[Tensor], Tensor] = lambda own: torch.tensor([12.0, 4.0])  # noqa: E731
    one, other = (weighted_mean(losses[own], weights[own], total) for own in (slice(0, 3), slice(3, 4)))
    assert (3 * one + other).item() / 4 == pytest.approx((1 + 4 + 15 + 16) / 12)
    assert weighted_mean(losses, weights).item() == pytest.approx((1 + 4 + 15 + 16) / 12)
    expected = functional.cross_entropy(torch.eye(3), torch.tensor([0, 2, 1]), weight=weights[:3])
    single = functional.cross_entropy(torch.eye(3), torch.tensor([0, 2, 1]), reduction="none")
    assert weighted_mean(single, weights[[0, 2, 1]]) == pytest.approx(expected.item())


STUDY: dict[str, Any] = {
    "base": {
        "data": {"source": "digits", "train": 300, "validation": 0.2, "test": 100},
        "model": {"name": "mlp", "hidden": [8], "dropout": 0.1},
        "train": {"epochs": 40, "batch_size": 16, "devices": 3, "device": "cpu", "ema": {"decay": 0.8, "ramp": 2}},
    }
}


def its_companions(pid: int) -> list[psutil.Process]:
    """The other devices of a command's run."""
    return [each for each in descendants(pid) if "assay.runs.companions" in each.cmdline()]


def test_killed_devices_leave_nothing_behind_and_the_same_command_ends_with_the_same_bytes(
    driver: Driver, tmp_path: Path
) -> None:
    study = write_study(tmp_path / "shared.yaml", **STUDY)
    undisturbed = driver.finish(study, tmp_path / "undisturbed")
    out = tmp_path / "disturbed"

    def after_epoch(number: int) -> bool:
        return any(len(set(epochs(run))) >= number for run in run_folders(out))

    parent = driver.start(study, out)
    wait_for(lambda: after_epoch(2))
    others = its_companions(parent)
    assert len(others) == 2
    psutil.Process(parent).kill()
    assert all_end(others)
    driver.wait(parent)

    parent = driver.start(study, out)
    wait_for(lambda: after_epoch(4) and its_companions(parent))
    others = its_companions(parent)
    others[1].kill()
    assert driver.wait(parent, 60) == 1
    assert all_end(others)
    assert "the process of device 2 ended without a word (signal 9" in said(out)
    assert "the same command goes on after the last whole epoch" in said(out)
    assert state(run_folders(out)[0]) == "running"

    assert differences(undisturbed, driver.finish(study, out)) == []
    assert leftovers(out) == []


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Settings]:
    """Settings under which no data set is found; after the test no child is left."""
    yield Settings(root=tmp_path, threads=1)
    assert not its_companions(os.getpid())


def test_what_stops_a_device_stops_the_run_with_its_sentence(alone: Settings) -> None:
    tree = {"data": {"source": "nowhere"}, "model": "mlp", "train": {"devices": 2, "device": "cpu"}}
    with (
        pytest.raises(RunFailed, match="nowhere"),
        companions(complete(Recipe.model_validate(tree)), State(), CPU, alone, print),
    ):
        raise AssertionError("nothing can be trained")


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"train": {"devices": 2, "device": "cuda:1"}}, "devices: 2, and device: cuda:1 is one; expected auto"),
        ({"train": {"devices": 2, "compile": True}}, "compile is of one device, and devices is 2"),
        ({"task": "detection", "model": "yolo", "train": {"devices": 2}}, "loss: own is divided by what the network"),
        (
            {"task": "segmentation", "model": "deeplab", "train": {"devices": 2, "loss": ["cross_entropy", "dice"]}},
            "loss: dice is of the pixels of a whole batch, which devices: 2 would change; expected devices: 1",
        ),
        ({"train": {"devices": 0}}, "train.devices: found 0, expected more than 0"),
    ],
)
def test_what_devices_would_change_is_refused(tree: dict[str, Any], said: str) -> None:
    with pytest.raises(AssayError) as refused:
        validate(Recipe, {"data": {"source": "digits"}, "model": "mlp"} | tree, "recipe")
    assert said in str(refused.value)


def test_what_cannot_be_shared_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = write_study(tmp_path / "s.yaml")
    few = load_study(study, ["train.devices=4", "train.device=cpu", "data.train=83", "data.validation=17"])
    with pytest.raises(AssayError, match="batch_size: 64 one has 2 images; expected at least one image a device"):
        run(few, tmp_path, quiet=True)
    with pytest.raises(AssayError, match=r"train\.devices shares a run on one machine, not on Ray"):
        run(load_study(study, ["train.devices=2"]), tmp_path, quiet=True, on="ray")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    refuse_too_many("auto", 2)
    refuse_too_many("cpu", 9)
    with pytest.raises(AssayError, match=r"train\.devices: 4: this machine has 2 cards; expected at most 2"):
        refuse_too_many("cuda", 4)
    assert not (tmp_path / "s").exists()


def test_one_device_is_not_written_out() -> None:
    assert "devices" not in recipe_of("half").dump()["train"]
    assert recipe_of("half", devices=2).dump()["train"]["devices"] == 2


@pytest.mark.parametrize(("cards", "jobs", "threads"), [(0, 4, 1), (8, 2, 2)])
def test_a_run_counts_as_its_devices(
    cards: int, jobs: int, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_once, "available_cores", lambda: 16)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cards > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    study = load_study(write_study(tmp_path / "s.yaml", seeds=9), ["train.devices=4"])
    planned = [
        at_once.Job("base", seed, study.plan["base"].with_seed(seed), tmp_path / str(seed)) for seed in study.seed_list
    ]
    found = at_once.at_once("auto", planned, tmp_path, tmp_path)
    assert (found.jobs, found.threads) == (jobs, threads)
    assert at_once.at_once(2, planned, tmp_path, tmp_path).threads == 2
    assert found.why.startswith(f"--jobs auto: {jobs} processes of 4 devices with {threads} thread")
