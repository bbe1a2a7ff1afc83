"""The command line: what every command prints, writes and returns."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from PIL import Image

import assay as package
from assay.recipe.study import Study
from assay.tools.names import KINDS, names
from assay.tools.predict import predict
from command import Outcome, assay, outcome, start, write_study
from driving import wait_for
from synthetic import NASTY, fabricate, make_study


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A study run by two worker processes, whose path is awkward: its folder, and what the command left."""
    root = tmp_path_factory.mktemp("a study שאלה")
    study = write_study(root / "which one?" / "tiny.yaml", seeds=5)
    changes = ["--set", "train.epochs=2", "--set", "train.batch_size=16", "--seeds", "2", "--jobs", "2"]
    return root / "runs" / "tiny", outcome(start("run", study, *changes, "--out", root / "runs"))


@pytest.fixture
def study(finished: tuple[Path, Outcome]) -> Path:
    return finished[0]


def first_run(study: Path) -> Path:
    return study / "activation=relu" / "seed-0"


def test_run_trains_the_study_and_writes_the_report(finished: tuple[Path, Outcome]) -> None:
    folder, ended = finished
    assert ended.status == 0, ended.err
    assert "tanh" in ended.out
    page = Path(ended.out.rstrip().splitlines()[-1].removeprefix("report: "))
    assert page == folder / "report" / "index.html"
    assert page.is_file()
    for variant in ("activation=relu", "activation=tanh"):
        for seed in (0, 1):
            assert f"finished  {variant}  seed {seed}  accuracy 0." in ended.err
            assert json.loads((folder / variant / f"seed-{seed}" / "status.json").read_text())["state"] == "finished"
    assert not (folder / "activation=relu" / "seed-2").exists()


def test_what_was_set_is_in_the_recipe_and_the_command_on_record(study: Path) -> None:
    recipe = yaml.safe_load((first_run(study) / "recipe.yaml").read_text(encoding="utf-8"))
    assert recipe["train"]["epochs"] == 2
    assert recipe["train"]["batch_size"] == 16
    command = json.loads((first_run(study) / "environment.json").read_text(encoding="utf-8"))["command"]
    assert shlex.split(command)[:2] == ["assay", "run"]
    assert "train.epochs=2" in shlex.split(command)


def test_the_same_again_trains_nothing(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in study.glob("*/seed-*/*")}
    ended = assay(capfd, "run", study, "--out", study.parent)
    assert ended.status == 0
    assert "4 of 4 runs are done already" in ended.err
    assert {path: path.stat().st_mtime_ns for path in study.glob("*/seed-*/*")} == before


