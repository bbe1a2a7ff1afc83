"""A study's metric that its measures do not give: refused before training, with what there is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.errors import AssayError
from assay.evaluate import measure
from assay.models import build
from assay.recipe import Model, Recipe
from assay.results.measurable import measurable, refuse_not_measured
from assay.tasks.contract import Trained
from command import assay
from synthetic import fabricate, make_study
from trained import image_data, tagged_data, trained
from valued import trained as valued_trained
from valued import value_data

INDICES = ["separation", "center", "cross_separation", "cross_center"]
BASE: dict[str, Any] = {"data": {"source": "digits"}, "model": {"name": "mlp"}}


def all_measures() -> list[Trained]:
    """Networks of each task, with every measure it knows."""
    data = image_data(classes=6, train=24, validation=12, test=12)
    separation = {"name": "separation", "splits": ["train", "validation", "test"]}
    uncertainty = {"name": "uncertainty", "passes": 2}
    classes = [{"name": "classification", "top_k": [1, 5]}, "curves", "cost", separation | {"indices": INDICES}]
    network = build(Model(name="mlp", hidden=[8], dropout=0.5), data.shape, 6)
    values = ["regression", "cost", separation, uncertainty]
    numbers = value_data(np.random.default_rng(0).random((48, 2)), ("age", "weight, kg"))
    return [
        trained(data, network, evaluate=[*classes, uncertainty]),
        trained(tagged_data(), task="multilabel", evaluate=["multilabel", "curves", "cost"]),
        valued_trained(value_data(), evaluate=values),
        valued_trained(numbers, evaluate=values),
    ]


def test_what_is_measured_is_what_could_be() -> None:
    for one in all_measures():
        found = [name for name, value in measure(one).items() if isinstance(value, int | float)]
        rows = measurable(one.recipe)
        assert not [name for name in found if not any(row.called(name) for row in rows)]


@pytest.mark.parametrize(
    ("metric", "evaluate", "told"),
    [
        ("r2", ["classification"], r"gives 'r2'; this study measures accuracy, balanced_accuracy, .* and top_5_acc"),
        ("roc_auc_macro", ["classification", "cost"], r"'roc_auc_macro' \(the measure 'curves' can\); this study"),
        ("top_3_accuracy", ["classification"], r"'top_3_accuracy' \(the measure 'classification' can\)"),
        ("si_validation", ["separation"], "this study measures si_train, si_test, csi_train and csi_test"),
        ("separation", ["separation"], r"\(it is a measure, not a metric\); this study measures si_train, si_test"),
        ("speed", ["cost"], "unknown metric 'speed'; expected one of: activation_bytes, inference_images_per_second"),
        ("r3", ["cost"], "unknown metric 'r3'; expected one of"),
    ],
)
def test_a_metric_that_the_study_does_not_measure_is_refused(metric: str, evaluate: list[str], told: str) -> None:
    with pytest.raises(AssayError, match=told):
        refuse_not_measured(make_study(base=BASE | {"evaluate": evaluate}, metric=metric))


@pytest.mark.parametrize("metric", ["top_3_accuracy", "roc_auc_macro", "csi_test", "nll_temperature", None])
def test_a_metric_that_one_of_the_measures_gives_is_not(metric: str | None) -> None:
    evaluate = [{"name": "classification", "top_k": [3]}, "curves", "separation", "uncertainty"]
    refuse_not_measured(make_study(base=BASE | {"evaluate": evaluate}, metric=metric))


def test_numbers_near_borders_are_known_by_the_width_that_is_stated() -> None:
    def stating(border: int | None) -> Recipe:
        measure = {"name": "segmentation"} | ({} if border is None else {"border": border})
        values = {"task": "segmentation", "data": {"source": "scenes"}, "model": "deeplab", "evaluate": [measure]}
        return Recipe.model_validate(values)

    def near(recipe: Recipe) -> set[str]:
        return {row.name for row in measurable(recipe) if row.name.startswith("bo")}

    assert near(stating(None)) == {"border_miou", "border_accuracy", "boundary_iou"}
    assert near(stating(5)) == {"border_5_miou", "border_5_accuracy", "boundary_5_iou"}
    assert stating(None).dump()["evaluate"] == [{"name": "segmentation"}]


def test_report_says_that_another_metric_leads(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = fabricate(tmp_path, make_study(2, 2, metric="si_test"))
    told = "assay: The study asks for SI-test, which no finished run has; accuracy leads instead.\n"
    assert told in assay(capfd, "report", folder).err
    assert told not in assay(capfd, "report", folder, "--metric", "loss").err
