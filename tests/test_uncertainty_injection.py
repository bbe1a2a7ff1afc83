"""Injected dropout for classes and for numbers: what tuning finds, on networks small enough to train here."""

import math
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_digits
from torch import Tensor, nn

from assay.errors import AssayError
from assay.uncertainty import (
    Calibration,
    GaussianCalibration,
    Injection,
    Predictive,
    calibrate,
    calibrate_gaussian,
    ensemble,
    gaussian_nll,
    mean_of_passes,
    negative_log_likelihood,
    predictive,
    predictive_gaussian,
)
from assay.uncertainty.gaussian import best_scale
from assay.uncertainty.injection import RATES, SCALES, class_logits, interval, spread


class Pairs:
    """Rows in batches, to be gone through any number of times."""

    def __init__(self, x: np.ndarray, y: np.ndarray, batch: int = 150) -> None:
        self.x, self.y, self.batch = torch.tensor(x, dtype=torch.float32), torch.tensor(y), batch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self.x.split(self.batch), self.y.split(self.batch), strict=True)


def fitted(model: nn.Module, pairs: Pairs, loss: nn.Module, epochs: int) -> nn.Module:
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(epochs):
        for x, y in pairs:
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
    return model


@pytest.fixture(scope="module")
def digits() -> dict[str, Pairs]:
    x, y = load_digits(return_X_y=True)
    random = np.random.default_rng(0)
    y = np.where(random.random(len(y)) < 0.15, random.integers(0, 10, len(y)), y)  # mistakes to be unsure about
    return {
        "train": Pairs(x[:700], y[:700]),
        "validation": Pairs(x[700:1200], y[700:1200]),
        "test": Pairs(x[1200:], y[1200:]),
    }


@pytest.fixture(scope="module")
def network(digits: dict[str, Pairs]) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)
    )
    return fitted(model, digits["train"], nn.CrossEntropyLoss(), 40)


def test_tuning_lowers_the_likelihood_of_unseen_images(network: nn.Module, digits: dict[str, Pairs]) -> None:
    injection = Injection(passes=20)
    found = calibrate(network, digits["validation"], injection)
    assert found.temperature > 1
    assert found.rate in RATES
    assert found.scale in SCALES
    assert found.nll["temperature"] < found.nll["plain"]
    assert found.nll["injected"] < found.nll["plain"]
    assert found.absent == ()
    said = predictive(network, digits["test"], found, injection)
    nll = {name: negative_log_likelihood(p, said.labels) for name, p in said.probabilities.items()}
    assert list(nll) == ["plain", "temperature", "injected", "trained"]
    assert max(nll, key=nll.__getitem__) == "plain"
    assert (said.probabilities["temperature"].argmax(axis=1) == said.probabilities["plain"].argmax(axis=1)).all()
    assert (said.variance >= 0).all()
    answer = said.probabilities[found.method].argmax(axis=1)
    rows = np.arange(len(answer))
    inside = (said.low[rows, answer] <= said.probabilities[found.method][rows, answer]) & (
        said.probabilities[found.method][rows, answer] <= said.high[rows, answer]
    )
    assert inside.mean() > 0.95


def test_what_tuning_says_is_what_prediction_gives(network: nn.Module, digits: dict[str, Pairs]) -> None:
    injection = Injection(["0", "4"], passes=5, seed=7)
    found = calibrate(network, digits["validation"], injection)
    said = predictive(network, digits["validation"], found, injection)
    for method, nll in found.nll.items():
        assert negative_log_likelihood(said.probabilities[method], said.labels) == pytest.approx(nll, rel=1e-5)
    for method, bound in found.unsure_below.items():
        confidence = said.probabilities[method].max(axis=1)
        assert (confidence < bound).mean() == pytest.approx(0.1, abs=0.005)


def test_trained_dropout_is_the_mean_of_its_own_passes(network: nn.Module, digits: dict[str, Pairs]) -> None:
    own = mean_of_passes(network, digits["test"], Injection("own", passes=10))
    injected = mean_of_passes(network, digits["test"], Injection(["1"], passes=10), rate=0.3)
    assert np.abs(own - injected).max() < 1e-6  # the same masks in the same place


