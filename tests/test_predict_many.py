"""``assay predict`` of folders and zips, by a run, the best of a study or an ensemble, into a table or a file."""

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import polars as pl
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from assay import AssayError, predict
from assay.recipe.study import Study
from assay.results import Results
from assay.runs.engine import run as run_study
from assay.tools.answer_files import flat
from assay.tools.choosing import choose
from assay.tools.predict import answers
from assay.tools.predict_uncertain import UncertainPrediction, UncertainPredictions
from assay.uncertainty.injection import Calibration
from command import assay
from driving import rehash

BASE: dict[str, Any] = {
    "data": {"source": "digits", "train": 0.3, "validation": 0.2},
    "model": {"name": "mlp", "hidden": [8]},
    "train": {"epochs": 2, "batch_size": 32},
}
RATES = {"slow": 1e-5, "fast": 0.1}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two variants of two seeds, of which the one that learns comes second."""
    out = tmp_path_factory.mktemp("runs")
    variants: dict[str, dict[str, Any] | None] = {n: {"train.optimizer.lr": lr} for n, lr in RATES.items()}
    run_study(Study(title="t", name="t", base=BASE, variants=variants, seeds=2), out, quiet=True)
    return out / "t"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three digits, two of them deeper, with a text that ends like a picture and one that does not."""
    folder = tmp_path / "ask"
    (folder / "deep" / "er").mkdir(parents=True)
    for name, pixels in zip(("b.png", "deep/a.png", "deep/er/c.bmp"), load_digits().images, strict=False):
        Image.fromarray(np.rint(pixels * (255 / 16)).astype(np.uint8)).save(folder / name)
    (folder / "deep" / "bad.jpg").write_text("words")
    (folder / "notes.txt").write_text("words")
    return folder


def named(found: Any, folder: Path) -> list[str]:
    return [one.picture.relative_to(folder).as_posix() for one in found.each]


def test_folders_and_zips_are_answered_whole(study: Path, pictures: Path, tmp_path: Path) -> None:
    run = study / "fast" / "seed-0"
    with ZipFile(tmp_path / "ask.ZIP", "w") as archive:
        for path in sorted(pictures.rglob("*.*")):
            archive.write(path, f"top/{path.relative_to(pictures)}")
    by_folder, by_zip = answers(run, [pictures]), answers(run, [tmp_path / "ask.ZIP", pictures / "b.png"])
    assert named(by_folder, pictures) == ["b.png", "deep/a.png", "deep/er/c.bmp"]
    assert named(by_zip, tmp_path)[:3] == [f"ask.ZIP/top/{name}" for name in named(by_folder, pictures)]
    assert [one.record["probabilities"] for one in by_zip.each[:3]] == [
        one.record["probabilities"] for one in by_folder.each
    ]
    assert by_zip.each[3].record == by_folder.each[0].record
    assert [one.path.name for one in (*by_folder.unread, *by_zip.unread)] == ["bad.jpg", "bad.jpg"]


