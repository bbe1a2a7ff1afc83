"""An imbalanced study from the file to the page: remedies as variants, curves, the classification report, matrices."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from assay.errors import AssayError
from assay.recipe.study import Study, load_study
from assay.report.page import write_report
from assay.report.sections import classes_curves, classes_report
from assay.report.sections.classes_curves import CLASS
from assay.report.subject import Subject
from assay.results import Results
from assay.runs.engine import run as run_study
from synthetic import fabricate, make_study

STUDIES = Path(__file__).parent.parent / "studies" / "imbalance"
REMEDIES: dict[str, Any] = {
    "none": {},
    "oversample": {"data.balance": "oversample"},
    "class weights": {"train.loss": {"class_weights": "inverse"}},
}


def study(**changes: Any) -> Study:
    base = {
        "data": {"source": "digits", "train": 400, "imbalance": {"3": 0.2}, "validation": 0.2},
        "model": {"name": "mlp", "hidden": [16]},
        "train": {"epochs": 3, "optimizer": {"lr": 0.01}},
        "evaluate": ["classification", "curves"],
    }
    for key, section in changes.pop("base", {}).items():
        base[key] = {**base[key], **section}
    return Study.model_validate({"title": "t", "name": "s", "base": base, "variants": REMEDIES, "seeds": 2} | changes)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run_study(study(), tmp_path_factory.mktemp("runs"), quiet=True)


def test_every_variant_is_tested_on_the_same_images_of_the_natural_mix(results: Results) -> None:
    assert len(results.finished) == 6
    support = {tuple(results.metrics(run)["support_per_class"]) for run in results.finished}
    assert len(support) == 1
    assert min(next(iter(support))) >= 35
    assert {results.data(run)["counts"]["train"] for run in results.finished} == {294}


def test_the_areas_are_among_the_metrics_and_in_the_table(results: Results) -> None:
    names = results.metric_names
    assert {"roc_auc_macro", "average_precision_macro", "balanced_accuracy"} <= set(names)
    macro = results.stacked("curves").filter(pl.col("class").is_null(), variant="oversample", seed=1)
    areas = dict(macro.select("curve", "area").unique().iter_rows())
    run = results.run("oversample", 1)
    assert areas["roc"] == pytest.approx(results.metrics(run)["roc_auc_macro"])
    assert areas["precision_recall"] == pytest.approx(results.metrics(run)["average_precision_macro"])


def test_the_page_has_curves_reports_and_both_kinds_of_matrices(results: Results) -> None:
    page = write_report(results)
    text = page.read_text(encoding="utf-8")
    for words in ("Classification report", "ROC and precision–recall", "ROC AUC (macro)", "% of the true class"):
        assert words in text
    files = {path.name for path in page.parent.glob("*/*")}
    assert {"curves-roc.svg", "curves-precision_recall.csv", "report-2-oversample.tex"} <= files


def test_the_report_agrees_with_the_metrics(results: Results) -> None:
    reports = dict(classes_report.tables(Subject(results)))
    assert set(reports) == set(REMEDIES)
    frame = reports["class weights"].data
    runs = [results.metrics(results.run("class weights", seed)) for seed in (0, 1)]
    three = frame.filter(pl.col("class") == "3").row(0, named=True)
    assert three["recall"] == pytest.approx(np.mean([m["recall_per_class"][3] for m in runs]))
    assert three["tested"] == runs[0]["support_per_class"][3]
    assert three["trained"] == 6  # a fifth of 40, and a fifth of that validates
    macro, weighted = frame.tail(2).iter_rows(named=True)
    assert macro["f1"] == pytest.approx(np.mean([m["f1_macro"] for m in runs]))
    assert macro["roc_auc"] == pytest.approx(np.mean([m["roc_auc_macro"] for m in runs]))
    assert weighted["precision"] == pytest.approx(np.mean([m["precision_weighted"] for m in runs]))
    assert weighted["roc_auc"] is None


def test_a_line_of_the_page_is_the_mean_over_seeds(results: Results) -> None:
    roc = next(classes_curves.figures(Subject(results)))
    own = roc.frame.filter(pl.col("class") == CLASS.mean, variant="none")
    assert own["x"].is_sorted()
    assert (own["x"][0], own["x"][-1], own["y"][-1]) == (0, 1, 1)
    assert own.height <= classes_curves.POINTS
    mean = np.mean([results.metrics(results.run("none", seed))["roc_auc_macro"] for seed in (0, 1)])
    assert own["area"][0] == pytest.approx(mean)
    assert np.trapezoid(own["y"], own["x"]) == pytest.approx(mean, abs=5e-3)


def test_a_study_without_curves_has_its_report_and_no_curves(tmp_path: Path) -> None:
    old = Results.read(fabricate(tmp_path, make_study()))
    subject = Subject(old)
    assert list(classes_curves.figures(subject)) == classes_curves.missing(subject) == []
    _, best = classes_report.tables(subject)[0]
    assert "roc_auc" not in best.data.columns
    assert [column.heading for column in best.columns][-1] == "test images"
    assert "training images" not in [column.heading for column in best.columns]
    assert "ROC and precision" not in write_report(old).read_text(encoding="utf-8")


def test_a_class_without_test_images_is_told_on_the_page(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for split, classes in (("train", ["a", "b", "c <i>"]), ("test", ["a", "b"])):
        for name in classes:
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for i in range(8):
                pixels = random.integers(0, 256, (6, 6), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "data" / split / name / f"{i}.png")
    source = {"source": str(tmp_path / "data"), "train": 1.0, "imbalance": None}
    found = run_study(study(base={"data": source}, seeds=1), tmp_path / "runs", quiet=True)
    assert len(found.finished) == 3
    text = write_report(found).read_text(encoding="utf-8")
    assert "Without a curve: <bdi>c &lt;i&gt; (no test image has it)</bdi>." in text
    assert "in no mean over classes: <bdi>c &lt;i&gt;</bdi>." in text
    assert all(metrics["f1_per_class"][2] is None for metrics in map(found.metrics, found.finished))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"imbalance": {"three": 0.1}}}, r"data.imbalance: unknown class 'three'; expected one of: 0, 1"),
        ({"train": {"loss": {"class_weights": [1, 2]}}}, r"class_weights has 2 numbers, expected 10"),
        ({"data": {"imbalance": {"3": 0.05}}}, r"class '3' \(2 images\) without any in the validation split"),
    ],
)
def test_mistakes_are_told_before_training(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=message):
        run_study(study(base=changes, variants={"one": {}}), tmp_path, quiet=True)
    assert not list(tmp_path.rglob("history.parquet"))


@pytest.mark.parametrize("name", ["brain-mri", "cifar10"])
def test_the_studies_of_remedies_are_valid(name: str) -> None:
    found = load_study(STUDIES / f"{name}.yaml")
    assert {"none", "oversample", "undersample", "class weights", "focal"} <= set(found.plan)
    assert len(found.seed_list) >= 3
    assert {"classification", "curves"} <= {m.name for v in found.plan.values() for m in v.recipe.evaluate}
