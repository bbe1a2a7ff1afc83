"""A study from its file to its answers where `train.device: auto` puts it: on the card where there is one."""

from pathlib import Path

import pytest
import torch

import assay
from assay.results import Results

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
    again = assay.run(assay.load_study(tmp_path / "study.yaml"), tmp_path, quiet=True)
    for one, other in zip(results.runs, again.runs, strict=True):
        for name in ("model.safetensors", "predictions.parquet", "metrics.json"):
            assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name
