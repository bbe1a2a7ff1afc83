"""Damage to the files of finished runs: it is seen, told in a sentence, and costs the one run."""

import hashlib
import json
import random
import shutil
from pathlib import Path

import pytest
from PIL import Image

from assay.errors import AssayError
from assay.results import Results
from assay.system.integrity import digest, digests
from assay.tools.choosing import choose
from assay.tools.refit import refit
from assay.tools.verify import verify
from command import Outcome, assay, write_study
from driving import run_here

DAMAGE = {
    "random bytes": lambda content: random.Random(0).randbytes(300),
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "a flipped bit": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "a list": lambda content: b"[1, 2]",
    "another object": lambda content: b'{"state": 1, "files": 2, "classes": 3}',
    "nested": lambda content: b"[" * 100_000,
}
FILES = ["status.json", "recipe.yaml", "data.json", "environment.json", "metrics.json", "timing.json", "log.txt"]
FILES += ["history.parquet", "predictions.parquet", "pictures.parquet", "curves.parquet", "model.safetensors"]
PREDICTED = ("status.json", "recipe.yaml", "data.json", "metrics.json", "model.safetensors")
"""What a prediction is made from."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two finished runs."""
    place = tmp_path_factory.mktemp("integrity")
    base = {
        "data": {"source": "digits", "train": 100, "validation": 0.2, "test": 50},
        "model": {"name": "mlp", "hidden": [4]},
        "train": {"epochs": 2},
        "evaluate": ["classification", "cost", "curves"],
    }
    folder = run_here(write_study(place / "s.yaml", base=base), place).folder
    Image.new("L", (8, 8), 100).save(place / "picture.png")
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of the study to be damaged."""
    return Path(shutil.copytree(trained, tmp_path / "s"))


def first(folder: Path) -> Path:
    return folder / "activation=relu" / "seed-0"


def forget_hashes(folder: Path) -> None:
    """Let the runs be as those were that finished before hashes were kept."""
    for path in folder.rglob("status.json"):
        status = json.loads(path.read_text())
        path.write_text(json.dumps({key: value for key, value in status.items() if key not in ("files", "seconds")}))


def test_the_hashes_are_those_of_every_file_of_the_run(trained: Path) -> None:
    status = json.loads((first(trained) / "status.json").read_text())
    assert sorted(status["files"]) == sorted(set(FILES) - {"status.json"})
    for name, found in status["files"].items():
        assert found == hashlib.sha256((first(trained) / name).read_bytes()).hexdigest()
    assert [(one.files, one.wrong) for one in verify(trained.parent)] == [(11, ()), (11, ())]


def test_what_is_added_later_is_no_part_of_a_run(folder: Path) -> None:
    run = first(folder)
    kept = digests(run)
    (run / "maps").mkdir()
    for name in ("maps/index.html", "claim-000002.json", ".hidden", "checkpoint.safetensors"):
        (run / name).write_text("later")
    assert digests(run) == kept
    assert all(not one.wrong for one in verify(run))


def damage(path: Path, kind: str) -> None:
    if kind in DAMAGE:
        path.write_bytes(DAMAGE[kind](path.read_bytes()))
        return
    path.unlink()
    if kind == "a folder":
        path.mkdir()


@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize("kind", [*DAMAGE, "gone", "a folder"])
def test_any_damage_is_told_and_costs_the_one_run(
    trained: Path, folder: Path, kind: str, hashed: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    run, picture = first(folder), trained.parent / "picture.png"
    if not hashed:
        forget_hashes(folder)
    clean = shutil.copytree(folder, folder.with_name("clean"))
    for name in FILES:
        damage(run / name, kind)
        told = assay(capfd, "verify", folder)  # no Outcome holds a traceback
        state = assay(capfd, "status", folder)
        said = assay(capfd, "predict", run, picture) if name in PREDICTED else None
        results = Results.read(folder)
        left = [other.variant for other in results.finished]
        if hashed and not (name == "status.json" and kind == "a flipped bit"):
            assert (told.status, str(run / name) in told.out) == (1, True), name
            assert left == ["activation=tanh"] or name == "model.safetensors"
            assert said is None or (said.status, str(run) in said.err) == (2, True)
            assert name in state.out or name in ("status.json", "model.safetensors")
        results.verdict()
        shutil.rmtree(run)
        shutil.copytree(first(clean), run)


def test_the_report_tells_a_damaged_run_and_shows_the_others(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    damage(first(folder) / "curves.parquet", "gone")
    ended = assay(capfd, "report", folder)
    sentence = f"assay: {first(folder)} is damaged and left out: curves.parquet is missing"
    assert (ended.status, ended.err) == (0, f"{sentence}\n")
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "1 run missing" in page
    assert "curves.parquet is missing" in page
    assert "1 of 2 runs finished" in page


@pytest.mark.parametrize("kind", ["random bytes", "another object", "gone", "a folder"])
def test_a_study_goes_on_around_a_damaged_status(folder: Path, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copy(folder / "study.yaml", folder.parent / "s.yaml")
    damage(first(folder) / "status.json", kind)
    ended = assay(capfd, "run", folder.parent / "s.yaml", "--out", folder.parent, "--quiet")
    if kind == "gone":
        assert ended.status == 0
        assert [len(one.wrong) for one in verify(folder)] == [0, 0]
    else:
        assert ended.status == 1
        assert f"left out: {first(folder)}/status.json" in ended.err
        assert "1 of 2 runs failed" in ended.err
        assert (folder / "report" / "index.html").is_file()


def test_the_waiting_runs_are_trained_beside_a_damaged_one(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copy(folder / "study.yaml", folder.parent / "s.yaml")
    damage(first(folder) / "status.json", "random bytes")
    shutil.rmtree(folder / "activation=tanh" / "seed-0")
    ended = assay(capfd, "run", folder.parent / "s.yaml", "--out", folder.parent, "--quiet")
    assert ended.status == 1
    assert (folder / "activation=tanh" / "seed-0" / "model.safetensors").is_file()


def test_verify_says_which_file_of_which_run(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = assay(capfd, "verify", folder.parent)
    assert (whole.status, whole.out) == (0, "as they were written: 22 files of 2 finished runs\n")
    damage(first(folder) / "model.safetensors", "a flipped bit")
    ended: Outcome = assay(capfd, "verify", folder.parent)
    assert ended.status == 1
    assert ended.out.splitlines()[0] == f"{first(folder)}/model.safetensors is not the file that the run wrote"
    assert ended.out.splitlines()[1] == "as they were written: 11 files of 1 finished run"
    assert ended.err.startswith("assay: 1 of 2 finished runs is damaged; bring the file back from a copy, or delete")
    forget_hashes(folder)
    old = assay(capfd, "verify", folder)
    assert old.status == 0  # who has no hash does not see a bit
    assert old.out == "finished before hashes were kept, and can be read: the files of 2 runs\n"
    damage(first(folder) / "model.safetensors", "half")
    assert f"{first(folder)}/model.safetensors cannot be read" in assay(capfd, "verify", folder).out
    assert assay(capfd, "verify", folder / "report").status == 2


def test_the_network_of_a_damaged_run_is_not_passed_on(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    damage(first(folder) / "model.safetensors", "a flipped bit")
    sentence = f"{first(folder)}/model.safetensors is not the file that the run wrote"
    ended = assay(capfd, "probe", first(folder), "--images", "20")
    assert (ended.status, sentence in ended.err) == (2, True)
    base = {"data": {"source": "digits"}, "model": {"name": "mlp", "hidden": [4]}, "train": {"epochs": 1}}
    base["model"]["pretrained"] = f"run:{first(folder)}"
    study = write_study(folder.parent / "next.yaml", base=base)
    ended = assay(capfd, "run", study, "--out", folder.parent, "--quiet")
    assert (ended.status, sentence in ended.err) == (2, True)


def test_the_best_run_is_chosen_among_those_that_are_whole(trained: Path, folder: Path) -> None:
    damage(first(folder) / "predictions.parquet", "a flipped bit")
    found = choose(folder)
    assert found.runs == (folder / "activation=tanh" / "seed-0",)
    assert found.reason.endswith(f" Damaged runs were left out: 1 ('assay verify {folder}' says which).")
    assert "Damaged" not in choose(trained).reason


def test_a_run_with_changed_weights_is_not_asked(folder: Path) -> None:
    best = choose(folder).runs[0]
    damage(best / "model.safetensors", "a flipped bit")
    found = choose(folder)
    assert found.runs[0] != best
    assert "Damaged runs were left out: 1 " in found.reason
    damage(found.runs[0] / "model.safetensors", "a flipped bit")
    with pytest.raises(AssayError, match=r"no run in .* is whole; 'assay verify"):
        choose(folder)


def test_a_refit_is_held_against_hashes_of_its_own(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = first(folder)
    refit(run)
    assert [one.files for one in verify(run)] == [13]
    damage(run / "refit" / "predictions.parquet", "half")
    (found,) = verify(run)
    assert found.wrong == (f"{run}/refit/predictions.parquet is not the file that the run wrote",)
    damage(run / "predictions.parquet", "a flipped bit")
    with pytest.raises(AssayError, match=r"seed-0/predictions\.parquet is not the file that the run wrote"):
        refit(run)


def test_a_large_file_is_hashed_in_blocks(tmp_path: Path) -> None:
    content = random.Random(1).randbytes(3_000_001)
    (tmp_path / "weights").write_bytes(content)
    assert digest(tmp_path / "weights") == hashlib.sha256(content).hexdigest()
