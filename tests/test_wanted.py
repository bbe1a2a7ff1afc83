"""The keys of a study that say in which terms its answer is wanted: reference, indifferent, select_on."""

import math
import re

import polars as pl
import pytest
import yaml

from assay import AssayError, load_study
from assay.results import Results
from assay.results.wanted import indifference, refuse_unwanted
from assay.start.plan import plan
from synthetic import fabricate, make_study

BASE = {"data": {"source": "digits"}, "model": {"name": "mlp"}}


def load(tmp_path, **fields):
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump({"title": "t", "base": BASE, **fields}, allow_unicode=True), encoding="utf-8")
    return load_study(path)


@pytest.mark.parametrize("name", ["activation=tanh", "tanh"])
def test_a_reference_is_named_by_its_name_or_by_its_level(name):
    assert make_study(3, reference=name).reference_variant == "activation=tanh"


def test_the_base_is_the_reference_of_one_change_at_a_time_unless_another_is_named():
    assert make_study(3).reference_variant is None
    assert make_study(3, design="one_at_a_time").reference_variant == "base"
    assert make_study(3, design="one_at_a_time", reference="tanh").reference_variant == "activation=tanh"


def test_an_unknown_reference_is_told_with_the_nearest_name(tmp_path):
    with pytest.raises(AssayError, match=r"s\.yaml: reference: unknown variant 'tahn'; did you mean 'tanh'\?"):
        load(tmp_path, vary={"model.activation": ["relu", "tanh"]}, reference="tahn")


@pytest.mark.parametrize(
    ("metric", "stated", "value"),
    [
        ("accuracy", 0.5, 0.005),
        ("accuracy", "0.5 points", 0.005),
        ("accuracy", "0.5points", 0.005),
        ("loss", 0.02, 0.02),
        ("loss", "2e-2", 0.02),
        ("training_seconds", "2 s", 2.0),
        ("weight_bytes", "0.1 MB", 100_000.0),
        ("parameters", 5, 5.0),
    ],
)
def test_an_indifference_is_in_the_unit_in_which_differences_are_shown(metric, stated, value):
    assert indifference(make_study(2, metric=metric, indifferent=stated)) == pytest.approx(value)


def test_without_a_metric_of_its_own_the_task_says_the_unit_and_nothing_stated_is_none():
    assert indifference(make_study(2, indifferent="1 points")) == pytest.approx(0.01)
    assert indifference(make_study(2)) is None


@pytest.mark.parametrize(
    "stated", [0, -0.5, math.nan, math.inf, "0", "-1 points", "nan", "0.5 %", "half", "", True, False, [1]]
)
def test_what_is_no_difference_above_0_is_one_sentence(tmp_path, stated):
    with pytest.raises(AssayError, match=r"s\.yaml: indifferent: .*expected a difference above 0") as found:
        load(tmp_path, indifferent=stated)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("metric", "stated", "shown"),
    [("accuracy", "2 s", "in points"), ("training_seconds", "1 points", "in s"), ("loss", "1 MB", "as numbers")],
)
def test_an_indifference_in_another_unit_is_told_with_the_right_one(metric, stated, shown):
    with pytest.raises(AssayError, match=re.escape(f"differences of {metric} are shown {shown}")):
        refuse_unwanted(make_study(2, metric=metric, indifferent=stated))


def test_an_indifference_that_no_difference_exceeds_is_refused():
    study = make_study(2, indifferent=100)
    with pytest.raises(
        AssayError, match=r"found 100.0, but no two values of accuracy differ by more than 100\.0 points"
    ):
        indifference(study)
    assert indifference(make_study(2, indifferent=99)) == 0.99
    assert indifference(make_study(2, metric="loss", indifferent=500)) == 500


def test_a_choice_by_validation_images_needs_them_and_a_metric_of_answers(tmp_path):
    chosen = load(tmp_path, select_on="validation", vary={"data.validation": [0.1, 0.2]})
    refuse_unwanted(chosen)
    with pytest.raises(AssayError, match="select_on: validation, but variant 'validation=0' has no validation images"):
        load(
            tmp_path,
            select_on="validation",
            base=BASE | {"train": {"keep": "last"}},
            vary={"data.validation": [0.1, 0]},
        )
    with pytest.raises(AssayError, match="training_seconds is no property of single answers"):
        refuse_unwanted(make_study(2, metric="training_seconds", select_on="validation"))
    with pytest.raises(AssayError, match="select_on: found 'val'; expected one of: test, validation"):
        load(tmp_path, select_on="val")


@pytest.mark.parametrize("metric", ["train_loss", "validation_accuracy", "roc_auc_macro"])
def test_a_metric_that_validation_images_do_not_give_cannot_choose_and_is_refused_before_training(metric):
    with pytest.raises(AssayError, match=f"select_on: validation, but the study's metric {metric} is "):
        refuse_unwanted(make_study(2, metric=metric, select_on="validation"))
    refuse_unwanted(make_study(2, metric=metric))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"indifferent": "2 s"}, r"s\.yaml: indifferent: found '2 s'"),
        ({"indifferent": 500}, r"s\.yaml: indifferent: found 500.*, but no two values"),
        ({"select_on": "validation", "metric": "parameters"}, r"s\.yaml: select_on: validation, but"),
        ({"metric": "acuracy"}, r"s\.yaml: metric: unknown metric 'acuracy'; did you mean 'accuracy'"),
        ({"metric": "psnr_x"}, r"s\.yaml: metric: "),
    ],
)
def test_what_is_wanted_in_wrong_terms_is_told_with_file_and_key(tmp_path, fields, told):
    study = load(tmp_path, **fields)
    for told_by in (study, study.varying({"model.activation": ["relu", "tanh"]})):
        with pytest.raises(AssayError, match=f"^.*{told}"):
            plan(told_by, 1.0)


def test_the_keys_survive_a_round_trip():
    study = make_study(2, reference="elu", indifferent="0.5 points", select_on="validation")
    again = type(study).model_validate(yaml.safe_load(study.dump()))
    assert (again.reference, again.indifferent, again.select_on) == ("elu", "0.5 points", "validation")


def test_the_variant_is_chosen_by_its_validation_images_and_told_by_its_test_images(tmp_path):
    study = make_study(2, seeds=3, select_on="validation")
    folder = fabricate(tmp_path, study, accuracies=[0.9, 0.7], noise=0.0)
    for seed in range(3):  # the worse one on the test images is right on all validation images
        path = folder / "activation=elu" / f"seed-{seed}" / "predictions.parquet"
        is_told = pl.when(pl.col("split") == "validation").then("predicted").otherwise("label")
        pl.read_parquet(path).with_columns(label=is_told).write_parquet(path)
    results = Results.read(folder)
    assert results.best() == "activation=elu"
    assert results.answering().reference == "activation=elu"
    assert (
        "elu was chosen by the validation images (100.0 % on them); the test images chose nothing." in results.verdict()
    )
    assert results.best("training_seconds") in study.plan
    (folder / "study.yaml").write_text((folder / "study.yaml").read_text().replace("select_on: validation\n", ""))
    again = Results.read(folder)
    assert again.best() == "activation=relu"
    assert "chosen by" not in again.verdict()


def test_runs_without_validation_images_cannot_be_chosen_by_them(tmp_path):
    folder = fabricate(tmp_path, make_study(2, select_on="validation"), validation=False)
    with pytest.raises(AssayError, match="select_on: validation, but the run of 'activation=relu' with seed 0"):
        Results.read(folder).verdict()
