"""A study of regression from its file to the page, to predictions of single pictures and to what is refused."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from rich.console import Console

import assay
from assay.data import load, open_images
from assay.data.batches import Split
from assay.data.images import ImageSet
from assay.data.sources.discs import arranged, drawn
from assay.data.standard import StandardSplit, standard_of
from assay.data.targets import Values
from assay.errors import AssayError
from assay.evaluate import measure
from assay.evaluate.intervals import calibrated
from assay.recipe import Recipe
from assay.recipe.study import Study
from assay.report.page import page_sections
from assay.report.section import Gallery, every
from assay.report.subject import Subject
from assay.results import Results
from assay.results.folders import Run
from assay.runs.checks import check_targets
from assay.runs.engine import run as run_study
from assay.seeds import numpy_generator
from assay.tasks.regression.predictions import Predictions
from assay.tasks.regression.task import Prediction
from assay.tools.predict import answer_table, load_run, read_picture
from assay.tools.predict_interval import IntervalPredictions
from assay.tools.predict_uncertain import predict_uncertain
from assay.tools.probe import probe, probe_table
from assay.tools.refit import refit
from assay.uncertainty.gaussian import gaussian_nll, predictive_gaussian
from assay.uncertainty.injection import Injection
from driving import rehash
from valued import recipe, trained, value_data

BASE: dict[str, Any] = {
    "task": "regression",
    "data": {"source": "discs", "train": 200, "validation": 0.4, "test": 100},
    "model": {"name": "mlp", "hidden": [16]},
    "train": {"epochs": 3, "batch_size": 32},
    "evaluate": ["regression", "cost", {"name": "separation", "images": 60}, {"name": "uncertainty", "passes": 8}],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two losses, two seeds."""
    study = Study.model_validate(
        {"title": "Discs", "name": "discs", "base": BASE, "vary": {"train.loss": ["mse", "huber"]}, "seeds": 2}
    )
    return run_study(study, tmp_path_factory.mktemp("runs"), quiet=True)


@pytest.fixture(scope="module")
def folder(results: Results) -> Path:
    return results.run("loss=mse", 0).folder


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return open_images(Recipe.model_validate(BASE).data, Path())


