"""Runs of several devices: none outlives the others, what cannot be shared is refused, and each counts as so many."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from assay.errors import AssayError, RunFailed
from assay.models.catalogue import complete
from assay.recipe import Recipe
from assay.recipe.study import load_study
from assay.recipe.validation import validate
from assay.runs import at_once
from assay.runs.companions import companions
from assay.runs.engine import run
from assay.runs.folder import Settings
from assay.runs.slurm import prepare_batch
from assay.start import trial
from assay.start.forecast import forecast
from assay.system.machine import refuse_too_many
from assay.train.checkpoint import State
from driving import (
    Driver,
    all_end,
    command_line,
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
from sharing import data_of, recipe_of
from trained import CPU

STUDY: dict[str, Any] = {
    "base": {
        "data": {"source": "digits", "train": 300, "validation": 0.2, "test": 100},
        "model": {"name": "mlp", "hidden": [8], "dropout": 0.1},
        "train": {"epochs": 40, "batch_size": 16, "devices": 3, "device": "cpu", "ema": {"decay": 0.8, "ramp": 2}},
    }
}


def its_companions(pid: int) -> list[psutil.Process]:
    """The other devices of a command's run."""
    return [each for each in descendants(pid) if "assay.runs.companions" in command_line(each)]


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
    with pytest.raises(
        AssayError, match="batch_size: 64 the smallest of an epoch has 2 images; expected at least one image a device"
    ):
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


def test_a_forecast_divides_the_learning_and_gives_each_run_its_cards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def instead(recipe: Recipe, data: object) -> trial.Trial:
        tried.append(recipe.train.devices)
        return trial.Trial(10.0, 2.0, 1000)

    monkeypatch.setattr("assay.start.forecast.try_recipe", instead)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    study = load_study(write_study(tmp_path / "s.yaml", vary={"train.devices": [1, 4]}, seeds=2))
    assert forecast(study, tmp_path, jobs=4, quiet=True).seconds == 4 * 12 / 2
    assert tried == [1, 4]


def test_learning_is_forecast_for_as_many_devices_as_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an epoch of 1.0 s, learning takes 0.8 s: on four devices 0.4 s are left."""
    recipe = complete(recipe_of("half"))

    def instead(network: object, data: object, short: Recipe, device: object, state: State, save: Any, log: Any) -> Any:
        for epoch in (1, 2):
            state.history = [*state.history, {"epoch": epoch, "seconds": 0.8}]
            clock.append(clock[-1] + 1.0)
            save(state)
        return state, network, data

    clock = [0.0]
    monkeypatch.setattr(trial, "train", instead)
    monkeypatch.setattr(trial, "_measured", lambda *given: 1000)
    monkeypatch.setattr(trial.time, "perf_counter", lambda: clock[-1])
    for devices, seconds in ((1, 1.0), (4, 0.4)):
        own = recipe.model_copy(update={"train": recipe.train.model_copy(update={"devices": devices})})
        found = trial.try_recipe(own, data_of(own))
        assert found.training_seconds == pytest.approx(recipe.train.epochs * seconds)
        assert found.other_seconds == pytest.approx(0.0)


def test_a_slurm_task_has_the_cores_and_cards_of_all_devices(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path / "s.yaml"), ["train.devices=3"])
    script = prepare_batch(study, tmp_path, quiet=True).script
    assert "#SBATCH --cpus-per-task=6\n" in script
    assert "--gres=gpu:3." in script
