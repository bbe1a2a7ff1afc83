"""Temperature scaling: the temperature that made the labels is found, and it is always a number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import AssayError
from assay.uncertainty import find_temperature, negative_log_likelihood, scaled, shows_nothing


def drawn(temperature: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from softmax(logits / temperature)."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 4, (n, 5))
    return logits, (random.gumbel(size=(n, 5)) + logits / temperature).argmax(axis=1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_of_the_labels_is_found(temperature: float) -> None:
    assert find_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.04)


def test_log_probabilities_serve_as_logits() -> None:
    logits, labels = drawn(2.0, 500)
    assert find_temperature(np.log(scaled(logits, 1.0)), labels) == pytest.approx(find_temperature(logits, labels))


@given(st.integers(0, 1000), st.floats(0.01, 1000))
def test_never_worse_and_never_another_answer(seed: int, size: float) -> None:
    random = np.random.default_rng(seed)
    logits, labels = random.normal(0, size, (30, 3)), random.integers(0, 3, 30)
    temperature = find_temperature(logits, labels)
    before, after = scaled(logits, 1.0), scaled(logits, temperature)
    assert 0.009 < temperature < max(101.0, np.ptp(logits))
    assert negative_log_likelihood(after, labels) <= negative_log_likelihood(before, labels) + 1e-9
    ranks = scaled(logits, max(temperature, 1.0)).argmax(axis=1)
    assert (ranks == logits.argmax(axis=1)).mean() >= 0.99


def test_all_right_or_all_equal_keep_the_temperature() -> None:
    assert find_temperature(np.eye(3) * 5, np.arange(3)) == 1.0
    assert find_temperature(np.ones((4, 3)), np.array([0, 1, 2, 0])) == 1.0


def test_labels_without_a_relation_to_the_logits_show_nothing() -> None:
    logits, labels = drawn(1.0, 2000)
    for z, nothing in ((logits, False), (-logits, True), (1e4 * logits, False)):
        temperature = find_temperature(z, labels)
        nll = negative_log_likelihood(scaled(z, temperature), labels)
        assert shows_nothing(temperature, nll, 5) == nothing
    assert temperature == pytest.approx(1e4, rel=0.1)


def test_bad_input_is_told() -> None:
    with pytest.raises(AssayError, match="0 images"):
        find_temperature(np.zeros((0, 2)), np.zeros(0, np.int64))
    with pytest.raises(AssayError, match="not finite"):
        find_temperature(np.array([[np.inf, 0.0]]), np.array([0]))
