"""A run of detection from the recipe to what it says of pictures, held against pycocotools and by hand."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageOps

from assay.after.around import around
from assay.data.sources.scattered import scattered
from assay.errors import AssayError
from assay.evaluate.measuring import MEASURES
from assay.models.detector import Selecting
from assay.recipe import Data, Predict, Recipe
from assay.recipe.study import load_study
from assay.recipe.validation import mistakes
from assay.results import Results
from assay.results.metrics import known as row_of
from assay.results.statistics import answers as comparing
from assay.runs.engine import run
from assay.tasks.detection.coco import results_of, truth_of
from assay.tasks.detection.prediction import Prediction
from assay.tasks.detection.predictions import Predictions
from assay.tasks.detection.task import TRUTH
from assay.tasks.detection.thresholds import chosen
from assay.tasks.scores import Score
from assay.tools.inspection.command import check
from assay.tools.inspection.suspects import suspects
from assay.tools.predict import answers, predict
from assay.tools.predict_boxes import image_ids
from assay.tools.predict_command import show_answers
from tiny_detector import known, tiny_detector

STUDY = """
title: Are digits found?
seeds: 2
base:
  task: detection
  data: {source: scattered-digits, size: 24, train: 80, validation: 24, test: 40}
  model: {name: tiny_detector, width: 8}
  train: {epochs: 4, batch_size: 8, device: cpu, optimizer: {name: adam, lr: 0.02}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("detection")
    (place / "study.yaml").write_text(STUDY, encoding="utf-8")
    with known():
        yield run(load_study(place / "study.yaml"), place / "runs").folder


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return Results.read(folder)


def test_pycocotools_finds_the_runs_numbers_in_what_it_wrote(results: Results) -> None:
    coco, evaluation = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    one = results.finished[0]
    test = Predictions.read(results.predictions(one).filter(split="test"))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = json.loads(json.dumps(truth_of(test)))
        truth.createIndex()
        said = truth.loadRes(json.loads(json.dumps(results_of(test))))
        judged = evaluation.COCOeval(truth, said, "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    names = ["map", "map_50", "map_75", *(f"map_{size}" for size in ("small", "medium", "large"))]
    names += ["recall_1", "recall_10", "recall_100", *(f"recall_{size}" for size in ("small", "medium", "large"))]
    metrics = results.metrics(one)
    assert [metrics.get(name, -1) for name in names] == pytest.approx(judged.stats.tolist(), abs=1e-6)
    assert metrics["map_50"] > 0
    by_class = judged.eval["precision"][..., 0, -1].mean(axis=(0, 1))
    assert [metrics.get(f"ap_{name}", -1) for name in test.classes] == pytest.approx(by_class.tolist(), abs=1e-6)


def test_true_boxes_are_kept_in_the_pictures_own_pixels(results: Results) -> None:
    rows = results.predictions(results.finished[0]).filter(split="test")
    for number, boxes, labels in rows.select("image", "true_boxes", "true_classes").iter_rows():
        _, edges, digits = scattered(number)
        assert boxes == edges.tolist()
        assert labels == list(digits)
    assert rows["height"].unique().to_list() == [96]


def test_thresholds_are_those_of_the_validation_images_and_all_is_told(results: Results) -> None:
    one = results.finished[0]
    metrics, table = results.metrics(one), results.predictions(one)
    validation = Predictions.read(table.filter(split="validation"))
    expected = chosen(validation.matches(), validation.said.scores)
    assert [metrics[f"threshold_{name}"] for name in validation.classes] == pytest.approx(expected.tolist())
    assert [metrics[key] for key in ("score_floor", "nms", "most")] == [0.001, 0.6, 300]
    assert metrics["temperature"] > 0
    assert {"train_loss", "train_class", "train_box", "validation_map"} <= set(results.history(one).columns)
    classes = results.stacked("classes").filter(variant=one.variant, seed=one.seed)
    assert classes["threshold"].to_list() == pytest.approx(expected.tolist())
    macro = classes.filter(pl.col("boxes") > 0)["recall"].mean()
    assert metrics["recall"] == pytest.approx(macro)
    confusion, sizes = (
        results.stacked(name).filter(variant=one.variant, seed=one.seed) for name in ("box_confusion", "box_sizes")
    )
    found = confusion.filter(pl.col("true") == pl.col("said"))["count"].sum()
    assert found == round((classes["recall"].fill_null(0) * classes["boxes"]).sum())
    assert sizes["boxes"].sum() == classes["boxes"].sum()


@pytest.mark.parametrize("metric", ["map", "f1", "error_missed"])
def test_two_runs_are_compared_by_the_bootstrap_over_images(results: Results, metric: str) -> None:
    tables = [results.predictions(one).filter(split="test") for one in results.finished]

    def evidence(rows: pl.DataFrame) -> Score | None:
        return Predictions.read(rows).evidence(metric)

    found = comparing.tested(*(comparing.Answers(table, TRUTH, evidence) for table in tables))
    assert found is not None
    assert found.method == "bootstrap over test images, swaps"
    one, other = (results.metrics(each)[metric] for each in results.finished)
    assert found.difference == pytest.approx(one - other)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.difference <= found.high


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of one motif, the second lying on its side with EXIF's word how to turn it."""
    place = tmp_path_factory.mktemp("pictures")
    pixels, _, _ = scattered(0)
    upright = Image.fromarray(np.asarray(pixels)).crop((0, 0, 96, 72))
    upright.save(place / "7.png")
    turned, exif = upright.transpose(Image.Transpose.ROTATE_90), Image.Exif()
    exif[0x0112] = 6
    turned.save(place / "turned.png", exif=exif)
    assert np.array_equal(np.asarray(ImageOps.exif_transpose(Image.open(place / "turned.png"))), np.asarray(upright))
    return place


def test_pictures_of_a_folder_are_answered_in_their_upright_pixels(folder: Path, pictures: Path) -> None:
    one, other = predict(folder, [pictures])
    assert isinstance(one, Prediction)
    assert (one.size, other.size) == ((72, 96), (72, 96))
    assert np.allclose(one.edges, other.edges)
    assert len(one.edges)
    assert (one.edges >= 0).all()
    assert (one.edges <= [96, 72, 96, 72]).all()


def test_answers_are_drawn_and_written_in_cocos_format(folder: Path, pictures: Path, tmp_path: Path) -> None:
    show_answers(folder, [pictures], False, False, tmp_path / "drawn", None)
    told = json.loads((tmp_path / "drawn" / "answers.json").read_text())["pictures"]
    assert [Path(one["picture"]).name for one in told] == ["7.png", "turned.png"]
    assert [one["files"]["boxes"] for one in told] == ["7.boxes.png", "turned.boxes.png"]
    assert Image.open(tmp_path / "drawn" / "turned.boxes.png").size == (480, 360)
    coco = json.loads((tmp_path / "drawn" / "coco.json").read_text())
    assert {row["image_id"] for row in coco} == {"7.png", "turned.png"}
    found = answers(folder, [pictures]).each[0]
    own = [row for row in coco if row["image_id"] == "7.png"]
    assert [row["score"] for row in own] == found.scores.tolist()
    assert own[0]["bbox"][2] == pytest.approx(float(found.edges[0, 2] - found.edges[0, 0]))
    assert own[0]["category_id"] == found.labels[0] + 1


@pytest.mark.parametrize(
    ("pictures", "ids"),
    [
        (["a/000007.jpg", "b/8.png"], [7, 8]),
        (["a/7.jpg", "b/7.png"], ["7.jpg", "7.png"]),
        (["a/7.jpg", "b/007.jpg", "c.jpg"], ["7.jpg", "007.jpg", "c.jpg"]),
        (["a/7.jpg", "b/7.jpg", "8.jpg"], ["a/7.jpg", "b/7.jpg", "8.jpg"]),
        (["a/cat.jpg", "b/cat.jpg"], ["a/cat.jpg", "b/cat.jpg"]),
    ],
)
def test_no_two_pictures_have_one_id_in_cocos_format(pictures: list[str], ids: list[int | str]) -> None:
    assert image_ids([Path(each) for each in pictures]) == ids


def test_a_box_is_a_row_of_a_csv(folder: Path, pictures: Path, tmp_path: Path) -> None:
    show_answers(folder, [pictures], False, False, tmp_path / "boxes.csv", None)
    table = pl.read_csv(tmp_path / "boxes.csv")
    assert table.columns[0] == "picture"
    shown = [one.shown for one in answers(folder, [pictures]).each]
    assert table.height == sum(max(1, len(one.scores)) for one in shown)


def test_seeds_answer_together_by_fused_boxes(folder: Path, pictures: Path, results: Results) -> None:
    variant = results.finished[0].folder.parent
    (both, _), (first, _) = predict(variant, [pictures], ensemble=True), predict(variant / "seed-0", [pictures])
    assert both.scores.max() <= 1
    assert (np.diff(both.scores) <= 0).all()
    assert len(both.scores) > len(first.scores) / 2


def test_check_shows_the_labels_that_a_run_speaks_against(folder: Path, tmp_path: Path) -> None:
    one = Results.read(folder).finished[0].folder
    found, page = check("scattered-digits", size="24", out=tmp_path / "page", run=one, quiet=True)
    assert found.suspects is not None
    kinds = found.suspects["kind"].n_unique()
    assert kinds > 1
    assert found.suspects["kind"].head(kinds).n_unique() == kinds, "the kinds take turns"
    for _, own in found.suspects.group_by("kind"):
        assert own["suspicion"].is_sorted(descending=True)
    assert found.suspects.filter(kind="missing")["label"].is_null().all()
    assert found.suspects.filter(kind="swapped").select(pl.col("labelled") != pl.col("said")).to_series().all()
    assert set(found.suspects["split"].unique()) <= {"train", "validation", "test"}
    assert (tmp_path / "page" / "suspects.csv").exists() or "suspects" in page.read_text()
    with pytest.raises(AssayError, match="it learned from 'scattered-digits', not from 'digits'"):
        suspects(one, Data(source="digits"))
    with pytest.raises(
        AssayError, match=f"there is no run; expected the folder of a finished run, such as {one.parent}/"
    ):
        suspects(one.parent, Data(source="scattered-digits"))


def test_speed_is_also_that_of_one_image_after_the_other(results: Results) -> None:
    metrics = results.metrics(results.finished[0])
    assert metrics["single_images_per_second"] > 0
    assert row_of("single_images_per_second").of == "time"


def refused(values: dict[str, Any]) -> list[str]:
    base = {"task": "detection", "data": {"source": "x"}, "model": "yolo"}
    return mistakes(Recipe, base | values)


def test_what_detection_does_not_know_is_refused_in_a_sentence() -> None:
    assert refused({"predict": {"flip": True}}) == [
        "predict.flip is of answers that have a mean; task detection has any number of boxes an image, and knows "
        "score, nms, most only"
    ]
    assert refused({"predict": {"tile": 32}})[0].startswith("predict.tile is of one class a pixel; task detection has")
    assert refused({"train": {"schedule": "plateau"}}) == [
        "train.schedule: plateau waits for the loss of the validation images to fall, and task detection has none; "
        "expected another schedule"
    ]
    assert refused({"train": {"watch": "loss"}}) == [
        "train.watch: 'loss' is no value to watch of task detection; expected one of: map"
    ]
    classification = {"data": {"source": "x"}, "model": "mlp", "predict": {"nms": 0.5}}
    assert mistakes(Recipe, classification) == [
        "predict.nms is of any number of boxes an image; task classification has one label an image, and knows flip "
        "only"
    ]
    assert refused({"predict": {"most": 3001}}) == ["predict.most: found 3001, expected at most 3000"]
    assert refused({"predict": {"most": 3000}}) == []
    assert "detection" in MEASURES


def test_what_is_asked_of_boxes_is_asked_of_the_network_and_left_out_where_it_is_not() -> None:
    network = tiny_detector((1, 8, 8), 2)
    found = around(network, Predict(score=0.2, nms="none"), [0.5], [0.5])
    assert found.selecting == Selecting(0.2, None, 300)
    assert network.selecting == Selecting()
    assert found.output is network.output
    assert Recipe.model_validate({"task": "detection", "data": {"source": "x"}, "model": "yolo"}).dump().keys() == {
        "task", "data", "model", "train", "evaluate", "seed",
    }  # fmt: skip