def test_passes_with_trained_dropout_are_made_only_where_asked_for(
    network: nn.Module, digits: dict[str, Pairs], monkeypatch: pytest.MonkeyPatch
) -> None:
    injection = Injection(passes=20)
    found = calibrate(network, digits["validation"], injection)
    calls = Mock(side_effect=network[2].forward)
    monkeypatch.setattr(network[2], "forward", calls)
    said = predictive(network, digits["test"], found, injection, trained=False)
    few = calls.call_count
    whole = predictive(network, digits["test"], found, injection)
    assert few < injection.passes
    assert calls.call_count >= 2 * few + injection.passes
    assert {*whole.probabilities} - {*said.probabilities} == {"trained"}


def test_a_class_without_validation_images_is_named(network: nn.Module, digits: dict[str, Pairs]) -> None:
    keep = (digits["validation"].y != 3) & (digits["validation"].y != 8)
    few = Pairs(digits["validation"].x[keep].numpy(), digits["validation"].y[keep].numpy())
    assert calibrate(network, few, Injection(passes=2)).absent == (3, 8)


def test_one_logit_is_two_classes() -> None:
    z = torch.tensor([[2.0], [-1.0]])
    assert torch.allclose(class_logits(z).softmax(1)[:, 1], torch.sigmoid(z)[:, 0])
    model = nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 1))
    x = np.random.default_rng(0).normal(size=(40, 3))
    pairs = Pairs(x, (x[:, 0] > 0).astype(np.int64))
    said = predictive(model, pairs, calibrate(model, pairs, Injection(passes=3)), Injection(passes=3))
    assert said.probabilities["injected"].shape == (40, 2)


@given(st.integers(0, 1000), st.sampled_from(SCALES))
def test_the_scale_is_on_the_variance_and_not_on_the_mean(seed: int, scale: float) -> None:
    passes = torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    wider = spread(passes, scale)
    assert torch.allclose(wider.mean(0), passes.mean(0))
    assert torch.allclose(wider.var(0), scale * passes.var(0))


def test_the_interval_by_hand() -> None:
    low, high = interval(torch.arange(101.0).flip(0).view(101, 1, 1))
    assert (low.item(), high.item()) == (5.0, 95.0)
    low, high = interval(torch.tensor([0.2, 0.7]).view(2, 1, 1))
    assert (low.item(), high.item()) == pytest.approx((0.2, 0.7))


@pytest.mark.parametrize("passes", [1, 0, -3])
def test_fewer_than_two_passes_are_refused(passes: Any) -> None:
    with pytest.raises(AssayError, match=f"found {passes!r} passes, expected 2 or more"):
        Injection(passes=passes)


def test_batches_may_come_in_another_order_or_only_once(network: nn.Module, digits: dict[str, Pairs]) -> None:
    class Shuffled(Pairs):
        def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
            order = torch.randperm(len(self.y))
            return zip(self.x[order].split(150), self.y[order].split(150), strict=True)

    injection = Injection(passes=20)
    found = calibrate(network, digits["validation"], injection)
    as_they_lie = predictive(network, digits["test"], found, injection)
    shuffled = Shuffled(digits["test"].x.numpy(), digits["test"].y.numpy())
    for batches in (shuffled, iter(digits["test"])):
        said = predictive(network, batches, found, injection)
        for method, probabilities in said.probabilities.items():
            right = (probabilities.argmax(axis=1) == said.labels).mean()
            expected = (as_they_lie.probabilities[method].argmax(axis=1) == as_they_lie.labels).mean()
            assert right == pytest.approx(expected, abs=0.03), method
    for none in (lambda: predictive(network, [], found), lambda: mean_of_passes(network, [], Injection("own"))):
        with pytest.raises(AssayError, match="there are no images to predict"):
            none()


def test_an_interval_beside_the_temperature_takes_no_scale(network: nn.Module, digits: dict[str, Pairs]) -> None:
    injection, plain = Injection(passes=20), {"plain": 1.0}
    few = [(digits["test"].x[:20], digits["test"].y[:20])]

    def said(method: str, temperature: float, scale: float) -> Predictive:
        nll = plain | dict.fromkeys(("temperature", "injected"), 0.5) | {method: 0.1}
        return predictive(network, few, Calibration(temperature, 0.3, scale, nll, {}), injection)

    one, other = said("temperature", 1.0, 1.0), said("temperature", 1.0, 16.0)
    assert np.array_equal(one.low, other.low)
    wide = said("injected", 1.0, 16.0)
    assert (wide.high - wide.low).mean() > (one.high - one.low).mean()
    assert np.allclose(said("injected", 3.0, 1.0).low, one.low)


