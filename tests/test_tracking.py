"""Finished runs in MLflow, Weights & Biases and TensorBoard, read back from each."""

import math
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import AssayError
from assay.results import Results
from assay.system.extras import need
from assay.system.integrity import digests
from assay.tools.tracking import tensorboard_events
from assay.tools.tracking.mirror import Mirror, flattened, mirrors
from assay.tools.tracking.tracking import TRACKERS, refuse_trackers, track
from command import assay, write_study


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study with two finished runs of two epochs, and its page."""
    from assay.recipe.study import load_study
    from assay.report.page import write_report
    from assay.runs.engine import run

    place = tmp_path_factory.mktemp("tracked")
    study = load_study(write_study(place / "s.yaml"), ["train.epochs=2"])
    write_report(run(study, place, quiet=True))
    return place / "s"


@pytest.fixture
def here(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That study in a working folder of its own, where trackers may leave their files, offline."""
    for name in ("MLFLOW_TRACKING_URI", "WANDB_API_KEY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(finished, tmp_path / "runs" / "s"))


def installed(extra: str) -> None:
    try:
        TRACKERS[extra].check()
    except AssayError as absent:
        pytest.skip(str(absent))


def first(folder: Path) -> tuple[Mirror, Results]:
    results = Results.read(folder)
    return mirrors(results)[0], results


# ------------------------------------------------------------------------------------------------ what is mirrored


def test_a_mirror_says_what_the_folder_says(finished: Path) -> None:
    mirror, results = first(finished)
    run = results.finished[0]
    assert (mirror.study, mirror.variant, mirror.seed) == ("s", "activation=relu", 0)
    assert mirror.parameters["train.optimizer.lr"] == 0.1
    assert mirror.parameters["model.hidden"] == "[8]"
    assert [epoch.number for epoch in mirror.history] == [1, 2]
    history = results.history(run)
    assert [epoch.values["validation/loss"] for epoch in mirror.history] == history["validation_loss"].to_list()
    assert mirror.final["final/accuracy"] == results.metrics(run)["accuracy"]
    assert [file.name for file in mirror.files] == ["recipe.yaml", "index.html"]
    assert all(file.is_file() for file in mirror.files)
    assert mirror.began < mirror.history[0].ended < mirror.history[1].ended <= mirror.ended


def test_a_run_is_known_by_the_same_identity_elsewhere_and_another_run_by_another(finished: Path, here: Path) -> None:
    identities = [[mirror.identity for mirror in mirrors(Results.read(folder))] for folder in (finished, here)]
    assert identities[0] == identities[1]
    assert len(set(identities[0])) == 2


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()),
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), trees, max_size=3))
def test_dotted_keys_lead_to_every_value_of_a_recipe(tree: dict[str, Any]) -> None:
    flat = dict(flattened(tree))
    for key, value in flat.items():
        found: Any = tree
        for part in key.split("."):
            found = found[part]
        assert value == found or isinstance(value, str)

    def leaves(branch: dict[str, Any]) -> int:
        return sum(leaves(value) if isinstance(value, dict) and value else 1 for value in branch.values())

    assert len(flat) == leaves(tree)


# ------------------------------------------------------------------------------------------------ read back


