"""Killed in a warm-up, between the batches of one step, and where mosaics end: the study ends as one left alone."""

import signal
from pathlib import Path
from typing import Any

import pytest

from driving import Driver, differences, epochs, leftovers, run_folders, write_study

TRAINED = {
    "epochs": 3,
    "batch_size": 4,
    "accumulate": 4,
    "warmup": {"steps": 5, "momentum": 0.5, "bias": 0.05},
    "ema": {"decay": 0.9, "ramp": 5},
    "optimizer": {
        "name": "sgd",
        "lr": 0.01,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 0.01,
        "decayed": "weights",
    },
    "schedule": "cosine",
}
"""Six batches an epoch are two steps, of four batches and of two; the warm-up ends within the last epoch."""
STUDIES: dict[str, dict[str, Any]] = {
    "classification": {
        "data": {"source": "digits", "train": 44, "validation": 20, "test": 20, "augment": [{"rotation": 10}]},
        "model": {"name": "mlp", "hidden": [16], "dropout": 0.2, "norm": "batch"},
        "train": TRAINED,
    },
    "detection": {
        "task": "detection",
        "data": {
            "source": "scattered-digits",
            "train": 32,
            "validation": 8,
            "test": 4,
            "mosaic": {"probability": 0.8, "epochs": 2},
            "augment": ["horizontal_flip", {"translation": 0.1}],
        },
        "model": {"name": "yolo"},
        "train": TRAINED,
    },
}
KILLS: list[dict[str, Any]] = [
    {"batch": 3},  # in the first step, before there is a checkpoint
    {"name": "checkpoint.safetensors", "phase": "renamed", "nth": 1},  # in the middle of the warm-up
    {"batch": 6},  # between the two batches of the second step of epoch 2
    {"name": "checkpoint.safetensors", "phase": "flushed", "nth": 1},  # epoch 2 is learned, and lost
    {"batch": 7},  # at the first batch of epoch 3, in which there are no mosaics
    {"batch": 4},  # once more in it, before a step of that epoch
]


@pytest.mark.parametrize("task", STUDIES)
def test_killed_within_a_step_a_warm_up_and_where_mosaics_end(driver: Driver, tmp_path: Path, task: str) -> None:
    study = write_study(tmp_path / "killed.yaml", base=STUDIES[task])
    undisturbed = driver.finish(study, tmp_path / "undisturbed")
    out = tmp_path / "out"
    for kill in KILLS:
        assert driver.run(study, out, kill=kill) == -signal.SIGKILL
    folder = driver.finish(study, out)
    assert differences(undisturbed, folder) == []
    assert leftovers(folder) == []
    (run,) = run_folders(folder)
    assert epochs(run) == ["epoch 2", "epoch 3"]  # epoch 1's line was to come after the write that was killed
