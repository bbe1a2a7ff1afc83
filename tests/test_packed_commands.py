"""The commands, as processes and functions, on sources in columns and on MedMNIST's files."""

from pathlib import Path

import pytest
import yaml

from assay.tools.terminal import folder_of
from command import assay, outcome, start
from packed_pictures import written
from test_data_medmnist import npz

MODEL = {"name": "mlp", "hidden": [8]}


def study(folder: Path, source: str, task: str = "classification") -> Path:
    """Of two variants and one short run each."""
    text = {
        "title": "Which rate?",
        "base": {
            "task": task,
            "data": {"source": source},
            "model": MODEL,
            "train": {"epochs": 1, "batch_size": 8},
        },
        "vary": {"train.optimizer.lr": [0.1, 0.001]},
        "seeds": 1,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(text))
    return path


@pytest.mark.parametrize("form", ["parquet", "webdataset"])
def test_a_study_of_each_form_runs_and_is_checked(tmp_path: Path, form: str, capfd: pytest.CaptureFixture[str]) -> None:
    source = written(form, tmp_path)
    file = study(tmp_path, source)
    ran = assay(capfd, "run", file, "--out", tmp_path / "runs", "--data", tmp_path)
    assert ran.status == 0, ran.err
    assert len(list((tmp_path / "runs").rglob("model.safetensors"))) == 2
    checked = assay(capfd, "check", source, "--out", tmp_path / "page", "--data", tmp_path)
    assert checked.status == 0, checked.err
    assert "44 images" in checked.out
    assert (tmp_path / "page" / "index.html").is_file()
    assert not set(folder_of(source)) & set(':*?"<>|')


@pytest.mark.parametrize("form", ["parquet", "hf", "webdataset"])
def test_new_writes_a_study_of_each_form_that_is_planned(
    tmp_path: Path, form: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    source = written(form, tmp_path)
    made = assay(capfd, "new", str(tmp_path / "s.yaml"), "--data", source, "--seeds", "1")
    assert made.status == 0, made.err
    text = yaml.safe_load((tmp_path / "s.yaml").read_text())
    assert text["base"]["data"]["source"] == source
    assert "validation" not in text["base"]["data"]
    planned = assay(capfd, "run", str(tmp_path / "s.yaml"), "--data", str(tmp_path), "--dry-run")
    assert planned.status == 0, planned.err


def test_new_sees_tags_in_an_npz(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    npz(tmp_path / "chest.npz", tags=3)
    made = assay(capfd, "new", str(tmp_path / "s.yaml"), "--data", "chest")
    assert made.status == 0, made.err
    assert yaml.safe_load((tmp_path / "s.yaml").read_text())["base"]["task"] == "multilabel"


def test_what_is_wrong_is_one_sentence_of_a_process(tmp_path: Path) -> None:
    written("webdataset", tmp_path)
    shard = tmp_path / "pets-train-000001.tar"
    shard.write_bytes(shard.read_bytes()[:9000])
    file = study(tmp_path, "webdataset:pets-*.tar")
    ended = outcome(start("run", file, "--out", tmp_path / "runs", "--data", tmp_path))
    assert ended.status == 2
    assert "pets-train-000001.tar is cut off" in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.strip().splitlines()) == 1
