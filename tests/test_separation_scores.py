import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import AssayError
from assay.separation import sample_scores, smoothness_index


def scores_by_sorting(x, y):
    squared = ((x[:, None] - x[None]) ** 2).sum(axis=-1).astype(float)
    np.fill_diagonal(squared, np.inf)
    agree = y[np.argsort(squared, axis=1, kind="stable")[:, :-1]] == y[:, None]
    return [int((np.cumprod(row == row[0])).sum()) * (1 if row[0] else -1) for row in agree]


def test_scores_by_hand():
    x, y = np.array([[0.0], [1.0], [2.0], [10.0], [1.5]]), np.array([0, 0, 0, 1, 1])
    assert sample_scores(x, y).tolist() == [1, -1, -1, -1, -3]


@given(st.integers(0, 2**32), st.integers(2, 60), st.integers(1, 3), st.booleans(), st.floats(0, 8))
@settings(max_examples=30, deadline=None)
def test_scores_are_those_of_sorting_everything(seed, n, classes, whole_numbers, apart):
    draw = np.random.default_rng(seed)
    y = draw.integers(0, classes, n)
    x = draw.normal(size=(n, 3)) + apart * y[:, None]
    x = np.round(x) if whole_numbers else x + 1e6
    assert sample_scores(x, y).tolist() == scores_by_sorting(x, y)


def test_long_runs_are_counted_in_little_memory():
    draw = np.random.default_rng(0)
    y = np.repeat([0, 1], 200)
    x = draw.normal(size=(400, 40)) + 3 * y[:, None]
    scores = sample_scores(x, y, memory=2**24)
    assert scores.tolist() == scores_by_sorting(x, y)
    assert scores.max() == 199
    y[7] = 1
    assert sample_scores(x, y).argmin() == 7


def test_distances_that_rounding_would_confuse_are_computed_again():
    draw = np.random.default_rng(0)
    x = draw.integers(0, 3, (60, 3)) + 123456789.0
    x[0] = 0  # the rest is far from it: squares above 2**53, which differences of at most 12 are lost in
    y = np.zeros(60, int)
    y[draw.choice(np.arange(1, 60), 3, replace=False)] = 1
    scores = sample_scores(x, y)
    assert scores.tolist() == scores_by_sorting(x, y)
    assert (scores > 16).any()


def test_standardized_scores():
    draw = np.random.default_rng(0)
    y = np.repeat([0, 1], 40)
    x = draw.normal(size=(80, 3)) * [1e-3, 1.0, 1e3]
    x[:, 0] += 0.01 * y
    scaled = x / x.std(axis=0)
    assert sample_scores(x, y, standardize=True).tolist() == scores_by_sorting(scaled, y)


def test_a_label_among_strangers_and_one_class():
    x = np.arange(6.0)[:, None]
    assert sample_scores(x, np.array([0, 0, 0, 0, 0, 9]))[5] == -5
    assert sample_scores(x, np.zeros(6, int)).tolist() == [5] * 6


def smoothness_by_hand(x, t):
    d = np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))
    np.fill_diagonal(d, np.inf)
    t = t.reshape(len(x), -1)
    values = []
    for i, nearest in enumerate(d.argmin(axis=1)):
        others = np.delete(np.sqrt(((t - t[i]) ** 2).sum(-1)), i)
        here = np.sqrt(((t[nearest] - t[i]) ** 2).sum())
        span = others.max() - others.min()
        values.append((others.max() - here) / span if span else 1.0)
    return values


def test_smoothness_by_hand():
    x, t = np.array([[0.0], [1.0], [3.0]]), np.array([0.0, 1.0, 5.0])
    assert smoothness_index(x, t).value == 1.0
    index = smoothness_index(x, np.array([0.0, 5.0, 1.0]))
    assert index.per_sample.tolist() == [0.0, 0.0, 0.0]
    assert index.per_class == {}
    assert index.chance == pytest.approx(0.5)


@given(st.integers(0, 2**32), st.integers(2, 30), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_smoothness_is_its_definition(seed, n, width):
    draw = np.random.default_rng(seed)
    x, t = draw.normal(size=(n, 2)), draw.integers(0, 4, (n, width)).astype(float)
    index = smoothness_index(x, t)
    assert index.per_sample == pytest.approx(smoothness_by_hand(x, t))
    assert 0 <= index.value <= 1
    assert smoothness_index(x, t[:, 0]).per_sample == pytest.approx(smoothness_by_hand(x, t[:, 0]))


def test_smoothness_chance_is_what_permuted_targets_give():
    draw = np.random.default_rng(0)
    x, t = draw.normal(size=(40, 2)), draw.normal(size=40)
    found = [smoothness_index(x, draw.permutation(t)).value for _ in range(300)]
    assert smoothness_index(x, t).chance == pytest.approx(np.mean(found), abs=4 * np.std(found) / np.sqrt(300))


def test_targets_that_are_all_alike_are_as_smooth_as_can_be():
    assert smoothness_index(np.arange(5.0)[:, None], np.ones(5)).value == 1.0


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        (np.zeros(3), r"targets: expected one number or row of numbers for each of the 4 rows, got \(3,\)"),
        (np.zeros((4, 2, 2)), r"got \(4, 2, 2\)"),
        (np.array([0, 1, np.nan, 3]), "targets: row 2 is not finite"),
    ],
)
def test_mistakes_in_targets_are_told(targets, sentence):
    with pytest.raises(AssayError, match=sentence):
        smoothness_index(np.zeros((4, 2)), targets)
