"""Killed ten times in one run, in its warm-up, between the batches of one step, where mosaics end, between two pictures
that are searched for regions: the study ends as one left alone."""

import signal
from pathlib import Path
from typing import Any

import pytest

from driving import Driver, differences, epochs, leftovers, run_folders, tree, write_study

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
BOXES = {
    "source": "scattered-digits",
    "size": 64,
    "train": 32,
    "validation": 8,
    "test": 4,
    "mosaic": {"probability": 0.8, "epochs": 2},
    "augment": ["horizontal_flip", {"translation": 0.1}],
}
REGIONS = {"mode": "single", "scale": 0.5, "most": 30}
STUDIES: dict[str, dict[str, Any]] = {
    "classification": {
        "data": {"source": "digits", "train": 44, "validation": 20, "test": 20, "augment": [{"rotation": 10}]},
        "model": {"name": "mlp", "hidden": [16], "dropout": 0.2, "norm": "batch"},
        "train": TRAINED,
        "evaluate": ["classification", "diagnosis"],
    },
    "yolo": {"task": "detection", "data": BOXES, "model": {"name": "yolo"}, "train": TRAINED},
    "rcnn": {
        "task": "detection",
        "data": BOXES,
        "model": {"name": "rcnn", "backbone": "timm/mobilenetv2_035", "proposals": REGIONS},
        "train": TRAINED,
    },
}
KILLS: list[dict[str, Any]] = [
    {"batch": 3},  # in the first step, before there is a checkpoint
    {"batch": 5},  # between the two steps of epoch 1
    {"name": "checkpoint.safetensors", "phase": "half"},  # epoch 1 is learned, and lost
    {"name": "checkpoint.safetensors", "phase": "renamed"},  # in the middle of the warm-up
    {"batch": 6},  # between the two batches of the second step of epoch 2
    {"name": "checkpoint.safetensors", "phase": "flushed"},  # epoch 2 is learned, and lost
    {"batch": 7},  # at the first batch of epoch 3, in which there are no mosaics
    {"batch": 4},  # once more in it, before a step of that epoch
    {"name": "predictions.parquet", "phase": "half"},
    {"name": "metrics.json", "phase": "flushed"},
]
SEARCHES: list[dict[str, Any]] = [
    {"search": 4},  # in the first batch, whose pictures are searched one after the other
    {"batch": 3},
    {"search": 7},  # of the same epoch: what was searched for is kept
    {"name": "checkpoint.safetensors", "phase": "renamed"},
    {"search": 6},  # in the second batch of epoch 2
    {"batch": 6},
    {"name": "checkpoint.safetensors", "phase": "flushed"},
    {"batch": 7},
    {"search": 2},  # in epoch 3
    {"name": "predictions.parquet", "phase": "half"},
]


@pytest.mark.parametrize(
    ("name", "kills"),
    [("classification", KILLS), ("yolo", KILLS), pytest.param("rcnn", SEARCHES, marks=pytest.mark.slow)],
)
def test_a_run_that_is_killed_ten_times_ends_as_one_left_alone(
    driver: Driver, tmp_path: Path, name: str, kills: list[dict[str, Any]]
) -> None:
    if name == "rcnn":
        pytest.importorskip("cv2.ximgproc", reason="OpenCV's contributions are not installed")
    study = write_study(tmp_path / "killed.yaml", base=STUDIES[name])
    caches = [{"environment": {"ASSAY_CACHE": str(tmp_path / f"cache-{of}")}} for of in ("undisturbed", "killed")]
    undisturbed = driver.finish(study, tmp_path / "undisturbed", **caches[0])
    out = tmp_path / "out"
    for kill in kills:
        assert driver.run(study, out, kill=kill, **caches[1]) == -signal.SIGKILL
    folder = driver.finish(study, out, **caches[1])
    assert differences(undisturbed, folder) == []
    assert leftovers(folder) == []
    (run,) = run_folders(folder)
    assert epochs(run) == ["epoch 2", "epoch 3"]  # epoch 1's line was to come after the write that was killed
    searched = [tree(tmp_path / f"cache-{of}" / "proposals") for of in ("undisturbed", "killed")]
    assert searched[0] == searched[1]
