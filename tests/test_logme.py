"""LogME against the evidence itself, maximised directly, and what must not change it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from assay.errors import AssayError
from assay.tools.ranking import logme


def sample(n: int = 30, d: int = 6, classes: int = 3, signal: float = 1.0, seed: int = 0):
    draw = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return draw.normal(size=(n, d)) + signal * draw.normal(size=(classes, d))[labels], labels


def evidence(features, y, alpha: float, beta: float) -> float:
    """log N(y; 0, I/β + F Fᵀ/α): the weights integrated out, without the paper's algebra."""
    covariance = np.eye(len(y)) / beta + features @ features.T / alpha
    return float(multivariate_normal(np.zeros(len(y)), covariance).logpdf(y))


def direct(features, labels) -> float:
    """The mean over classes of the largest evidence a row, by a search over both precisions from several starts."""
    found = []
    for c in np.unique(labels):
        y = (labels == c).astype(float)
        goal = lambda logs, y=y: -evidence(features, y, *np.exp(logs))  # noqa: E731
        starts = [(0.0, 0.0), (3.0, 2.0), (-2.0, 3.0), (6.0, 1.0)]
        found.append(max(-minimize(goal, s, method="Nelder-Mead", options={"maxiter": 4000}).fun for s in starts))
    return float(np.mean(found)) / len(labels)


@pytest.mark.parametrize(("n", "d", "signal"), [(30, 6, 1.0), (30, 6, 0.0), (20, 3, 3.0), (12, 25, 1.0), (40, 1, 0.5)])
def test_it_is_the_evidence_maximised(n: int, d: int, signal: float) -> None:
    features, labels = sample(n, d, signal=signal)
    assert logme(features, labels) == pytest.approx(direct(features, labels), abs=1e-5)


def test_without_features_it_is_that_of_noise_around_zero() -> None:
    """By hand: y ~ N(0, 1/β), best at β = n / ‖y‖², for classes with half of the rows each."""
    assert logme(np.zeros((8, 3)), np.arange(8) % 2) == pytest.approx(-(np.log(2 * np.pi * 0.5) + 1) / 2, abs=1e-9)


@given(seed=st.integers(0, 10**6), scale=st.floats(1e-4, 1e4), signal=st.floats(0, 3))
def test_rotation_scale_and_order_do_not_change_it(seed: int, scale: float, signal: float) -> None:
    features, labels = sample(signal=signal, seed=seed)
    draw = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(draw.normal(size=(6, 6)))
    order = draw.permutation(len(labels))
    value = logme(features, labels)
    assert logme(scale * features @ rotation, labels) == pytest.approx(value, abs=1e-6)
    assert logme(features[order], labels[order]) == pytest.approx(value, abs=1e-6)
    assert logme(features, 7 - 2 * labels) == pytest.approx(value, abs=1e-9)
    assert logme(np.hstack([features, np.zeros((30, 4))]), labels) == pytest.approx(value, abs=1e-6)


def test_better_features_have_more_of_it() -> None:
    values = [logme(*sample(90, signal=signal)) for signal in (0.0, 0.5, 1.0, 3.0)]
    assert values == sorted(values)


def test_labels_that_are_the_features_stay_finite() -> None:
    labels = np.arange(20) % 2
    assert np.isfinite(logme(np.eye(2)[labels], labels))


@pytest.mark.parametrize(
    ("features", "labels", "said"),
    [
        (np.zeros((1, 2)), [0], "expected rows of features"),
        (np.full((3, 2), np.nan), [0, 1, 0], "not finite"),
        (np.zeros((3, 2)), [1, 1, 1], "at least two classes"),
    ],
)
def test_what_cannot_be_measured_is_said(features, labels, said: str) -> None:
    with pytest.raises(AssayError, match=said):
        logme(features, np.array(labels))