def test_an_interval_beside_the_temperature_is_softened_by_it(network: nn.Module, digits: dict[str, Pairs]) -> None:
    few = [(digits["test"].x[:20], digits["test"].y[:20])]
    nll = {"plain": 1.0, "temperature": 0.1, "injected": 0.5}
    said = predictive(network, few, Calibration(1e6, 0.3, 1.0, nll, {}), Injection(passes=20))
    assert np.allclose(said.low, 0.1, atol=1e-3)
    assert np.allclose(said.high, 0.1, atol=1e-3)


def test_outputs_that_are_not_finite_and_no_images_are_told(digits: dict[str, Pairs]) -> None:
    broken = nn.Linear(64, 10)
    nn.init.constant_(broken.weight, math.inf)
    with pytest.raises(AssayError, match="not finite"):
        calibrate(broken, digits["validation"], Injection(passes=2))
    with pytest.raises(AssayError, match="no validation images"):
        calibrate(nn.Linear(64, 10), [], Injection(passes=2))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (torch.tensor([0, 7, 1]), "found 7, expected 0 to 2"),
        (torch.tensor([0, -1, 1]), "found -1, expected 0 to 2"),
        (torch.eye(3), r"found torch.float32 of shape \(3, 3\), expected a whole number for each of 3 images"),
        (torch.tensor([0.0, 1.0, 2.0]), "found torch.float32"),
        (torch.eye(3).long(), r"of shape \(3, 3\)"),
        (torch.tensor([0, 1]), "expected a whole number for each of 3 images"),
    ],
)
def test_labels_that_are_not_one_class_each_are_told(labels: Tensor, words: str) -> None:
    with pytest.raises(AssayError, match=words):
        calibrate(nn.Linear(4, 3), [(torch.randn(3, 4), labels)], Injection(passes=2))


def test_whole_numbers_of_any_size_are_labels() -> None:
    model, x = nn.Linear(4, 3), torch.randn(3, 4)
    batches = [[(x, torch.tensor([0, 2, 1], dtype=kind))] for kind in (torch.int64, torch.int32, torch.uint8)]
    assert len({str(calibrate(model, each, Injection(passes=2))) for each in batches}) == 1


# ------------------------------------------------------------------------------------------- regression


@pytest.fixture(scope="module")
def diabetes() -> dict[str, Pairs]:
    x, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = 20 * x[order], ((y - y.mean()) / y.std())[order, None].astype(np.float32)
    parts = {"train": slice(0, 240), "validation": slice(240, 340), "test": slice(340, None)}
    return {name: Pairs(x[part], y[part], 60) for name, part in parts.items()}


@pytest.fixture(scope="module")
def regressor(diabetes: dict[str, Pairs]) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    return fitted(model, diabetes["train"], nn.MSELoss(), 20)


def test_regression_tuning_finds_a_variance_that_fits(regressor: nn.Module, diabetes: dict[str, Pairs]) -> None:
    injection = Injection(passes=40)
    found = calibrate_gaussian(regressor, diabetes["validation"], injection)
    said = predictive_gaussian(regressor, diabetes["test"], found, injection)
    nll = gaussian_nll(said.mean, said.variance, said.targets)
    unscaled = GaussianCalibration(found.rate, 1.0, 0.0)
    plain = predictive_gaussian(regressor, diabetes["test"], unscaled, injection)
    assert nll < gaussian_nll(plain.mean, plain.variance, plain.targets)
    z = (said.targets - said.mean) / np.sqrt(said.variance)
    assert 0.5 < (z**2).mean() < 2  # about 1 where the variance is that of the errors
    assert 0.8 < (np.abs(z) < 1.96).mean() <= 1
    again = predictive_gaussian(regressor, diabetes["validation"], found, injection)
    assert gaussian_nll(again.mean, again.variance, again.targets) == pytest.approx(found.nll)


@given(st.integers(0, 1000))
def test_the_closed_form_is_the_least(seed: int) -> None:
    random = np.random.default_rng(seed)
    mean, targets, variance = random.normal(size=(20, 2)), random.normal(size=(20, 2)), random.exponential(size=(20, 2))
    variance = variance + 0.01
    scale = best_scale(mean, variance, targets)
    least = gaussian_nll(mean, scale * variance, targets)
    assert all(gaussian_nll(mean, f * scale * variance, targets) > least for f in (0.5, 0.9, 1.1, 2.0))


def test_the_gaussian_likelihood_is_that_of_torch() -> None:
    mean, variance, y = (np.random.default_rng(0).random((3, 9, 2)) + 0.1)[[0, 1, 2]]
    expected = nn.GaussianNLLLoss(full=True)(*(torch.tensor(v) for v in (mean, y, variance)))
    assert gaussian_nll(mean, variance, y) == pytest.approx(float(expected))


