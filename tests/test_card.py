"""A study from its file to its answers where `train.device: auto` puts it: on the card where there is one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import assay
from assay.results import Results
from assay.tools.drawing import Drawing
from assay.tools.looking.command import look
from assay.tools.predict import answers, predict
from assay.tools.predict_uncertain import predict_uncertain
from assay.tools.probe import probe
from assay.tools.refit import refit

STUDY = """
title: On any device
base:
  data: {source: digits, train: 400, test: 150, validation: 100, augment: [{rotation: 10}, {mixup: 0.2}]}
  model: {name: cnn, channels: [8, 8], norm: batch, dropout: 0.2, dense: [16]}
  train: {epochs: 2, batch_size: 32, optimizer: {name: sgd, lr: 0.1, momentum: 0.9}}
  evaluate:
    - classification
    - curves
    - cost
    - {name: separation, layers: leaves, indices: [separation, center, soft_order]}
    - uncertainty
vary:
  train.loss: [cross_entropy, mse]
seeds: 2
"""
SEGMENTATION = """
title: Maps on any device
base:
  task: segmentation
  data: {source: scenes, size: 32, train: 16, validation: 6, test: 6}
  model: {name: deeplab, width: 4}
  train: {epochs: 1, batch_size: 8, watch: miou}
  predict: {flip: true, tile: 16, crf: {bilateral: 3}}
seeds: 1
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("card")
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    return assay.run(assay.load_study(folder / "study.yaml"), folder, quiet=True)


def test_every_run_is_measured_by_every_measure(results: Results, device: torch.device) -> None:
    assert [run.state for run in results.runs] == ["finished"] * 4
    table = results.table(["accuracy", "si_test", "csi_test", "ece_plain", "parameters"])
    assert table.height == 2
    made_on = (results.runs[0].folder / "environment.json").read_text(encoding="utf-8")
    assert ("NVIDIA" in made_on) == (device.type == "cuda")


def test_a_study_on_the_same_device_gives_the_same_bytes(
    results: Results, device: torch.device, tmp_path: Path
) -> None:
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    again = assay.run(assay.load_study(tmp_path / "study.yaml", seeds=1), tmp_path, quiet=True)
    for other in again.runs:
        one = results.run(other.variant, other.seed)
        for name in ("model.safetensors", "predictions.parquet", "metrics.json"):
            assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The kinds of device on which convolutions have been called."""
    met: set[str] = set()

    def note(module: nn.Module, given: tuple[Any, ...]) -> None:
        if isinstance(module, nn.Conv2d):
            met.add(module.weight.device.type)

    hook = nn.modules.module.register_module_forward_pre_hook(note)
    yield met
    hook.remove()


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)).save(path)
    return path


WAYS: dict[str, Callable[[Path, Path], Any]] = {
    "predict": lambda run, picture: predict(run, [picture]),
    "predict --ensemble": lambda run, picture: predict(run.parent, [picture], ensemble=True),
    "predict --uncertainty": lambda run, picture: predict_uncertain(run, [picture]),
    "maps": lambda run, picture: look(run, picture),
    "probe": lambda run, picture: probe(run, "conv*", ("test",)),
    "refit": lambda run, picture: refit(run, epochs=1),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_finished_run_is_asked_where_runs_are_trained(
    results: Results, picture: Path, way: str, asked: set[str], device: torch.device
) -> None:
    WAYS[way](results.runs[0].folder, picture)
    assert asked == {device.type}


def test_maps_in_tiles_are_made_where_runs_are_trained(
    tmp_path: Path, picture: Path, asked: set[str], device: torch.device
) -> None:
    (tmp_path / "study.yaml").write_text(SEGMENTATION, encoding="utf-8")
    (run,) = assay.run(assay.load_study(tmp_path / "study.yaml"), tmp_path, quiet=True).runs
    assert run.state == "finished"
    found = answers(run.folder, [picture], keep=Drawing(tmp_path / "drawn"))
    assert len(found.each) == 1
    assert (tmp_path / "drawn" / "a.mask.png").exists()
    assert asked == {device.type}
