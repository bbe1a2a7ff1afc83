import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.preprocessing import StandardScaler

from assay import separation
from assay.errors import AssayError
from assay.separation.indices import neighbor_index

AMONG_THEMSELVES = [
    separation.separation_index,
    lambda x, y, **more: separation.high_order_index(x, y, 2, **more),
    lambda x, y, **more: separation.soft_order_index(x, y, 2, **more),
    lambda x, y, **more: separation.anti_index(x, y, 2, **more),
    separation.center_index,
]


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


def test_the_digits(digits):
    x, y = digits
    assert float(separation.separation_index(x, y)) == pytest.approx(0.988314, abs=5e-7)
    assert float(separation.center_index(x, y)) == pytest.approx(0.904841, abs=5e-7)
    assert float(separation.high_order_index(x, y, 5)) == pytest.approx(0.943795, abs=5e-7)


def test_the_soft_order_of_the_digits_turns_on_one_tie(digits):
    """Of 8,985 neighbours one is a tie between labels: images 699 (an 8) and 1560 (a 5) from image 1210 (an 8)."""
    x, y = digits
    assert ((x[1210] - x[699]) ** 2).sum() == ((x[1210] - x[1560]) ** 2).sum() == 831
    first = float(separation.soft_order_index(x, y, 5))
    assert first == pytest.approx(8798 / 8985)
    order = np.arange(len(x))
    order[[699, 1560]] = 1560, 699
    assert float(separation.soft_order_index(x[order], y[order], 5)) == pytest.approx(0.979076, abs=5e-7)


def test_by_hand():
    x, y = np.array([[0.0], [1.0], [3.0], [7.0]]), np.array([4, 4, 9, 9])
    index = separation.separation_index(x, y)
    assert index.per_sample.tolist() == [1, 1, 0, 1]
    assert (index.value, float(index)) == (0.75, 0.75)
    assert index.per_class == {4: 1.0, 9: 0.5}
    assert index.chance == pytest.approx(1 / 3)
    assert separation.high_order_index(x, y, 2).per_sample.tolist() == [0, 0, 0, 0]
    assert separation.soft_order_index(x, y, 2).per_sample.tolist() == [0.5, 0.5, 0, 0.5]
    assert separation.anti_index(x, y, 2).per_sample.tolist() == [0, 0, 1, 0]
    assert separation.center_index(x, y[::-1]).per_sample.tolist() == [1, 1, 1, 1]  # means 5 and 0.5
    assert separation.center_index(x, y[[0, 2, 0, 2]]).per_sample.tolist() == [1, 0, 0, 1]  # means 1.5 and 4


def test_the_interval_is_wilsons():
    from scipy.stats import binomtest

    y = np.repeat([0, 1], 40)
    index = separation.separation_index(np.random.default_rng(0).normal(size=(80, 2)) + y[:, None], y)
    expected = binomtest(round(index.value * 80), 80).proportion_ci(method="wilson")
    assert index.interval == pytest.approx(tuple(expected))
    assert index.interval[0] < index.value < index.interval[1]
    assert "chance 0.4937" in repr(index)


@given(st.integers(0, 2**32), st.integers(6, 40), st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_relations_between_the_indices(seed, n, k):
    draw = np.random.default_rng(seed)
    x, y = draw.normal(size=(n, 3)), draw.integers(0, 3, n)
    high, soft, anti = (
        f(x, y, k) for f in (separation.high_order_index, separation.soft_order_index, separation.anti_index)
    )
    si = separation.separation_index(x, y)
    for of in (lambda index: index.value, lambda index: index.chance):
        ordered = [of(high), of(soft), 1 - of(anti)]
        assert ordered == pytest.approx(sorted(ordered))
        if k == 1:
            assert ordered == pytest.approx([of(si)] * 3)
    assert (high.per_sample <= si.per_sample).all()
    for index in (high, soft, anti, si, separation.center_index(x, y)):
        assert index.interval[0] <= index.value <= index.interval[1]
        assert 0 <= index.chance <= 1
        assert index.value == pytest.approx(index.per_sample.mean())
        counts = {label: int((y == label).sum()) for label in index.per_class}
        assert index.value == pytest.approx(sum(index.per_class[c] * m for c, m in counts.items()) / n)


def test_chance_is_what_permuted_labels_give():
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(60, 2)), draw.choice(3, 60, p=[0.6, 0.3, 0.1])
    neighbors = separation.nearest_neighbors(x, 3)[1]
    for name, k in [("separation", 1), ("high_order", 2), ("soft_order", 3), ("anti", 3)]:
        found = [neighbor_index(name, neighbors, draw.permutation(y), k=k).value for _ in range(2000)]
        error = np.std(found) / np.sqrt(len(found))
        assert neighbor_index(name, neighbors, y, k=k).chance == pytest.approx(np.mean(found), abs=4 * error), name


def test_chance_of_the_center_index_counts_that_a_sample_pulls_its_mean():
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(40, 500)), np.repeat(np.arange(4), 10)
    index = separation.center_index(x, y)
    assert index.value > 0.9  # of nothing but noise
    assert index.chance == pytest.approx(index.value, abs=0.08)
    assert separation.center_index(x, y).chance == index.chance