def test_what_cannot_be_read_is_named_and_the_rest_answered(
    study: Path, pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    run, places = study / "fast" / "seed-0", [pictures, tmp_path / "empty", "gone.png", tmp_path / "pipe.png"]
    ended = assay(capfd, "predict", run, *places)
    assert ended.status == 1
    assert len(ended.out.splitlines()) == 4
    assert sorted(line.removeprefix("assay: ").split(" (")[0] for line in ended.err.splitlines()) == sorted(
        [
            f"{pictures / 'deep' / 'bad.jpg'} is not an image",
            f"{tmp_path / 'empty'} holds no picture",
            "there is no picture gone.png",
            f"{tmp_path / 'pipe.png'} cannot be read: it is no regular file",
        ]
    )
    ended = assay(capfd, "predict", run, *places[1:])
    assert (ended.status, ended.out, len(ended.err.splitlines())) == (2, "", 3)
    with pytest.raises(AssayError, match=r"bad\.jpg is not an image"):
        predict(run, [pictures])


# ------------------------------------------------------------------------------------------- which run


def validation_accuracy(run: Path) -> float:
    rows = pl.read_parquet(run / "predictions.parquet").filter(pl.col("split") == "validation")
    return float((rows["label"] == rows["predicted"]).mean())  # type: ignore[arg-type]


def test_of_a_study_the_best_run_by_validation_answers(study: Path, pictures: Path) -> None:
    values = {run.folder: validation_accuracy(run.folder) for run in Results.read(study).runs}
    best = max(values, key=values.__getitem__)
    chosen = choose(study)
    assert chosen.runs == (best,)
    assert chosen.reason == (
        f"Asked: fast, seed {best.name[-1]}, whose accuracy of {100 * values[best]:.1f} % on its validation images is "
        "the best of 4 runs."
    )
    assert predict(study, [pictures / "b.png"]) == predict(best, [pictures / "b.png"])
    slow = {run: value for run, value in values.items() if run.parent.name == "slow"}
    assert choose(study / "slow").runs == (max(slow, key=slow.__getitem__),)
    assert choose(best) == choose(best.parent / best.name)
    assert choose(best).reason == ""


def with_predictions(study: Path, place: Path, **right: float) -> Path:
    """The study with other predictions: by variant the share of the validation images that are right, and of the test
    images that are wrong."""
    shutil.copytree(study, place)
    for variant, share in right.items():
        for path in (place / variant).glob("*/predictions.parquet"):
            table = pl.read_parquet(path)
            early = pl.int_range(pl.len()).over("split") < share * pl.len().over("split")
            hit = early == (pl.col("split") == "validation")
            answers = table.select(pl.when(hit).then(pl.col("label")).otherwise((pl.col("label") + 1) % 10)).to_series()
            chances = np.eye(10, dtype=np.float32)[answers.to_numpy()]
            table.with_columns(probabilities=pl.Series(list(chances))).write_parquet(path)
            rehash(path.parent)
    return place


def test_the_test_images_have_no_say(study: Path, tmp_path: Path) -> None:
    place = with_predictions(study, tmp_path / "t", slow=0.5, fast=0.25)
    assert choose(place).runs == (place / "slow" / "seed-0",)
    assert (
        "slow, seed 0, whose accuracy of 50.0 % on its validation images is the best of 4 runs" in choose(place).reason
    )
    together = choose(place, ensemble=True)
    assert together.runs == (place / "slow" / "seed-0", place / "slow" / "seed-1")
    assert together.reason == (
        "Asked together: slow, seeds 0, 1, whose mean accuracy of 50.0 % on validation images is the best of 2 "
        "variants."
    )


def test_a_watched_loss_is_better_where_it_is_lower(tmp_path: Path) -> None:
    base = BASE | {"train": BASE["train"] | {"watch": "loss"}}
    variants: dict[str, dict[str, Any] | None] = {n: {"train.optimizer.lr": lr} for n, lr in RATES.items()}
    run_study(Study(title="t", name="t", base=base, variants=variants, seeds=1), tmp_path, quiet=True)
    assert "Asked: fast, seed 0, whose loss of " in choose(tmp_path / "t").reason


def test_without_validation_images_a_run_must_be_named(tmp_path: Path) -> None:
    base = {"data": {"source": "digits", "train": 0.3, "validation": 0}, "model": BASE["model"]}
    base["train"] = {"epochs": 1, "keep": "last"}
    run_study(Study(title="t", name="t", base=base, seeds=2), tmp_path, quiet=True)
    with pytest.raises(AssayError, match="no run has validation images to choose the best by, and the test images"):
        choose(tmp_path / "t")
    assert choose(tmp_path / "t", ensemble=True).reason == "Asked together: base, seeds 0, 1."


def test_an_ensemble_is_the_mean_of_its_seeds(
    study: Path, pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = predict(study / "fast", [pictures / "b.png"], ensemble=True)[0].record["probabilities"]
    one, other = (predict(study / "fast" / f"seed-{k}", [pictures / "b.png"])[0].record for k in range(2))
    for name, value in found.items():
        assert value == pytest.approx((one["probabilities"][name] + other["probabilities"][name]) / 2)
    assert one["probabilities"] != pytest.approx(other["probabilities"], abs=1e-3)
    ended = assay(capfd, "predict", study / "fast" / "seed-0", pictures / "b.png", "--ensemble")
    assert ended.status == 2
    assert "is one run; --ensemble takes the folder of its variant" in ended.err
    ended = assay(capfd, "predict", study, pictures / "b.png", "--ensemble", "--uncertainty")
    assert ended.status == 2
    shutil.copytree(study, tmp_path / "t")
    status = tmp_path / "t" / "fast" / "seed-1" / "status.json"
    status.write_text(json.dumps(json.loads(status.read_text()) | {"state": "failed", "reason": "r"}))
    with pytest.raises(AssayError, match="one run has finished, and one network is no ensemble"):
        choose(tmp_path / "t" / "fast", ensemble=True)
    assert choose(tmp_path / "t" / "fast").reason == "Asked: fast, seed 0, the only run that has finished."


# --------------------------------------------------------------------------------------------- files


def test_answers_as_csv_and_json(
    study: Path, pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = answers(study, [pictures])
    for name in ("a.csv", "a.json"):
        ended = assay(capfd, "predict", study, pictures, "--out", tmp_path / "new" / name)
        assert ended.status == 1
        assert ended.out.splitlines() == [*found.notes, f"3 answers: {tmp_path / 'new' / name}"]
    with open(tmp_path / "new" / "a.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["picture"] for row in rows] == [str(one.picture) for one in found.each]
    for row, one in zip(rows, found.each, strict=True):
        assert row["class"] == one.record["class"]
        for digit, value in one.record["probabilities"].items():
            assert float(row[f"probabilities.{digit}"]) == value
    written = json.loads((tmp_path / "new" / "a.json").read_text(encoding="utf-8"))
    assert written["pictures"] == [one.record for one in found.each]
    assert written["runs"] == [str(run) for run in found.chosen.runs]
    assert written["unread"] == [{"picture": str(one.path), "reason": one.reason} for one in found.unread]
    ended = assay(capfd, "predict", study, pictures, "--out", tmp_path / "a.txt")
    assert ended.status == 2
    assert "expected a file that ends in .csv or .json" in ended.err


def test_a_file_name_that_is_not_utf_8_is_written(
    study: Path, pictures: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    odd = os.fsencode(pictures) + b"/caf\xe9.png"
    shutil.copy(pictures / "b.png", os.fsdecode(odd))
    for name in ("a.csv", "a.json"):
        assert assay(capfd, "predict", study, os.fsdecode(odd), "--out", pictures / name).status == 0
        assert r"caf\xe9.png" in (pictures / name).read_text(encoding="utf-8").replace("\\\\", "\\")


def test_nested_mappings_become_columns() -> None:
    assert flat({"a": {"b": 1, "c": {"d": 2}}, "e": ["x", "y"], "f": None}) == {
        "a.b": 1,
        "a.c.d": 2,
        "e": "x; y",
        "f": None,
    }


# ----------------------------------------------------------------------------------------- uncertainty


def uncertain(ends: list[tuple[float, float]], images: int) -> UncertainPredictions:
    """Predictions with these intervals, calibrated on so many images."""
    from assay.tasks.classification.task import Prediction

    calibration = Calibration(1.0, 0.7, 16.0, {"temperature": 2.0, "injected": 1.0}, {})
    said = Prediction(Path("p.png"), "a", {"a": 0.6, "b": 0.4})
    each = tuple(UncertainPrediction(said, low, high, True) for low, high in ends)
    return UncertainPredictions(each, calibration, 0.5, (), False, images, (), choose(Path("nowhere")))


def test_intervals_that_say_nothing_are_explained_once() -> None:
    found = uncertain([(0.0, 1.0)] * 18 + [(0.5, 0.7)] * 2, images=12)
    assert all(list(row) == ["picture", "class", "probability"] for row in found.rows)
    assert found.notes == [
        "Probabilities are calibrated by injected dropout of 0.7.",
        "Nine of ten intervals reach from nearly 0 to nearly 1 and are not shown: their passes have dropout of 0.7, "
        "chosen on 12 validation images, too few to choose well. Every answer counts as unsure.",
        "All this rests on 12 validation images; with fewer than 100 it is itself uncertain.",
    ]
    assert found.each[0].record["interval"] == {"low": 0.0, "high": 1.0}


def test_intervals_that_say_something_stand_in_each_row() -> None:
    found = uncertain([(0.0, 1.0)] * 17 + [(0.5, 0.7)] * 3, images=100)
    assert found.rows[0]["interval"] == "0.000 to 1.000"
    assert found.rows[0][""] == "unsure"
    assert not any("rests on" in note for note in found.notes)
