"""One training on several devices ends with the numbers of one device, whatever is asked of it."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from assay.data.mixing import Mixed
from assay.data.shares import Share
from assay.recipe import Recipe
from assay.tasks.weighted import weighted_mean
from assay.train.accumulation import parts
from assay.train.checkpoint import State, unpack
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