@pytest.mark.parametrize("standardize", [False, True])
def test_cross_indices_are_classifiers(digits, standardize):
    x, y = digits
    x = x + 1e-3 * np.random.default_rng(0).normal(size=x.shape)  # no ties, no constant columns
    train, test = slice(0, 900), slice(900, None)
    scaler = StandardScaler().fit(x[train]) if standardize else None
    a, b = (scaler.transform(part) if scaler else part for part in (x[train], x[test]))
    arguments = (x[train], y[train], x[test], y[test])
    nearest = KNeighborsClassifier(1).fit(a, y[train]).score(b, y[test])
    assert separation.cross_index(*arguments, standardize=standardize).value == pytest.approx(nearest, abs=1e-12)
    center = NearestCentroid().fit(a, y[train]).score(b, y[test])
    index = separation.cross_center_index(*arguments, standardize=standardize)
    assert index.value == pytest.approx(center, abs=1e-12)
    assert index.chance == pytest.approx(0.1, abs=0.02)


def test_standardized_is_as_if_the_columns_had_been():
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(200, 6)) * 10.0 ** np.arange(-3, 3) + 5, draw.integers(0, 3, 200)
    x[:, 2] = 7.7
    scaled = StandardScaler().fit_transform(x)
    for function in AMONG_THEMSELVES:
        np.testing.assert_array_equal(function(x, y, standardize=True).per_sample, function(scaled, y).per_sample)
    assert function(x, y).value != function(x, y, standardize=True).value


def test_a_class_with_one_member_has_no_neighbour_of_its_own_and_is_its_own_mean():
    x, y = np.array([[0.0], [0.1], [5.0]]), np.array([0, 0, 1])
    assert separation.separation_index(x, y).per_class == {0: 1.0, 1: 0.0}
    assert separation.center_index(x, y).per_class == {0: 1.0, 1: 1.0}


def test_one_class_is_wholly_separate():
    x = np.random.default_rng(0).normal(size=(20, 3))
    for function in AMONG_THEMSELVES:
        index = function(x, np.full(20, 3))
        expected = 0.0 if index.name == "anti" else 1.0
        assert (index.value, index.chance, index.per_class) == (expected, expected, {3: expected})


def test_labels_that_training_never_saw_are_never_met():
    train, test = np.array([[0.0], [1.0]]), np.array([[0.1], [0.9]])
    for function in (separation.cross_index, separation.cross_center_index):
        index = function(train, np.array([0, 1]), test, np.array([0, 7]))
        assert index.per_class == {0: 1.0, 7: 0.0}


def test_equally_near_means_go_to_the_lowest_label():
    x = np.array([[0.0], [2.0], [1.0], [1.0]])
    assert separation.center_index(x, np.array([5, 5, 2, 2])).per_class == {2: 1.0, 5: 0.0}


@pytest.mark.parametrize("offset", [1e6, -1e8])
def test_the_center_index_survives_offsets(digits, offset):
    x, y = digits
    assert float(separation.center_index(x + offset, y)) == pytest.approx(0.904841, abs=5e-7)


def test_tensors_lists_and_little_memory(digits):
    x, y = digits
    for function in AMONG_THEMSELVES:
        expected = function(x[:300], y[:300])
        found = function(torch.from_numpy(x[:300]), torch.from_numpy(y[:300]), memory=2**24)
        np.testing.assert_array_equal(found.per_sample, expected.per_sample)
    assert float(separation.separation_index(x[:3], y[:3].tolist())) == 0.0


@pytest.mark.parametrize("function", AMONG_THEMSELVES)
@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (np.zeros((1, 2)), np.zeros(1, int), "at least 2 samples, found 1"),
        (np.zeros((4, 2)), np.zeros(3, int), r"one label for each of the 4 rows of x, found shape \(3,\)"),
        (np.zeros((4, 2)), np.zeros((4, 1), int), r"found shape \(4, 1\)"),
        (np.zeros((4, 2)), np.zeros(4), "y: expected whole numbers as labels, found float64"),
        (np.full((4, 2), np.nan), np.zeros(4, int), "x: row 0 of 4 is not finite"),
    ],
)
def test_mistakes_are_told(function, x, y, sentence):
    with pytest.raises(AssayError, match=sentence):
        function(x, y)


def test_mistakes_in_orders_and_splits_are_told():
    x, y = np.zeros((4, 2)), np.zeros(4, int)
    with pytest.raises(AssayError, match="k: expected 1 to 3"):
        separation.high_order_index(x, y, 4)
    with pytest.raises(AssayError, match="x_test: expected rows of 2 numbers like x_train, found 3"):
        separation.cross_index(x, y, np.zeros((4, 3)), y)
    with pytest.raises(AssayError, match="y_test: expected one label for each of the 4 rows of x_test"):
        separation.cross_index(x, y, x, y[:2])
    with pytest.raises(AssayError, match="x_test: expected rows of 2 numbers like x_train, found 3"):
        separation.cross_center_index(x, y, np.zeros((4, 3)), y)
    with pytest.raises(AssayError, match="x_test: expected at least 1 samples, found 0"):
        separation.cross_index(x, y, x[:0], y[:0])
    with pytest.raises(AssayError, match="did you mean 'soft_order'"):
        neighbor_index("soft_ordr", np.zeros((4, 1), int), y)


@pytest.mark.parametrize("k", [1.5, "3", True, None])
def test_an_order_that_is_no_whole_number_is_told(k, unchecked):
    with pytest.raises(AssayError, match=f"k: expected 1 to 3 neighbours among the 4 rows of x, found {k!r}"):
        separation.soft_order_index(np.zeros((4, 2)), np.zeros(4, int), k)
    if k is not None:
        with pytest.raises(AssayError, match=f"k: expected 1 to 3, the neighbours found, got {k!r}"):
            neighbor_index("anti", np.zeros((4, 3), int), np.zeros(4, int), k=k)


def test_importing_the_room_imports_no_torch():
    import subprocess

    code = "import sys, assay.separation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    with pytest.raises(AttributeError):
        _ = separation.nothing
    assert all(getattr(separation, name) for name in separation.__all__)
