"""Measures of uncertainty: by hand, against scikit-learn and torchmetrics, and what holds for any predictions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve
from torchmetrics.functional.classification import multiclass_calibration_error

from assay.errors import AssayError
from assay.uncertainty import (
    accuracy_at_coverage,
    answers,
    area_under_risk_coverage,
    brier_score,
    calibration_error,
    error_auroc,
    negative_log_likelihood,
    reliability,
    risk_coverage,
    scores,
)

P = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.1, 0.9]])
Y = np.array([0, 1, 1, 0])


def some(n: int, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.dirichlet(np.ones(classes), n), random.integers(0, classes, n)


def test_by_hand() -> None:
    assert negative_log_likelihood(P, Y) == pytest.approx(-math.log(0.8 * 0.4 * 0.7 * 0.1) / 4)
    assert brier_score(P, Y) == pytest.approx(2 * (0.04 + 0.36 + 0.09 + 0.81) / 4)
    # confidences 0.6 (wrong) in (0.5, 0.6], 0.7 (right), 0.8 (right), 0.9 (wrong)
    assert calibration_error(P, Y, bins=10) == pytest.approx((0.6 + 0.3 + 0.2 + 0.9) / 4)
    assert calibration_error(P, Y, bins=2, adaptive=True) == pytest.approx((abs(0.65 - 0.5) + abs(0.85 - 0.5)) / 2)
    confidence, right = answers(P, Y)
    assert risk_coverage(confidence, right)["risk"].to_list() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 2])
    assert area_under_risk_coverage(confidence, right) == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert accuracy_at_coverage(confidence, right, 0.75) == pytest.approx(2 / 3)
    assert accuracy_at_coverage(confidence, right, 0.7) == pytest.approx(2 / 3)  # 2.8 images, the nearest number is 3
    assert error_auroc(confidence, right) == 0.5


def test_a_bin_holds_its_upper_edge() -> None:
    table = reliability(np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([0, 0]), bins=2)
    assert table.select("bin", "low", "high", "images").rows() == [(0, 0.0, 0.5, 1), (1, 0.5, 1.0, 1)]


def test_as_scikit_learn() -> None:
    p, y = some(500)
    assert negative_log_likelihood(p, y) == pytest.approx(metrics.log_loss(y, p, labels=range(4)))
    confidence, right = answers(p, y)
    accuracy, mean = calibration_curve(right, confidence, n_bins=10)
    table = reliability(p, y, bins=10)
    assert table["accuracy"].to_list() == pytest.approx(accuracy.tolist())
    assert table["confidence"].to_list() == pytest.approx(mean.tolist())
    two, label = some(300, 2)
    assert brier_score(two, label) == pytest.approx(2 * metrics.brier_score_loss(label, two[:, 1]))


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_calibration_error_as_torchmetrics(bins: int) -> None:
    p, y = some(500)
    theirs = multiclass_calibration_error(torch.from_numpy(p), torch.from_numpy(y), num_classes=4, n_bins=bins)
    assert calibration_error(p, y, bins) == pytest.approx(theirs.item(), rel=1e-5)


def test_adaptive_bins_hold_equally_many() -> None:
    p, y = some(150)
    assert reliability(p, y, 15, adaptive=True)["images"].to_list() == [10] * 15


def test_a_probability_of_zero_is_finite_and_no_errors_have_no_auroc() -> None:
    sure = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert math.isfinite(negative_log_likelihood(sure, np.array([1, 0])))
    assert error_auroc(*answers(sure, np.array([0, 0]))) is None
    assert "auroc" not in scores(sure, np.array([0, 0]))


@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(2, 5))
def test_the_order_of_images_does_not_matter(seed: int, n: int, classes: int) -> None:
    p, y = some(n, classes, seed)
    p = np.round(p, 1) + 1e-9  # many as sure as one another
    p /= p.sum(axis=1, keepdims=True)
    order = np.random.default_rng(seed).permutation(n)
    assert scores(p[order], y[order]) == pytest.approx(scores(p, y))


@given(st.integers(0, 10_000))
def test_within_their_bounds(seed: int) -> None:
    found = scores(*some(40, 3, seed))
    assert found["nll"] >= 0
    assert 0 <= found["brier"] <= 2
    assert all(0 <= found[name] <= 1 for name in ("ece", "adaptive_ece", "aurc", "accuracy", "accuracy_at_90"))
    assert found["accuracy"] == pytest.approx(1 - risk_coverage(*answers(*some(40, 3, seed)))["risk"][-1])


@pytest.mark.parametrize(
    ("p", "y", "words"),
    [
        (np.zeros((0, 2)), np.zeros(0, np.int64), "0 images"),
        (P * 2, Y, "sum 1"),
        (np.full((1, 2), np.nan), Y[:1], "finite"),
        (P, Y + 1, "label 2"),
    ],
)
def test_bad_input_is_told(p: np.ndarray, y: np.ndarray, words: str) -> None:
    with pytest.raises(AssayError, match=words):
        negative_log_likelihood(p, y)


def test_bins_below_one_are_told() -> None:
    with pytest.raises(AssayError, match="at least 1"):
        reliability(P, Y, bins=0)
