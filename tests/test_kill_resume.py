"""A study that is killed with SIGKILL at any kind of write, and started again, ends as one that never was killed."""

import random
import signal
import time
from pathlib import Path

import psutil
import pytest
from driving import Driver, count, descendants, differences, finished, leftovers, log, run_folders, state, tree
from driving import driver as the_driver
from driving import write_study

KILLED = -signal.SIGKILL
PHASES = ("before", "half", "flushed", "renamed")

EVERYTHING = {
    "base": {
        "data": {
            "source": "digits",
            "train": 300,
            "validation": 0.3,
            "test": 100,
            "augment": [{"rotation": 10}, {"translation": 0.1}, {"erase": 0.3}],
        },
        "model": {"name": "mlp", "hidden": [16], "dropout": 0.2, "norm": "batch"},
        "train": {"epochs": 4, "batch_size": 64},
    },
    "variants": {
        "momentum, plateau, stopped early": {
            "train.optimizer": {"name": "sgd", "lr": 0.5, "momentum": 0.9, "nesterov": True},
            "train.schedule": {"name": "plateau", "patience": 1, "factor": 0.5},
            "train.early_stopping": {"patience": 2, "min_delta": 0.1},
            "train.epochs": 12,
            "train.watch": "loss",
        },
        "adam, bfloat16, l1, clipped, last": {
            "train.optimizer": {"name": "adam", "lr": 0.01, "weight_decay": 0.001},
            "train.schedule": {"name": "one_cycle"},
            "train.precision": "bfloat16",
            "train.l1": 0.0001,
            "train.clip": 1.0,
            "train.keep": "last",
        },
        "cnn, rmsprop, channels last": {
            "model": {"name": "cnn", "channels": [4, 8], "norm": "batch", "dense": [16], "dropout": 0.2},
            "train.optimizer": {"name": "rmsprop", "lr": 0.003, "momentum": 0.5},
            "train.schedule": {"name": "cosine", "warmup": 1},
            "train.channels_last": True,
            "train.loss": {"name": "cross_entropy", "label_smoothing": 0.1},
        },
    },
}
"""All that a checkpoint must bring back: momenta, best weights, running statistics, plateaus, the streams of noise."""


@pytest.fixture(scope="module")
def driver() -> Driver:
    return the_driver()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study") / "killed.yaml", **EVERYTHING)


@pytest.fixture(scope="module")
def undisturbed(driver: Driver, study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the study that nothing happened to."""
    out = tmp_path_factory.mktemp("undisturbed")
    assert driver.run(study, out, report=True) == 0
    folder = out / study.stem
    epochs = {run.parent.name: len([line for line in log(run) if line.startswith("epoch ")]) for run in run_folders(folder)}
    assert 2 < epochs["momentum, plateau, stopped early".replace(", ", ",")] < 12
    assert not leftovers(folder)
    return folder


def assert_ends_like(undisturbed: Path, folder: Path) -> None:
    assert differences(undisturbed, folder) == []
    assert leftovers(folder) == []
    for run in run_folders(folder):
        epochs = [line.split(":")[0] for line in log(run) if line.startswith("epoch ")]
        assert len(epochs) == len(set(epochs)), "an epoch was trained again"


def kill(driver: Driver, study: Path, out: Path, name: str, phase: str, nth: int = 1, **request) -> None:
    """Kill the study at a write; runs that were finished before are left as they were."""
    before = finished(out)
    code = driver.run(study, out, kill={"name": name, "phase": phase, "nth": nth}, **request)
    assert code == KILLED, (out / "output").read_text()
    now = finished(out)
    assert {name: now[name] for name in before} == before


def test_two_undisturbed_studies_are_equal(driver, study, undisturbed, tmp_path):
    assert driver.run(study, tmp_path, report=True) == 0
    assert_ends_like(undisturbed, tmp_path / study.stem)


RUN_FILES = [
    ("claim-000001.json", 2),
    ("status.json", 1),
    ("recipe.yaml", 1),
    ("environment.json", 1),
    ("data.json", 2),
    ("checkpoint.safetensors", 1),
    ("checkpoint.safetensors", 3),
    ("history.parquet", 2),
    ("predictions.parquet", 1),
    ("pictures.parquet", 2),
    ("model.safetensors", 1),
    ("timing.json", 1),
    ("metrics.json", 1),
    ("machine.json", 1),
    ("study.yaml", 1),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "nth"), RUN_FILES)
def test_killed_at_a_write(driver, study, undisturbed, tmp_path, name, nth):
    for phase in PHASES:
        if not (phase == "renamed" and name == "machine.json"):  
            kill(driver, study, tmp_path, name, phase, nth)
        nth = 1
    assert driver.run(study, tmp_path, report=True) == 0
    assert_ends_like(undisturbed, tmp_path / study.stem)
