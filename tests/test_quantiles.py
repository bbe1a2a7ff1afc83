import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.results.statistics.quantiles import chance, quantile

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize(("variants", "freedom"), [(3, 2), (3, 1), (5, 8), (10, 18), (10, 81), (20, 38), (4, 7.5)])
def test_all_pairs_are_tukeys_studentized_range(variants, freedom):
    for t in (0.5, 2.0, 5.0):
        theirs = stats.studentized_range.sf(t * np.sqrt(2), variants, freedom)
        assert chance(t, variants, freedom) == pytest.approx(theirs, abs=1e-9)
    theirs = stats.studentized_range.ppf(0.95, variants, freedom) / np.sqrt(2)
    assert quantile(0.05, variants, freedom) == pytest.approx(theirs, abs=1e-7)


@pytest.mark.parametrize(("variants", "freedom", "table"), [(3, 5, 3.03), (4, 6, 3.10), (5, 20, 2.65), (3, 10, 2.57)])
def test_all_against_one_are_dunnetts(variants, freedom, table):
    """Two-sided, 5 %: Dunnett, Biometrics 20, 1964, table II."""
    assert quantile(0.05, variants, freedom, is_named=True) == pytest.approx(table, abs=0.011)


def test_all_against_one_agree_with_scipy():
    """Eleven runs each of a reference and two others: SciPy's p of the largest t."""
    rows = np.random.default_rng(5).normal(0, 1, (3, 11)) + np.array([[0.0], [0.4], [0.9]])
    theirs = stats.dunnett(rows[1], rows[2], control=rows[0], rng=np.random.default_rng(0))
    for t, p in zip(theirs.statistic, theirs.pvalue, strict=True):
        assert chance(abs(t), 3, 30, is_named=True) == pytest.approx(p, abs=2e-3)


@given(st.floats(0.01, 30), st.floats(1, 200))
def test_two_variants_are_students_t(t, freedom):
    assert chance(t, 2, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), abs=1e-12)


@given(st.floats(0.001, 0.5), st.integers(2, 12), st.floats(1, 100), st.booleans())
def test_the_quantile_has_the_chance(alpha, variants, freedom, is_named):
    assert chance(quantile(alpha, variants, freedom, is_named), variants, freedom, is_named) == pytest.approx(alpha)


@given(st.floats(0.1, 10), st.integers(3, 12), st.floats(1, 100))
def test_more_comparisons_have_a_larger_chance(t, variants, freedom):
    against_one, all_pairs = chance(t, variants, freedom, is_named=True), chance(t, variants, freedom)
    assert chance(t, 2, freedom) - 1e-9 <= against_one <= all_pairs + 1e-9
    assert all_pairs <= chance(t, variants + 1, freedom) + 1e-9
