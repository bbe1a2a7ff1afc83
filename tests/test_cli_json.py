"""``--json``: standard output is one document that a program can read, whatever a command finds."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import typer
from PIL import Image

from assay.cli import app
from assay.results import Results
from assay.tools.documents import plain
from assay.tools.names import KINDS, names
from assay.tools.predict import predict
from command import assay, write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study of two runs."""
    import assay as package

    root = tmp_path_factory.mktemp("json")
    return package.run(package.load_study(write_study(root / "tiny.yaml")), root / "runs", quiet=True).folder


def document(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    ended = assay(capfd, *arguments, "--json")
    assert ended.status == 0, ended.err
    return json.loads(ended.out)


def test_every_command_takes_json() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    lacking = {name for name, each in commands.items() if not any("--json" in p.opts for p in each.params)}
    assert lacking == {"schema"}, "which prints JSON anyway"


def test_a_study_tells_its_verdict_its_variants_and_every_run(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = document(capfd, "run", study / "study.yaml", "--out", study.parent)
    results = Results.read(study)
    assert found["verdict"] == results.verdict()
    assert found["metric"] == "accuracy"
    assert Path(found["report"]) == study / "report" / "index.html"
    assert [row["variant"] for row in found["variants"]] == ["activation=relu", "activation=tanh"]
    assert found["variants"][1]["accuracy"] == results.values("accuracy")["activation=tanh"][0]
    assert found["comparisons"][0]["decided"] == results.compare(against="best")[0].decided
    assert [(run["variant"], run["seed"], run["state"], run["epoch"]) for run in found["runs"]] == [
        ("activation=relu", 0, "finished", 1),
        ("activation=tanh", 0, "finished", 1),
    ]
    assert document(capfd, "report", study) == found


def test_status_tells_states_and_no_time_left(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = document(capfd, "status", study)
    assert found["seconds_left"] == 0
    assert {run["state"] for run in found["runs"]} == {"finished"}


def test_a_study_whose_runs_all_failed_is_a_document_and_ends_with_1(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    failing = write_study(tmp_path / "s.yaml", vary={"train.optimizer.lr": [1e30]})
    ended = assay(capfd, "run", failing, "--out", tmp_path, "--json")
    assert ended.status == 1
    found = json.loads(ended.out)
    assert found["report"] is None
    assert "not finite" in found["runs"][0]["reason"]


def test_list_tells_every_name(capfd: pytest.CaptureFixture[str]) -> None:
    assert document(capfd, "list") == {kind: names(kind) for kind in KINDS}
    assert document(capfd, "list", "losses") == {"losses": names("losses")}


def test_predict_tells_all_probabilities(study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "black.png"
    Image.new("L", (8, 8)).save(picture)
    run = study / "activation=relu" / "seed-0"
    (said,) = document(capfd, "predict", run, picture)["pictures"]
    (expected,) = predict(run, [picture])
    assert said == expected.record
    unsure = document(capfd, "predict", run, picture, "--uncertainty")
    assert unsure["pictures"][0]["picture"] == str(picture)


def test_probe_and_refit_tell_tables(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = study / "activation=relu" / "seed-0"
    layers = document(capfd, "probe", run, "--images", "50")["table"]
    assert {row["split"] for row in layers} == {"train", "test"}
    refitted = document(capfd, "refit", run, "--epochs", "1")
    assert refitted["verdict"]
    assert set(refitted["mistakes"]["changes"]) == {"train", "validation", "test"}


def test_check_counts_what_it_found(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = document(capfd, "check", "digits", "--out", tmp_path)
    assert (found["images"], found["test_images"], found["shape"]) == (1797, 0, [1, 8, 8])
    assert found["leaks"]["random_split"] == {"held_out": 359, "copies": 0, "equal": 0}
    assert found["leaks"]["own_split"] is None
    assert Path(found["page"]).is_file()


def test_nothing_to_do_is_a_document_too(
    study: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay.errors import NothingToDo

    def nothing(*_: object) -> None:
        raise NothingToDo("no training image is wrong")

    monkeypatch.setattr("assay.tools.refit.refit", nothing)
    assert document(capfd, "refit", study) == {"nothing_to_do": "no training image is wrong"}


def test_values_become_what_json_has() -> None:
    @dataclass(frozen=True)
    class Found:
        path: Path
        numbers: Any
        table: pl.DataFrame

    found = Found(Path("a/b"), (1, np.float64(0.5), np.int64(3), math.nan, np.array([True])), pl.DataFrame({"x": [1]}))
    assert plain({"found": found}) == {
        "found": {"path": "a/b", "numbers": [1, 0.5, 3, None, [True]], "table": [{"x": 1}]}
    }
    with pytest.raises(TypeError, match="object has no form in JSON"):
        plain(object())
