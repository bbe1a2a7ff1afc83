"""How often a run of one variant beats a run of another."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm

from assay.results.comparing.compare import compare
from assay.results.comparing.superiority import chance_to_beat, share_text, superiority

T975 = 4.302652729749464
"""Of 2 degrees of freedom."""


def test_the_share_is_that_of_normal_differences_above_0():
    found = superiority(1.0, 2.0, 2 / np.sqrt(3), 2, T975 * 2 / np.sqrt(3))
    assert found.value == pytest.approx(norm.cdf(0.5))


def test_equal_means_give_a_half_and_an_interval_around_it():
    found = superiority(0.0, 1.0, 1 / np.sqrt(3), 2, T975 / np.sqrt(3))
    assert found == pytest.approx((0.5, 1 - found.high, found.high))
    assert found.high == pytest.approx(
        norm.cdf(1.959963984540054 / np.sqrt(3)), abs=1e-6
    )  # t is 0: the normal quantile


def test_the_interval_covers_the_true_share_in_95_percent():
    random, n, truth = np.random.default_rng(0), 5, 0.8
    d = random.normal(truth, 1, (3000, n))
    half = 2.7764451051977987 * d.std(axis=1, ddof=1) / np.sqrt(n)
    covered = 0
    for row, h in zip(d[:600], half[:600], strict=True):
        s = row.std(ddof=1)
        found = superiority(row.mean(), s, s / np.sqrt(n), n - 1, h)
        covered += found.low <= norm.cdf(truth) <= found.high
    assert 0.93 <= covered / 600 <= 0.97


@given(
    st.lists(st.floats(0.5, 0.99), min_size=3, max_size=6),
    st.lists(st.floats(0.5, 0.99), min_size=3, max_size=6),
    st.lists(st.floats(0.5, 0.99), min_size=3, max_size=6),
    st.sampled_from(["accuracy", "loss"]),
)
def test_a_half_is_outside_of_the_interval_exactly_where_the_difference_is_decided(a, b, c, metric):
    values = {name: dict(enumerate(v)) for name, v in zip("abc", (a, b, c), strict=True)}
    for found in compare(values, metric, "a"):
        share = chance_to_beat(found)
        if share is None:
            continue
        assume(abs(share.low - 0.5) > 1e-6 and abs(share.high - 0.5) > 1e-6)
        sides = {"better": share.low > 0.5, "worse": share.high < 0.5, "cannot tell": share.low < 0.5 < share.high}
        assert sides[found.decided]


def test_where_lower_is_better_the_lower_run_beats_the_other():
    values = {"a": {0: 0.30, 1: 0.31, 2: 0.33}, "b": {0: 0.40, 1: 0.40, 2: 0.45}}
    (loss,), (accuracy,) = compare(values, "loss", "a"), compare(values, "accuracy", "a")
    low, high = chance_to_beat(loss), chance_to_beat(accuracy)
    assert low.value < 0.01
    assert high.value > 0.99
    assert (low.low, low.high) == pytest.approx((1 - high.high, 1 - high.low))


def test_single_runs_and_numbers_of_the_recipe_say_no_share():
    assert chance_to_beat(compare({"a": {0: 0.9}, "b": {0: 0.8}}, "accuracy", "a")[0]) is None
    assert chance_to_beat(compare({"a": {0: 9.0, 1: 9.0}, "b": {0: 8.0, 1: 8.0}}, "parameters", "a")[0]) is None
    assert share_text(None) == ""


def test_a_share_is_written_in_whole_percent():
    assert share_text(superiority(0.0, 1.0, 1 / np.sqrt(3), 2, T975 / np.sqrt(3))) == "50 % (13 to 87)"
