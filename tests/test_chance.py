"""What ignoring the images reaches: worked out by hand, and as the best of all constant answers."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.recipe import CrossEntropy, Focal, MeanSquaredError
from assay.tasks import catalogue
from assay.tasks.classification.measure import quality
from assay.tasks.classification.predictions import Predictions as Labelled
from assay.tasks.multilabel.predictions import Predictions as Tagged
from assay.tasks.predicting import scores
from assay.tasks.regression.predictions import Predictions as Valued

PLAIN = CrossEntropy()


def labelled(labels, chances):
    """What answers every image with the same probabilities."""
    n = len(labels)
    told = np.tile(np.asarray(chances, np.float32), (n, 1))
    losses = -np.log(np.maximum(told[np.arange(n), labels], 1e-12))
    return Labelled(np.arange(n), np.asarray(labels, np.int64), told, losses.astype(np.float32))


def table_of(found):
    return found.table("test", [str(i) for i in range(len(found.indices))])


def value(task, table, metric, loss=PLAIN):
    found = catalogue.task(task).chance(table, metric, loss)
    return None if found is None else found.value


LABELS = [0] * 6 + [1] * 3 + [2] * 1
"""Shares 0.6, 0.3, 0.1 of four classes, the last without an image."""


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("accuracy", 0.6),
        ("balanced_accuracy", 1 / 3),
        ("f1_macro", 2 * 0.6 / 1.6 / 3),
        ("top_2_accuracy", 0.9),
        ("roc_auc_macro", 0.5),
        ("average_precision_macro", 1 / 3),
        ("loss", -(0.6 * math.log(0.6) + 0.3 * math.log(0.3) + 0.1 * math.log(0.1))),
        ("train_accuracy", None),
        ("training_seconds", None),
        ("parameters", None),
    ],
)
def test_of_labels(metric, expected):
    assert value("classification", table_of(labelled(LABELS, [0.25] * 4)), metric) == pytest.approx(expected)


def test_of_equal_classes_the_loss_is_the_logarithm_of_their_number():
    table = table_of(labelled(list(range(10)) * 3, [0.1] * 10))
    assert value("classification", table, "loss") == pytest.approx(math.log(10))
    assert value("classification", table, "loss", Focal()) == pytest.approx(math.log(10))
    assert value("classification", table, "loss", MeanSquaredError()) == pytest.approx(0.1 * 0.9)


def test_under_label_smoothing_the_loss_is_the_entropy_of_the_smoothed_shares():
    smooth = [0.9 * share + 0.1 / 4 for share in (0.6, 0.3, 0.1, 0.0)]
    expected = -sum(p * math.log(p) for p in smooth)
    table = table_of(labelled(LABELS, [0.25] * 4))
    assert value("classification", table, "loss", CrossEntropy(label_smoothing=0.1)) == pytest.approx(expected)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=30))
def test_of_labels_it_is_what_the_measure_gives_to_the_best_constant_answer(labels):
    answers = [quality(labelled(labels, np.eye(4)[k]), ()) for k in range(4)]
    table = table_of(labelled(labels, [0.25] * 4))
    for metric in ("accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "f1_weighted"):
        assert value("classification", table, metric) == pytest.approx(max(answer[metric] for answer in answers))


@given(st.lists(st.integers(0, 2), min_size=2, max_size=30), st.lists(st.floats(0.01, 1), min_size=3, max_size=3))
def test_no_row_of_probabilities_has_a_smaller_loss(labels, parts):
    chances = np.asarray(parts) / sum(parts)
    found = labelled(labels, chances)
    assert value("classification", table_of(found), "loss") <= scores(found, ["loss"])["loss"] + 1e-6


TAGS = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0]], bool)
"""Shares 0.75, 0.5 and none."""


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("average_precision_macro", 0.625),
        ("average_precision_b", 0.5),
        ("f1_macro", (1.5 / 1.75 + 1 / 1.5) / 2),
        ("f1_micro", 2 * 5 / (8 + 5)),  # the first two of every image: 5 of 8 are right, and 5 are there
        ("exact_match", 0.5),
        ("hamming_loss", (0.25 + 0.5 + 0) / 3),
        ("loss", (-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) + math.log(2)) / 3),
        ("recall_macro", None),
    ],
)
def test_of_tags(metric, expected):
    found = Tagged(np.arange(4), ("a", "b", "c"), TAGS, np.full((4, 3), 0.5, np.float32), np.zeros(4, np.float32))
    assert value("multilabel", table_of(found), metric) == pytest.approx(expected)


def test_of_tags_average_precision_is_what_equal_scores_give():
    found = Tagged(np.arange(4), ("a", "b", "c"), TAGS, np.full((4, 3), 0.5, np.float32), np.zeros(4, np.float32))
    assert scores(found, ["average_precision_macro"])["average_precision_macro"] == pytest.approx(0.625)


def test_of_one_number():
    truth = np.array([[1.0], [2.0], [3.0], [10.0]])
    table = table_of(Valued(np.arange(4), ("age",), truth, truth + 1, np.zeros(4, np.float32)))
    expected = {"r2": 0.0, "mae": (1.5 + 0.5 + 0.5 + 7.5) / 4, "rmse": float(truth.std()), "spearman": 0.0}
    assert {metric: value("regression", table, metric) for metric in expected} == pytest.approx(expected, abs=1e-12)
    assert value("regression", table, "loss") is None
    several = Valued(np.arange(4), ("age", "size"), truth / [[1.0, 3.0]], truth * [[1.0, 0.1]], np.zeros(4, np.float32))
    assert value("regression", table_of(several), "r2") == 0
    assert catalogue.task("regression").chance(table, "mae", PLAIN).guess == "guessing the median"


def test_of_several_numbers_each_has_its_own():
    truth = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 40.0]])
    table = table_of(Valued(np.arange(3), ("a", "b"), truth, truth, np.zeros(3, np.float32)))
    assert value("regression", table, "mae_a") == pytest.approx(4 / 3)
    assert value("regression", table, "mae_b") == pytest.approx(10)
    assert value("regression", table, "mae") is None


def test_of_pixels_every_one_is_of_the_largest_class():
    table = pl.DataFrame({"truth": [{"sky": 6, "road": 2}, {"sky": 4, "road": 8}, {"sky": 5, "road": 0}]})
    share = 15 / 25
    expected = {
        "miou": share / 2,
        "pixel_accuracy": share,
        "dice_macro": 2 * share / (1 + share) / 2,
        "class_accuracy": 0.5,
        "miou_per_image": ((6 / 8) / 2 + (4 / 12) / 2 + 1) / 3,
        "iou_road": 10 / 25,
    }
    assert {metric: value("segmentation", table, metric) for metric in expected} == pytest.approx(expected)
    assert value("segmentation", table, "border_miou") is None
    assert value("segmentation", table, "loss") is None


def test_of_boxes_it_is_nothing():
    known = {metric: value("detection", pl.DataFrame(), metric) for metric in ("map", "ap_cat", "recall_100", "f1")}
    assert known == dict.fromkeys(known, 0.0)
    assert value("detection", pl.DataFrame(), "count_error") is None
