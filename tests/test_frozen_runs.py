"""Whole runs with a frozen backbone: saved, measured and resumed as if the backbone had run every time."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from assay.recipe import Recipe
from assay.recipe.study import Study
from assay.report.page import write_report
from assay.results import Results
from assay.runs.engine import run as run_study
from assay.runs.folder import Folder, Settings
from assay.runs.run import execute
from assay.tools.predict import load_run
from assay.tools.probe import probe
from assay.train.frozen import TRIAL

LONG_HEAD = ["average_pool", {"dense": 16}, "batch_norm", {"dropout": 0.5}]
TURNED: dict[str, Any] = {"augment": ["horizontal_flip", {"rotation": 30}], "augment_views": 2}


@pytest.fixture(autouse=True)
def own_cache(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of its own in all but the digits' pictures."""
    own, pictures = tmp_path / "cache", cache / "images"
    own.mkdir()
    pictures.mkdir(exist_ok=True)
    (own / "images").symlink_to(pictures)
    monkeypatch.setenv("ASSAY_CACHE", str(own))
    return own


def test_a_run_on_features_is_saved_whole_and_says_so(tmp_path: Path) -> None:
    study = Study(
        title="?",
        name="frozen",
        base={
            "data": {"source": "digits", "size": 32, "train": 64, "test": 64, "validation": 20} | TURNED,
            "model": {"name": "timm/resnet18", "freeze": "backbone"},
            "train": {"epochs": 2, "batch_size": 16},
            "evaluate": ["classification", "cost"],
        },
        seeds=1,
    )
    results = run_study(study, tmp_path, quiet=True)
    (run,) = results.runs
    assert run.state == "finished", run.reason
    log = (run.folder / "log.txt").read_text()
    for images in (64, 44):  # of training and validation, or test; of one view
        assert f"the backbone is frozen: features of {images} images computed in" in log
    assert "epoch e sees view e mod 2" in log
    saved = load_run(run.folder)[2].state_dict()
    assert {"conv1.weight", "layer4.1.conv2.weight", "fc.weight"} <= saved.keys()
    assert set(probe(run.folder, images=20).table["split"]) == {"train", "test"}
    metrics = json.loads((run.folder / "metrics.json").read_text())
    test = pl.read_parquet(run.folder / "predictions.parquet").filter(pl.col("split") == "test")
    assert metrics["accuracy"] == pytest.approx((test["label"] == test["predicted"]).mean())
    page = write_report(Results.read(tmp_path / "frozen")).read_text()
    assert "2 views of each training image, epoch e sees view e mod 2" in page


def digits_recipe(train: dict[str, Any] | None = None, **model: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "data": {"source": "digits", "size": 32, "train": 64, "test": 64, "validation": 20},
            "model": {"name": "timm/resnet18", "freeze": "backbone", **model},
            "train": {"epochs": 2, "batch_size": 16} | (train or {}),
            "evaluate": ["classification", {"name": "uncertainty", "passes": 3}],
        }
    )


def executed(chosen: Recipe, folder: Path, on_epoch: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """The metrics of a run, with its predictions under their own name."""
    folder.mkdir(exist_ok=True)
    execute(chosen, Folder(folder), Settings(folder, threads=1), on_epoch)
    predictions = pl.read_parquet(folder / "predictions.parquet")
    return json.loads((folder / "metrics.json").read_text()) | {"predictions": predictions}


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"head": LONG_HEAD},
        {"name": "torchvision/mobilenet_v3_small"},
        {"name": "timm/vit_tiny_patch16_224"},
        {"train": {"phases": [{"epochs": 1, "freeze": "none"}, {"epochs": 2}]}},
    ],
    ids=lambda model: str(model.get("name", list(model))),
)
def test_a_run_that_predicts_with_features_gives_what_the_whole_network_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: dict[str, Any]
) -> None:
    chosen = digits_recipe(**model)
    quick = executed(chosen, tmp_path / "quick")
    monkeypatch.setattr("assay.train.phases.trained_part", lambda network, data, *_: (network, data))
    slow = executed(chosen, tmp_path / "slow")
    assert list(quick) == list(slow)
    assert quick["predictions"].schema == slow["predictions"].schema
    assert_frame_equal(quick.pop("predictions"), slow.pop("predictions"), rel_tol=1e-3, abs_tol=1e-4)
    for name, value in slow.items():
        np.testing.assert_allclose(quick[name], value, rtol=1e-3, atol=1e-4, err_msg=name)
    files = [sorted(path.name for path in (tmp_path / way).iterdir()) for way in ("quick", "slow")]
    assert files[0] == files[1]


def test_an_interrupted_run_predicts_the_same_whether_features_are_left_or_not(tmp_path: Path, own_cache: Path) -> None:
    chosen = digits_recipe()
    whole = executed(chosen, tmp_path / "whole")

    def stop() -> None:
        raise KeyboardInterrupt

    for way in ("left", "gone"):
        with pytest.raises(KeyboardInterrupt):
            executed(chosen, tmp_path / way, stop)
        if way == "gone":
            shutil.rmtree(own_cache / "features")
        resumed = executed(chosen, tmp_path / way)
        assert resumed.pop("predictions").equals(whole["predictions"])
        assert resumed == {name: value for name, value in whole.items() if name != "predictions"}


def test_the_backbone_does_not_run_after_its_features_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, passes = digits_recipe(), []
    executed(chosen, tmp_path / "first")
    forward = torch.nn.Conv2d.forward
    monkeypatch.setattr(torch.nn.Conv2d, "forward", lambda self, x: (passes.append(len(x)), forward(self, x))[1])
    executed(chosen, tmp_path / "second")
    assert max(passes, default=0) <= TRIAL