def test_a_value_that_no_pass_moves_is_not_certain() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 64, bias=False), nn.Linear(64, 1))
    pairs = Pairs(np.array([[0.0, 0.0], [1.0, 2.0], [-2.0, 1.0]]), np.array([0.5, 1.0, 2.0]))
    injection = Injection(passes=20)
    found = calibrate_gaussian(model, pairs, injection)
    assert math.isfinite(found.nll)
    variance = predictive_gaussian(model, pairs, found, injection).variance
    assert 0 < variance[0] < variance[1:].min()


def test_dropout_that_moves_nothing_is_told(diabetes: dict[str, Pairs]) -> None:
    model = nn.Sequential(nn.Linear(10, 4), nn.Linear(4, 1))
    nn.init.zeros_(model[1].weight)
    with pytest.raises(AssayError, match="do not vary"):
        calibrate_gaussian(model, diabetes["validation"], Injection(passes=3))


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (torch.full((8, 1), math.nan), "the targets are not finite"),
        (torch.zeros(8, 3), r"targets: found shape \(8, 3\) beside outputs of \(8, 1\), expected one for each output"),
        (torch.zeros(7, 1), r"targets: found shape \(7, 1\) beside outputs of \(8, 1\)"),
    ],
)
def test_targets_that_do_not_fit_are_told(regressor: nn.Module, targets: Tensor, words: str) -> None:
    batches = [(torch.randn(8, 10), targets)]
    with pytest.raises(AssayError, match=words):
        calibrate_gaussian(regressor, batches, Injection(passes=3))
    with pytest.raises(AssayError, match=words):
        predictive_gaussian(regressor, batches, GaussianCalibration(0.1, 1.0, 0.0), Injection(passes=3))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("Injection(passes=2.5)", "found 2.5 passes, expected 2 or more"),
        ("gaussian_nll(np.zeros((9, 1)), np.ones((9, 1)), np.zeros(9))", "found shapes (9, 1), (9, 1), (9,), expected"),
        ("scores(np.full((2, 2), 0.5), np.zeros(2))", "labels of type float64, expected whole numbers"),
    ],
)
def test_without_the_type_checks_of_the_tests_it_is_told_too(call: str, words: str) -> None:
    code = f"import numpy as np; from assay.uncertainty import *; {call}"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-1].startswith("assay.errors.AssayError: uncertainty: ")
    assert words in ended.stderr


# --------------------------------------------------------------------------------------------- ensembles


def table(rows: dict[int, tuple[int, list[float]]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"split": "test", "image": i, "name": f"{i}", "label": label, "probabilities": p}
            for i, (label, p) in rows.items()
        ]
        + [{"split": "validation", "image": 99, "name": "99", "label": 0, "probabilities": [1.0, 0.0]}]
    )


def test_the_ensemble_is_the_mean_over_the_images_in_common() -> None:
    one = table({3: (1, [0.2, 0.8]), 1: (0, [0.6, 0.4]), 7: (0, [1.0, 0.0])})
    two = table({1: (0, [0.2, 0.8]), 3: (1, [0.4, 0.6])})
    probabilities, labels = ensemble([one, two])
    assert labels.tolist() == [0, 1]
    assert probabilities.tolist() == [pytest.approx([0.4, 0.6]), pytest.approx([0.3, 0.7])]


def test_an_ensemble_is_in_the_order_of_the_images_and_of_the_same_ones_alone() -> None:
    one = table({3: (0, [0.2, 0.8]), 1: (1, [0.6, 0.4]), 7: (0, [1.0, 0.0])})
    two = table({1: (1, [0.2, 0.8]), 3: (0, [0.4, 0.6]), 7: (1, [1.0, 0.0])})
    probabilities, labels = ensemble([one, two])
    assert labels.tolist() == [1, 0]
    assert probabilities.tolist() == [pytest.approx([0.4, 0.6]), pytest.approx([0.3, 0.7])]


def test_an_ensemble_needs_runs_with_images_in_common() -> None:
    with pytest.raises(AssayError, match="found 1 runs"):
        ensemble([table({1: (0, [1.0, 0.0])})])
    with pytest.raises(AssayError, match="no test image in common"):
        ensemble([table({1: (0, [1.0, 0.0])}), table({2: (0, [1.0, 0.0])})])
