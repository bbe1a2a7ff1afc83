import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from assay.errors import AssayError
from assay.results.statistics import intervals

pytestmark = pytest.mark.filterwarnings("error")

number = st.integers(-1000, 1000).map(lambda n: n / 1000)
numbers = st.lists(number, min_size=2, max_size=9)
share = st.floats(0, 1)


def test_mean_interval_by_hand():
    mean, low, high = intervals.mean_interval([1.0, 2.0, 3.0])
    half = 4.302652729911275 / math.sqrt(3)  # t(0.975, 2 degrees of freedom), deviation 1
    assert (mean, low, high) == pytest.approx((2.0, 2 - half, 2 + half))


def test_one_value_has_no_interval_and_none_has_no_mean():
    assert intervals.mean_interval([0.9]) == (0.9, None, None)
    assert intervals.mean_interval([]) == (None, None, None)


def test_equal_values_have_no_interval():
    assert intervals.mean_interval([0.1 + 0.2, 0.3, 0.3])[1:] == (None, None)


def test_an_interval_ends_where_the_mean_cannot_be():
    mean, low, high = intervals.mean_interval([0.9, 1.0], within=(0.0, 1.0))
    assert (mean, high) == (pytest.approx(0.95), 1)
    assert low == intervals.mean_interval([0.9, 1.0]).low
    mean, low, high = intervals.mean_interval([0.0, 0.1], within=(0.0, 1.0))
    assert (mean, low) == (pytest.approx(0.05), 0)
    assert high == intervals.mean_interval([0.0, 0.1]).high


@given(numbers)
def test_mean_interval_agrees_with_scipy(values):
    assume(len(set(values)) > 1)
    ends = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert intervals.mean_interval(values)[1:] == pytest.approx(ends)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(0.9, 0.01, (1000, 4))
    covered = [i.low <= 0.9 <= i.high for i in map(intervals.mean_interval, draws)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


@given(st.lists(st.tuples(number, number), min_size=2, max_size=9))
def test_paired_t_agrees_with_scipy(pairs):
    a, b = np.array(pairs).T
    assume(np.ptp(a - b) > 1e-9)
    ours, theirs = intervals.paired_t(a, b), stats.ttest_rel(a, b)
    assert ours.p == pytest.approx(theirs.pvalue, abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert ours.n == len(pairs)


def test_differences_that_do_not_vary():
    same = intervals.paired_t([0.9, 0.8], [0.9, 0.8])
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    shifted = intervals.paired_t([0.91, 0.92, 0.93], [0.90, 0.91, 0.92])  # equal but for rounding
    assert shifted.difference == pytest.approx(0.01)
    assert (shifted.low, shifted.high, shifted.p, shifted.deviation) == (None, None, None, 0.0)


def test_a_single_pair_has_a_difference_and_no_more():
    assert intervals.paired_t([0.9], [0.8]) == (1, pytest.approx(0.1), None, None, None, None)


def test_unequal_numbers_are_refused():
    with pytest.raises(AssayError, match="pairs of values, found 2 and 1"):
        intervals.paired_t([1.0, 2.0], [1.0])


def test_what_the_number_of_pairs_allows():
    assert [intervals.sign_flip_floor(n) for n in (0, 1, 2, 3, 6)] == [1, 1, 0.5, 0.25, 0.03125]


@given(st.integers(1, 8))
def test_the_floor_of_the_sign_flip_test_is_that_of_equal_differences(pairs):
    sums = [abs(sum(signs)) for signs in itertools.product((-1, 1), repeat=pairs)]
    assert intervals.sign_flip_floor(pairs) == np.mean([total >= pairs for total in sums])


def test_holm_by_hand():
    # ascending 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 is 0.02, 0.03, 0.06, 0.04; the last may not fall below 0.06
    assert intervals.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert intervals.holm([0.8, 0.7]) == pytest.approx([1, 1])
    assert intervals.holm([]).size == 0


@given(st.lists(share, min_size=1, max_size=8))
def test_holm_lies_between_p_and_bonferroni_and_keeps_the_order(p):
    corrected = intervals.holm(p)
    assert np.all(corrected >= p)
    assert np.all(corrected <= np.minimum(1, len(p) * np.array(p)) + 1e-12)
    assert np.all(np.diff(corrected[np.argsort(p)]) >= 0)
    assert intervals.holm(p[::-1])[::-1] == pytest.approx(corrected)


def outcomes(wins, losses, ties):
    """Which images each of two networks gets right."""
    a = np.array([True] * wins + [False] * losses + [True] * ties, dtype=bool)
    b = np.array([False] * wins + [True] * losses + [True] * ties, dtype=bool)
    return a, b


def test_mcnemar_by_hand():
    assert intervals.mcnemar(*outcomes(5, 0, 10)) == pytest.approx(2 / 2**5)
    assert intervals.mcnemar(*outcomes(3, 3, 1)) == 1
    assert intervals.mcnemar(*outcomes(0, 0, 4)) == 1


@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_is_a_binomial_test_of_the_disagreements(wins, losses):
    assume(wins + losses)
    assert intervals.mcnemar(*outcomes(wins, losses, 7)) == pytest.approx(stats.binomtest(wins, wins + losses).pvalue)


def test_bootstrap_agrees_with_resampling_images():
    a, b = outcomes(30, 12, 158)
    drawn = np.random.default_rng(1).integers(0, 200, (20_000, 200))
    plain = np.quantile((a[drawn].mean(axis=1) - b[drawn].mean(axis=1)), [0.025, 0.975])
    mean, low, high = intervals.bootstrap_accuracy_difference(a, b)
    assert mean == pytest.approx(0.09)
    assert (low, high) == pytest.approx(tuple(plain), abs=0.006)
    assert (mean, low, high) == intervals.bootstrap_accuracy_difference(a, b)


def test_bootstrap_without_disagreement_or_images():
    assert intervals.bootstrap_accuracy_difference(*outcomes(0, 0, 9)) == (0, 0, 0)
    assert intervals.bootstrap_accuracy_difference(*outcomes(0, 0, 0)) == (None, None, None)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_bootstrap_turns_around_with_its_arguments(wins, losses, ties):
    assume(wins + losses + ties)
    mean, low, high = intervals.bootstrap_accuracy_difference(*outcomes(wins, losses, ties))
    other = intervals.bootstrap_accuracy_difference(*outcomes(losses, wins, ties))
    assert low <= mean <= high
    assert other.mean == -mean
    assert (other.low, other.high) == pytest.approx((-high, -low), abs=0.15)