def test_quiet_leaves_only_the_verdict(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ended = assay(capfd, "run", study, "--out", study.parent, "--quiet")
    assert ended.err == ""
    assert "report: " in ended.out


def test_report_is_written_again(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (study / "report" / "index.html").unlink()
    ended = assay(capfd, "report", study)
    assert ended.status == 0
    assert (study / "report" / "index.html").is_file()
    assert ended.out.rstrip().endswith("index.html")


def test_status_of_a_finished_study(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ended = assay(capfd, "status", study)
    assert ended.status == 0
    rows = [line.split() for line in ended.out.splitlines()]
    assert rows[0] == ["variant", "finished", "running", "interrupted", "waiting", "failed", "now"]
    assert rows[1] == ["activation=relu", "2", "·", "·", "·", "·"]
    assert ended.out.rstrip().splitlines()[-1].startswith("all runs are done; together they took ")


def test_status_of_a_study_under_way(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    states = {("activation=relu", 0): "failed", ("activation=relu", 1): "running", ("activation=elu", 2): "waiting"}
    ended = assay(capfd, "status", fabricate(tmp_path, make_study(), states=states))
    assert ended.status == 0
    assert "seed 1: epoch 2 of 4" in ended.out
    assert "failed activation=relu, seed 0: the loss is not finite at epoch 2" in ended.out
    assert ended.out.rstrip().endswith("s left")


def test_status_when_only_failures_are_left(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ended = assay(capfd, "status", fabricate(tmp_path, make_study(), states={("activation=relu", 0): "failed"}))
    assert ended.out.rstrip().endswith("nothing is left to train; --retry runs the failed ones again")


def test_names_are_printed_as_they_are(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    variants = {name: {"train.epochs": n + 1} for n, name in enumerate([*NASTY, "[red]x[/]", ":smile: [b]"])}
    named = make_study().model_dump(exclude={"vary"}) | {"variants": variants}
    folder = fabricate(tmp_path, Study.model_validate(named))
    lines = assay(capfd, "status", folder).out.splitlines()
    assert [line.split("  ")[0] for line in lines[1 : len(variants) + 1]] == list(variants)


# ------------------------------------------------------------------------------------------------ list


@pytest.mark.parametrize("kind", KINDS)
def test_list_has_every_name(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    ended = assay(capfd, "list", kind)
    assert ended.status == 0
    assert [line.split("  ")[0] for line in ended.out.splitlines()] == list(names(kind))


def test_list_without_a_kind_has_all_kinds(capfd: pytest.CaptureFixture[str]) -> None:
    ended = assay(capfd, "list")
    assert [line for line in ended.out.splitlines() if line in KINDS] == KINDS


def test_list_shows_the_options(capfd: pytest.CaptureFixture[str]) -> None:
    sgd = "(layer_decay=1.0, decayed=all, lr=0.01, momentum=0.0, nesterov=false, weight_decay=0.0)"
    assert sgd in assay(capfd, "list", "optimizers").out
    assert "(hidden=[256, 128], activation=relu, dropout=0.0, norm=none)" in assay(capfd, "list", "models").out
    assert '(of=["cross_entropy", "dice"], weights=null)' in assay(capfd, "list", "losses").out


def test_light_commands_import_nothing_heavy() -> None:
    script = """
import sys
from assay.cli import app
for arguments in (["--help"], ["--version"], ["run", "--help"], ["refit", "--help"], ["list"], ["schema"]):
    app(arguments, standalone_mode=False)
heavy = {"torch", "torchvision", "polars", "sklearn", "scipy", "kornia", "altair", "PIL"} & set(sys.modules)
assert not heavy, heavy
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr


def test_a_terminal_without_the_letters(tmp_path: Path) -> None:
    process = start("list", "data", PYTHONIOENCODING="ascii", COLUMNS="20")
    ended = outcome(process)
    assert ended.status == 0
    assert "fashion-mnist" in ended.out
    assert len(ended.out.splitlines()) == len(names("data"))


# --------------------------------------------------------------------------------------------- predict


def test_predict_prints_a_line_a_picture(study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "black.png", tmp_path / "picture [red] :smile: עברית.bmp"]
    for path, value in zip(files, (0, 255), strict=True):
        Image.new("L", (8, 8), value).save(path)
    ended = assay(capfd, "predict", first_run(study), *files)
    assert ended.status == 0
    header, *lines = ended.out.splitlines()
    assert header.split() == ["picture", "class", "probability"]
    for line, prediction in zip(lines, predict(first_run(study), files), strict=True):
        assert line.startswith(str(prediction.picture))
        assert line.split()[-2:] == [prediction.label, f"{prediction.probability:.3f}"]


def test_predict_of_a_mistake_prints_a_sentence(study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.png").write_text("these are words")
    ended = assay(capfd, "predict", first_run(study), tmp_path / "notes.png")
    assert ended == Outcome(2, "", f"assay: {tmp_path / 'notes.png'} is not an image\n")
    for drawn in ((), ("--out", tmp_path / "drawn")):
        ended = assay(capfd, "predict", tmp_path, tmp_path / "notes.png", *drawn)
        assert ended.status == 2
        assert "there is no run; expected the folder of a finished run" in ended.err


# --------------------------------------------------------------------------------------------- endings


def test_failed_runs_end_with_status_1_and_the_reason(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "s.yaml", vary={"train.optimizer.lr": [0.1, 1e30]})
    ended = assay(capfd, "run", study, "--out", tmp_path)
    assert ended.status == 1
    assert "failed    lr=1e+30  seed 0: the train loss is not finite in epoch 1 (learning rate 1e+30)\n" in ended.err
    assert ended.err.splitlines()[-1] == f"assay: 1 of 2 runs failed; 'assay status {tmp_path / 's'}' says why"
    assert "report: " in ended.out
    assert "not finite in epoch 1" in assay(capfd, "status", tmp_path / "s").out
    again = assay(capfd, "run", study, "--out", tmp_path)
    assert again.status == 1
    assert "2 of 2 runs are done already" in again.err
    retried = assay(capfd, "run", study, "--out", tmp_path, "--retry")
    assert retried.status == 1
    assert "1 of 2 runs are done already" in retried.err


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_with_status_130_and_the_run_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], jobs: str
) -> None:
    study = write_study(tmp_path / "s.yaml", vary=None)
    long = ("run", study, "--out", tmp_path, "--set", "train.epochs=100000", "--jobs", jobs)
    process = start(*long)
    checkpoint = tmp_path / "s" / "base" / "seed-0" / "checkpoint.safetensors"
    deadline = time.monotonic() + 300
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    ended = outcome(process)
    assert ended.status == 130
    assert ended.err.splitlines()[-1] == "assay: stopped; the same command goes on from the last finished epoch"
    assert not list(checkpoint.parent.glob("claim-*"))
    status = assay(capfd, "status", tmp_path / "s").out
    assert "seed 0: epoch" in status
    assert status.splitlines()[1].split()[:4] == ["base", "·", "·", "1"]


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(caught and int(caught[1], 16) >> (number - 1) & 1)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_ctrl_c_at_once_leaves_no_traceback(tmp_path: Path) -> None:
    process = start("run", write_study(tmp_path / "s.yaml"), "--out", tmp_path)
    wait_for(lambda: catches(process.pid, signal.SIGTERM))  # which the command line sets up first
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert outcome(process).status in (130, -signal.SIGINT)


def test_help_and_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert assay(capfd, "--version").out == f"assay {package.__version__}\n"
    for arguments in ([], ["--help"]):
        ended = assay(capfd, *arguments)
        assert ended.status == 0
        assert ended.err == ""
        for command in ("run", "report", "status", "list", "predict", "refit"):
            assert f"\n  {command} " in ended.out
        assert len(re.findall(r"^    assay \w+ ", ended.out, re.MULTILINE)) >= 3, "no examples"
        said = ended.out.partition("Commands:\n")[2].splitlines()
        assert all(line.endswith(".") and not line.endswith("...") for line in said), "half a sentence"
    process = outcome(start("run", "--help"))
    assert process.status == 0
    for option in ("--set", "--seeds", "--jobs", "--out", "--data", "--retry", "--track", "--quiet"):
        assert option in process.out


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("bash", {"COMP_WORDS": "assay re", "COMP_CWORD": "1"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "assay re"}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "assay re", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)
def test_shells_complete_commands(shell: str, words: dict[str, str]) -> None:
    ended = outcome(start(_ASSAY_COMPLETE=f"complete_{shell}", **words))
    assert ended.status == 0
    said = ended.out.removeprefix("_arguments '*: :((")
    assert re.findall(r"^\W*(\w+)", said, re.MULTILINE) == ["report", "refit"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lits"], "No such command 'lits'"),
        (["list", "modles"], "unknown kind of names 'modles'; did you mean 'models'?"),
        (["run"], "Missing argument 'study'. ('assay run --help' shows what there is)"),
        (["run", "a.yaml", "--epochs", "3"], "No such option: --epochs"),
        (["run", "a.yaml", "--jobs", "0"], "--jobs"),
        (["run", "a.yaml", "--jobs", "two"], "--jobs"),
        (["run", "a.yaml", "--seeds", "0"], "--seeds"),
        (["run", "a.yaml", "b.yaml"], "unexpected extra argument"),
        (["predict"], "Missing argument 'RUN'"),
        (["status", "/nowhere/at/all"], "/nowhere/at/all holds no study (a study.yaml is expected there)"),
        (["report", "/"], "/ holds no study"),
    ],
)
def test_mistakes_on_the_command_line(
    arguments: list[str],
    sentence: str,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = assay(capfd, *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("assay: ")
    assert len(ended.err.splitlines()) == 1
    assert sentence in ended.err


def test_a_misspelt_study_folder_is_guessed(
    study: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.parent.parent)
    assert "did you mean 'runs/tiny'?" in assay(capfd, "status", "runs/tinny").err
    assert "expected one of: runs/tiny" in assay(capfd, "report", "runs/tiny/activation=relu").err


@pytest.mark.parametrize("command", ["probe", "rank", "check", "predict"])
def test_only_a_run_promises_to_go_on(
    command: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("assay.cli.entry.app", interrupted)
    ended = assay(capfd, command)
    assert (ended.status, ended.err) == (130, "assay: stopped\n")