@pytest.fixture(scope="module")
def pictures(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The first test images of the study."""
    place = tmp_path_factory.mktemp("pictures")
    for i in range(3):
        Image.fromarray(images.pixels[i, 0]).save(place / f"{i}.png")
    return [place / f"{i}.png" for i in range(3)]


def text(table: Any) -> str:
    console = Console(width=10_000)
    with console.capture() as captured:
        console.print(table)
    return re.sub(" +", " ", captured.get())


def by_split(results: Results, run: Run) -> tuple[Predictions, Predictions]:
    """Of the test and the validation images."""
    table = results.predictions(run)
    test, validation = (Predictions.read(table.filter(pl.col("split") == split)) for split in ("test", "validation"))
    return test, validation


# ------------------------------------------------------------------------------------------ discs


def test_discs_are_what_their_numbers_say(images: ImageSet) -> None:
    assert (images.pixels.shape, images.classes) == ((2000, 1, 32, 32), ["count", "mean diameter"])
    assert isinstance(images.targets, Values)
    for i in (0, 7, 1999):
        scene = arranged(numpy_generator(0, "discs", i))
        assert images.targets.values[i].tolist() == [len(scene), scene[:, 2].mean()]
        assert np.array_equal(images.pixels[i, 0], drawn(scene, numpy_generator(0, "discs drawn", i)))
        for x, y, diameter in scene:
            assert diameter / 2 < min(x, y)
            assert max(x, y) < 32 - diameter / 2
            assert images.pixels[i, 0, int(y), int(x)] > images.pixels[i, 0].min() + 20
    assert set(images.targets.values[:, 0]) == {1, 2, 3, 4, 5, 6}


# ------------------------------------------------------------------------------------------ results


def test_what_a_study_is_about(results: Results) -> None:
    assert (results.metric, [run.state for run in results.runs]) == ("r2", ["finished"] * 4)
    comparison = results.compare("mae_count")[0]
    values = results.values("mae_count")
    assert comparison.difference == pytest.approx(
        np.mean([values["loss=huber"][seed] - values["loss=mse"][seed] for seed in (0, 1)])
    )


def test_one_seed_is_compared_over_the_test_images(results: Results) -> None:
    runs = tuple(run for run in results.runs if run.seed == 0)
    alone = Results(results.folder, results.study.model_copy(update={"seeds": 1}), runs)
    found = alone.compare("rmse_mean diameter")[0]
    assert found.method == "bootstrap over test images, swaps"
    assert found.low is not None
    assert found.difference is not None
    assert found.high is not None
    assert found.low < found.difference < found.high


def test_metrics_are_those_of_the_predictions(results: Results, folder: Path) -> None:
    run = results.run("loss=mse", 0)
    said, validation = by_split(results, run)
    metrics = results.metrics(run)
    assert metrics["mae_count"] == pytest.approx(np.abs(said.errors[:, 0]).mean())
    within = np.abs(said.errors) <= metrics["interval_90"]
    assert (within.mean(axis=0) > 0.75).all()
    assert metrics["coverage_95_plain"] > metrics["coverage_50_plain"] > 0.3
    intervals = results.stacked("intervals").filter(pl.col("variant") == "loss=mse", pl.col("seed") == 0)
    assert len(intervals) == 2 * 2 * 4
    plain = intervals.filter(pl.col("method") == "plain", pl.col("target") == "count", pl.col("level") == 0.9)
    validation = Predictions.read(
        results.predictions(results.run("loss=mse", 0)).filter(pl.col("split") == "validation")
    )
    half = 1.6448536 * np.sqrt((validation.errors[:, 0] ** 2).mean())
    assert plain["width"].item() == pytest.approx(2 * half)
    assert plain["coverage"].item() == pytest.approx((np.abs(said.errors[:, 0]) <= half).mean())
    assert metrics["width_90_plain_count"] == pytest.approx(2 * half)


def test_likelihoods_are_of_values_in_their_own_unit(results: Results) -> None:
    run = results.run("loss=mse", 0)
    metrics, (test, validation) = results.metrics(run), by_split(results, run)
    variance = (validation.errors**2).mean(axis=0)
    nll = (0.5 * np.log(2 * np.pi * variance) + test.errors**2 / (2 * variance)).mean()
    assert metrics["gaussian_nll_plain"] == pytest.approx(nll)
    assert metrics["validation_gaussian_nll_plain"] == pytest.approx((0.5 * np.log(2 * np.pi * variance) + 0.5).mean())


def test_another_unit_moves_likelihoods_and_widths_and_nothing_else() -> None:
    values = np.random.default_rng(1).normal(size=(48, 2))
    asked = [{"name": "separation", "splits": ["test"]}, {"name": "uncertainty", "passes": 5}]
    plain, scaled = (
        measure(trained(value_data(values * unit, ("a", "b")), evaluate=asked)) for unit in ([1, 1], [1, 1024])
    )
    for name, value in plain.items():
        if isinstance(value, float):
            other = scaled[name]
            if "nll" in name:
                value += np.log(1024) / 2
            elif name.startswith("width") and name.endswith("b"):
                value *= 1024
            assert other == pytest.approx(value, rel=1e-5), name
    layers = [found["separation"]["value"].to_list() for found in (plain, scaled)]  # type: ignore[index, call-overload]
    assert layers[0] == pytest.approx(layers[1])


def test_injected_distributions_are_those_of_the_passes_in_own_units() -> None:
    data = value_data(np.random.default_rng(1).normal(size=(48, 2)) * [1, 50], ("a", "b"))
    found = trained(data, evaluate=[{"name": "uncertainty", "passes": 9}])
    metrics, injection, standard = measure(found), Injection(passes=9), standard_of(data)
    calibration = calibrated(found.model, data, injection, found.device)
    validation, test = (
        predictive_gaussian(
            found.model, StandardSplit(Split(data, split, found.device), standard), calibration, injection
        )
        for split in ("validation", "test")
    )
    spread = ((validation.targets - validation.mean) ** 2 / validation.variance).mean(axis=0)
    assert spread.tolist() == pytest.approx([1, 1])
    mean, deviation = standard.in_own_units(test.mean), np.sqrt(test.variance) * standard.deviation
    truth = found.predictions["test"].truth
    assert metrics["gaussian_nll_injected"] == pytest.approx(gaussian_nll(mean, deviation**2, truth))
    assert metrics["width_90_injected_b"] == pytest.approx(2 * 1.6448536 * deviation[:, 1].mean())
    held = (np.abs(truth - mean) < 1.6448536 * deviation).mean()
    assert metrics["coverage_90_injected"] == pytest.approx(held)


# ------------------------------------------------------------------------------------------ the page


def test_the_page_has_a_section_for_all_that_was_measured(results: Results) -> None:
    page = assay.report(results)
    assert "R² does not exist" not in page.read_text(encoding="utf-8")
    anchors = re.findall(r'<section id="([a-z]+)"', page.read_text(encoding="utf-8"))
    assert anchors == ["results", "learning", "values", "layers", "uncertainty", "cost", "pictures", "reproduce"]
    figures = {path.stem for path in (page.parent / "figures").glob("*.svg")}
    assert {"predicted-1", "residuals-2", "mae-by-decile-1", "bias-by-decile-2", "coverage-1"} <= figures
    drawn_points = pl.read_csv(page.parent / "figures" / "predicted-1.csv")
    one = drawn_points.row(0, named=True)
    said = results.predictions(results.run(one["variant"], 0)).filter(
        pl.col("split") == "test", pl.col("name") == f"{one['image']:05d}"
    )
    assert said["truth"].struct.field("count").item() == one["true"]
    assert one["residual"] == pytest.approx(one["predicted"] - one["true"])


def test_pictures_have_the_truth_above_what_is_said(results: Results) -> None:
    subject = Subject(results)
    sample, worst = every(Gallery, page_sections(subject))
    assert (sample.title, worst.title) == ("A sample", "The worst")
    run = subject.runs(subject.best or "")[0]
    row = results.pictures(run).filter(pl.col("kind") == "worst").row(0, named=True)
    assert worst.pictures[0].heading.startswith(f"{row['truth']['count']:g} · ")
    off = row["said"]["count"] - row["truth"]["count"]
    assert worst.pictures[0].lines[0].note.split(" · ")[0] == f"{off:+.2g}".replace("-", "−")


def test_a_single_validation_image_has_no_r2_and_the_page_says_so(pictures: list[Path], tmp_path: Path) -> None:
    data = {"source": "discs", "train": 60, "validation": 0.02, "test": 40}
    base = {**BASE, "data": data, "evaluate": ["regression"]}
    found = run_study(Study.model_validate({"title": "t", "name": "t", "base": base, "seeds": 1}), tmp_path, quiet=True)
    assert found.data(found.finished[0])["counts"]["validation"] == 1
    assert found.history(found.finished[0])["validation_r2"].null_count() == 3
    page = re.sub(r"<[^>]+>", "", assay.report(found).read_text(encoding="utf-8"))
    assert "R² does not exist for them: the weights are those of the last epoch." in page
    assert "interval_90" not in found.metrics(found.finished[0])
    assert assay.predict(found.finished[0].folder, pictures[:1])[0].cells.keys() == {
        "picture",
        "count",
        "mean diameter",
    }


# ------------------------------------------------------------------------------------------ pictures of one's own


def test_pictures_are_told_in_own_units_with_intervals(
    folder: Path, pictures: list[Path], images: ImageSet, results: Results
) -> None:
    told = assay.predict(folder, pictures)
    recipe_, _, _ = load_run(folder)
    data = load(recipe_.data, 0, Path())
    about = json.loads((folder / "data.json").read_text())
    assert about["target_mean"] == standard_of(data).mean.tolist()
    half = results.metrics(results.run("loss=mse", 0))["interval_90"][0]
    test = results.predictions(results.run("loss=mse", 0)).filter(pl.col("image") < 3)
    for row in test.iter_rows(named=True):
        one = told[row["image"]]
        assert isinstance(one, Prediction)
        assert one.values == pytest.approx(row["said"], rel=1e-5)
        low, high = one.intervals["count"]
        assert (low + high) / 2 == pytest.approx(one.values["count"])
        assert high - low == pytest.approx(2 * half)
    shown = text(answer_table([one.cells for one in told]))
    assert shown.splitlines()[0].strip() == (
        "picture count 90 % interval of count mean diameter 90 % interval of mean diameter"
    )


def test_without_a_measure_there_is_no_interval(folder: Path, pictures: list[Path], tmp_path: Path) -> None:
    bare = tmp_path / "seed-0"
    bare.mkdir()
    for name in ("recipe.yaml", "data.json", "model.safetensors", "status.json"):
        (bare / name).write_bytes((folder / name).read_bytes())
    rehash(bare)
    assert [one.cells.keys() for one in assay.predict(bare, pictures)] == [{"picture", "count", "mean diameter"}] * 3


def test_dropout_gives_each_picture_an_interval_of_its_own(folder: Path, pictures: list[Path]) -> None:
    kept = predict_uncertain(folder, pictures)
    assert isinstance(kept, IntervalPredictions)
    widths = {high - low for one in kept.each for low, high in [one.intervals["count"]]}
    assert len(widths) == 3
    recipe_, about, model = load_run(folder)
    image = read_picture(pictures[0], about, recipe_.data.fit)[None]
    passes = Injection(passes=8, seed=0)
    said = predictive_gaussian(model, [(image, torch.zeros(1, 2))], kept.calibration, passes)
    half = 1.6448536 * np.sqrt(said.variance[0, 0]) * about["target_deviation"][0]
    value = said.mean[0, 0] * about["target_deviation"][0] + about["target_mean"][0]
    assert kept.each[0].intervals["count"] == pytest.approx((value - half, value + half))
    assert "passes with injected dropout of" in text(answer_table(kept.rows, kept.notes))
    alone = predict_uncertain(folder, pictures[1:2])
    assert isinstance(alone, IntervalPredictions)
    assert alone.each[0].values == pytest.approx(kept.each[1].values)


def test_a_run_that_kept_no_calibration_finds_it_now(folder: Path, pictures: list[Path], tmp_path: Path) -> None:
    bare = tmp_path / "seed-0"
    bare.mkdir()
    for path in folder.iterdir():
        (bare / path.name).write_bytes(path.read_bytes())
    metrics = json.loads((folder / "metrics.json").read_text())
    (bare / "metrics.json").write_text(json.dumps({k: v for k, v in metrics.items() if k != "dropout_rate"}))
    rehash(bare)
    kept, found = predict_uncertain(folder, pictures), predict_uncertain(bare, pictures)
    assert isinstance(kept, IntervalPredictions)
    assert isinstance(found, IntervalPredictions)
    assert found.calibration.rate == kept.calibration.rate
    assert np.allclose(found.calibration.scale, kept.calibration.scale)
    for one, other in zip(kept.each, found.each, strict=True):
        assert one.values == pytest.approx(other.values, rel=1e-5)
        assert one.intervals["count"] == pytest.approx(other.intervals["count"], rel=1e-4)


def test_layers_are_probed_by_smoothness(folder: Path) -> None:
    found = probe(folder, images=60)
    assert set(found.table["index"]) == {"smoothness"}
    kept = pl.read_parquet(folder / "separation.parquet").filter(pl.col("value").is_not_null())
    assert found.table["value"].to_list() == pytest.approx(kept["value"].to_list())
    assert "On the test images smoothness is highest after" in text(probe_table(found))


# ------------------------------------------------------------------------------------------ refused


def refused(tmp_path: Path, changes: dict[str, Any]) -> str:
    base = {**BASE, "evaluate": ["cost"], **changes}
    with pytest.raises(AssayError) as raised:
        run_study(Study.model_validate({"title": "t", "name": "t", "base": base, "seeds": 1}), tmp_path, quiet=True)
    assert not list(tmp_path.rglob("history.parquet"))
    return str(raised.value)


def test_a_source_of_another_kind_of_truth_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path, {"data": {"source": "digits"}})
    assert "task regression needs numbers an image, and the images of digits have labels" in said
    said = refused(tmp_path, {"task": "classification"})
    assert "task classification needs one label an image, and the images of discs have values" in said


def test_a_constant_target_is_refused_before_training() -> None:
    values = np.column_stack([np.arange(48.0), np.full(48, 7.0)])
    with pytest.raises(AssayError, match=r"target 'b' .* does not vary over the 24 training images \(it is 7\)"):
        check_targets(recipe(), value_data(values, ("a", "b")))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train": {"loss": "cross_entropy"}}, "'cross_entropy' is no loss of task regression; .*huber, mae, mse"),
        ({"train": {"loss": {"name": "huber", "delta": 0}}}, "greater than 0"),
        ({"train": {"watch": "accuracy"}}, "'accuracy' is no value to watch of task regression"),
        ({"evaluate": ["classification"]}, "'classification' is no measure of task regression"),
        ({"evaluate": [{"name": "separation", "indices": ["center"]}]}, "index 'center' needs one label an image"),
        ({"task": "classification", "evaluate": [{"name": "separation", "indices": ["smoothness"]}]},
         "index 'smoothness' needs numbers an image; task classification has one label an image"),
        ({"task": "classification", "train": {"loss": "mae"}}, "'mae' is no loss of task classification"),
        ({"data": {"source": "discs", "balance": "oversample"}}, "data.balance needs one label an image"),
    ],
)  # fmt: skip
def test_recipes_that_regression_does_not_know_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        recipe(**changes)


def test_what_a_recipe_leaves_out_is_what_regression_has() -> None:
    made = recipe(evaluate=["regression", "separation"])
    assert (made.train.loss.name, made.train.watch) == ("mse", "r2")
    assert [measure.name for measure in recipe().evaluate] == ["regression", "cost"]
    assert made.dump()["evaluate"][1]["indices"] == ["smoothness"]
    assert Recipe.model_validate(made.dump()).hash == made.hash


def test_what_needs_labels_says_so(folder: Path) -> None:
    with pytest.raises(AssayError, match="refit needs one label an image, and the images of discs have numbers"):
        refit(folder)
