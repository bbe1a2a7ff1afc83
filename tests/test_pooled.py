import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.results.comparing.compare import compare
from assay.results.statistics.pooled import freedom_of_each, residual, set_apart

pytestmark = pytest.mark.filterwarnings("error")

tables = st.lists(st.lists(st.integers(-9, 9), min_size=4, max_size=4), min_size=3, max_size=6).map(np.array)


def test_what_variants_and_seeds_leave_by_hand():
    # rows 1, 2 and 3, 6: what is left is ±0.5 in each of the four cells
    assert residual(np.array([[1.0, 2.0], [3.0, 6.0]])) == (1.0, 1)


def test_nothing_is_left_of_sums_of_variant_and_seed():
    table = np.array([0.1, 0.2, 0.3])[:, None] + np.array([0.7, 0.11, 0.3])
    assert residual(table) == (0.0, 4)
    table[0, 1] = np.nan
    assert residual(table) == (0.0, 3)


@given(tables, st.integers(0, 3))
def test_a_seed_of_one_variant_alone_adds_nothing(table, seed):
    table = table.astype(float)
    alone = table.copy()
    alone[1:, seed] = np.nan
    assert residual(alone) == pytest.approx(residual(np.delete(table, seed, axis=1)), abs=1e-9)


def test_f_of_one_variant_among_three_by_hand():
    """Without the third the others leave 1 and 2 degrees of freedom; with it, 26 and 4: F(2, 2) = 25."""
    table = np.array([[1.0, 0.0, -1.0], [0.0, 0.0, 0.0], [8.0, 0.0, 0.0]])
    whole, rest = residual(table), residual(table[:2])
    f = (whole.squares - rest.squares) / 2 / (rest.squares / 2)
    assert min(1, 3 * stats.f.sf(f, 2, 2)) < 0.6
    assert set_apart(table) == {2: pytest.approx(np.sqrt((3 * f - 1) / 2))}


def test_the_chance_to_set_any_apart_is_as_told():
    """Of 1,000 studies in which all vary alike."""
    drawn = np.random.default_rng(2).normal(0, 1, (1000, 4, 5)) + np.random.default_rng(3).normal(0, 9, (1000, 1, 5))
    assert np.mean([bool(set_apart(table)) for table in drawn]) == pytest.approx(0.62, abs=0.05)


def test_two_wild_variants_are_both_set_apart():
    drawn = np.random.default_rng(4).normal(0, 1, (6, 12)) * np.array([[1], [9], [1], [1], [7], [1]])
    assert {1, 4} <= set_apart(drawn).keys()


@given(tables)
def test_two_are_never_set_apart(table):
    assert set_apart(table[:2].astype(float)) == {}
    assert len(set_apart(table.astype(float))) <= len(table) - 2


def test_freedom_is_whole_where_all_vary_alike_and_that_of_one_where_one_alone_varies():
    one = np.zeros((50, 3))
    one[0] = [1, 0, -1]
    assert freedom_of_each(one) == pytest.approx(2, rel=0.1)
    alike = np.random.default_rng(0).normal(0, 1, (3, 4000))
    assert freedom_of_each(alike) == pytest.approx(residual(alike).freedom, rel=0.02)


def test_a_network_under_two_names_is_no_evidence_that_runs_vary_little():
    """By hand: the differences 1, 2, 3 have the deviation 1, which a second row of the same would make √(2/3)."""
    a = {0: 0.0, 1: 0.0, 2: 0.0}
    found = compare({"a": a, "twin": a, "b": {0: 1.0, 1: 2.0, 2: 3.0}}, "loss", "a")
    assert [c.deviation for c in found] == pytest.approx([1.0, 1.0])
    assert [c.freedom for c in found] == [2, 2]
    assert not found.apart


def test_the_twin_of_a_variant_that_is_set_apart_is_too():
    drawn = np.random.default_rng(4).normal(0, 1, (6, 12)) * np.array([[1], [9], [1], [1], [1], [1]])
    values = {f"v{i}": dict(enumerate(row.tolist())) for i, row in enumerate(drawn)}
    found = compare(values | {"twin": values["v1"]}, "loss", "v0")
    assert found.apart["twin"] == found.apart["v1"] > 3