def test_mlflow_has_parameters_metrics_by_epoch_and_files_once(here: Path) -> None:
    installed("mlflow")
    mirror, results = first(here)
    for _ in range(2):
        assert [tracked.trouble for tracked in track(results, ["mlflow"])] == [None]
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{here.parents[1] / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("s")
    assert experiment
    runs = client.search_runs([experiment.experiment_id], f"tags.variant = '{mirror.variant}'")
    assert len(runs) == 1
    run = runs[0]
    assert run.info.status == "FINISHED"
    assert run.data.tags["seed"] == "0"
    assert run.data.params == {name: str(value) for name, value in mirror.parameters.items()}
    kept = client.get_metric_history(run.info.run_id, "train/loss")
    assert {each.step: each.value for each in kept} == {
        epoch.number: epoch.values["train/loss"] for epoch in mirror.history
    }
    assert len(kept) == 2
    assert run.data.metrics["final/accuracy"] == mirror.final["final/accuracy"]
    page = client.download_artifacts(run.info.run_id, "index.html", str(here))
    assert Path(page).read_bytes() == (here / "report" / "index.html").read_bytes()
    assert {artifact.path for artifact in client.list_artifacts(run.info.run_id)} == {"index.html", "recipe.yaml"}


def test_a_run_that_was_cut_off_in_mlflow_is_completed(here: Path) -> None:
    installed("mlflow")
    results = Results.read(here)
    track(results, ["mlflow"])
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{here.parents[1] / 'mlflow.db'}")
    runs = client.search_runs(["1"])
    for run in runs:
        client.update_run(run.info.run_id, "RUNNING")
    track(results, ["mlflow"])
    assert [client.get_run(run.info.run_id).info.status for run in runs] == ["FINISHED"] * 2
    assert all(len(client.get_metric_history(run.info.run_id, "train/loss")) == 2 for run in runs)
    assert len(client.search_runs(["1"])) == 2


def records(path: Path) -> Iterator[Any]:
    """The records of a W&B transaction log: LevelDB's log format after 7 bytes (blocks of 32 kB; crc, length, kind)."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, block, whole = path.read_bytes(), 7, 32768, b""
    while at + 7 <= len(content):
        if block - at % block < 7:
            at += block - at % block
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        whole += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # all of a record, or its last part
            record = Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def test_wandb_offline_has_configuration_history_summary_and_page_once(here: Path) -> None:
    import json

    installed("wandb")
    mirror, results = first(here)
    for _ in range(2):
        assert [tracked.trouble for tracked in track(results, ["wandb"])] == [None]
    logs = list(here.parents[1].glob(f"wandb/offline-run-*/run-{mirror.identity}.wandb"))
    assert len(logs) == 1
    kept = list(records(logs[0]))
    run = next(record.run for record in kept if record.HasField("run"))
    assert (run.project, run.run_group, run.display_name) == ("s", "activation=relu", "activation=relu, seed 0")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config.items() >= mirror.parameters.items()
    rows = [
        {(item.key or item.nested_key[0]): json.loads(item.value_json) for item in record.history.item}
        for record in kept
        if record.HasField("history")
    ]
    assert {row["_step"]: row["train/loss"] for row in rows} == {
        epoch.number: epoch.values["train/loss"] for epoch in mirror.history
    }
    summary = {
        (item.key or item.nested_key[0]): item.value_json
        for record in kept
        if record.HasField("summary")
        for item in record.summary.update
    }
    assert float(summary["final/accuracy"]) == mirror.final["final/accuracy"]
    artifacts = [record.request.log_artifact.artifact for record in kept if record.HasField("request")]
    artifacts += [record.artifact for record in kept if record.HasField("artifact")]
    names = {entry.path for artifact in artifacts for entry in artifact.manifest.contents}
    assert names == {"recipe.yaml", "index.html"}


def test_tensorboard_has_scalars_by_epoch_once(here: Path) -> None:
    installed("tensorboard")
    mirror, results = first(here)
    for _ in range(2):
        assert [tracked.trouble for tracked in track(results, ["tensorboard"])] == [None]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = mirror.folder / "tensorboard"
    assert len(list(folder.iterdir())) == 1
    events = EventAccumulator(str(folder))
    events.Reload()
    loss = {event.step: event.value for event in events.Scalars("train/loss")}
    assert loss.keys() == {1, 2}
    assert all(math.isclose(loss[e.number], e.values["train/loss"], rel_tol=1e-6) for e in mirror.history)
    (accuracy,) = events.Scalars("final/accuracy")
    assert math.isclose(accuracy.value, mirror.final["final/accuracy"], rel_tol=1e-6)
    (recipe,) = events.Tensors("recipe.yaml/text_summary")
    assert (mirror.folder / "recipe.yaml").read_bytes() in recipe.tensor_proto.string_val[0]
    assert "_hparams_/session_start_info" in events.summary_metadata


# ------------------------------------------------------------------------------------------------ what goes wrong


def test_a_tracker_that_fails_is_a_warning_and_the_runs_are_the_same(
    finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("tensorboard")

    def fail(mirrors: list[Mirror]) -> str:
        raise OSError("no room\nfor events")

    monkeypatch.setattr(tensorboard_events, "write", fail)
    study, twice = write_study(tmp_path / "s.yaml"), ("--track", "tensorboard") * 2
    told = assay(capfd, "run", study, "--set", "train.epochs=2", "--out", tmp_path / "with", *twice)
    assert told.status == 0
    assert told.err.count("tensorboard failed (no room for events)") == 1
    assert f"'assay track {tmp_path / 'with' / 's'} --to tensorboard' tries again" in told.err
    assert "report: " in told.out
    for run in finished.glob("*/seed-0"):
        kept, same = digests(run), digests(tmp_path / "with" / "s" / run.relative_to(finished))
        assert kept.keys() == same.keys()
        timed = {"timing.json", "log.txt", "history.parquet", "environment.json"}
        assert {name for name in kept if kept[name] != same[name]} <= timed
    again = assay(capfd, "track", tmp_path / "with" / "s", "--to", "tensorboard")
    assert again.status == 1


def test_a_server_that_is_not_there_is_a_warning(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (tracked,) = track(Results.read(here), ["mlflow"])
    assert tracked.where is None
    assert tracked.trouble
    assert "127.0.0.1" in tracked.trouble
    assert "\n" not in tracked.trouble


def test_an_unknown_tracker_is_refused_before_anything_trains(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told = assay(capfd, "run", write_study(tmp_path / "s.yaml"), "--out", tmp_path / "runs", "--track", "mlfow")
    assert told.status == 2
    assert "unknown tracker 'mlfow'; did you mean 'mlflow'?" in told.err
    assert not (tmp_path / "runs").exists()


def test_an_array_which_nobody_awaits_is_not_tracked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told = assay(capfd, "run", write_study(tmp_path / "s.yaml"), "--on", "slurm", "--track", "tensorboard")
    assert told.status == 2
    assert "--track: no use with --on slurm; 'assay track' shows what an array has finished" in told.err


def test_an_absent_extra_is_named_though_a_folder_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no_such_tracker").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AssayError, match=r"^no_such_tracker is not installed: pip install 'assay-studies\[wandb\]'$"):
        need("no_such_tracker", extra="wandb")


def test_wandb_without_a_key_is_refused_and_nobody_is_asked(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("wandb")
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("NETRC", str(here / "none"))
    with pytest.raises(AssayError, match="wandb has no key: 'wandb login' keeps one, WANDB_MODE=offline does without"):
        refuse_trackers(["wandb"])


def test_a_study_without_a_finished_run_has_nothing_to_track(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    installed("tensorboard")
    for status in here.glob("*/seed-*/status.json"):
        status.unlink()
    told = assay(capfd, "track", here, "--to", "tensorboard")
    assert told.status == 0
    assert "has finished" in told.out
