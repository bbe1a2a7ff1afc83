import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.results.statistics import evidence
from assay.results.statistics.evidence import bootstrap, swap
from assay.results.statistics.intervals import bootstrap_accuracy_difference, mcnemar
from assay.tasks.scores import mean_score, r2_score, ratio_score

pytestmark = pytest.mark.filterwarnings("error")

RIGHT, OTHER = np.random.default_rng(1).random((2, 400)) < np.array([[0.9], [0.84]])


def both(a, b):
    return mean_score(np.concatenate([a, b]))


def test_the_interval_of_two_images_by_hand():
    # the four draws give −1, 0, 0 and 1
    found = bootstrap(mean_score(np.array([1.0, 0.0])), mean_score(np.array([0.0, 1.0])), 2)
    assert found == (0, -1, 1)
    assert bootstrap(mean_score(np.array([1.0, 0.0])), mean_score(np.array([0.0, 1.0])), 2, level=0.4) == (0, 0, 0)


def test_accuracy_has_the_interval_that_its_counts_have():
    found = bootstrap(mean_score(RIGHT), mean_score(OTHER), 400, draws=10_000)
    assert found == pytest.approx(bootstrap_accuracy_difference(RIGHT, OTHER), abs=0.003)


def test_the_interval_is_paired():
    hard = np.random.default_rng(0).normal(0, 10, 50)
    low, high = bootstrap(mean_score(hard + 1), mean_score(hard), 50)[1:]
    assert (low, high) == pytest.approx((1, 1))


def test_the_interval_covers_the_truth_nearly_as_often_as_it_says():
    generator = np.random.default_rng(0)
    covered = 0
    for number in range(400):
        truth = generator.normal(size=60)
        worse, better = (truth + generator.normal(0, spread, 60) for spread in (1.0, 0.5))
        found = bootstrap(r2_score(truth, better), r2_score(truth, worse), 60, draws=400, seed=number)
        covered += found.low <= 0.75 <= found.high  # 1 − 0.25 less 1 − 1
    assert 0.88 < covered / 400 < 0.97


def test_copies_of_an_original_give_the_interval_and_the_p_of_the_originals():
    a, b = RIGHT[:60], OTHER[:60]
    originals = bootstrap(mean_score(a), mean_score(b), 60)
    a3, b3, groups = np.repeat(a, 3), np.repeat(b, 3), np.repeat(np.arange(60) * 7, 3)
    assert bootstrap(mean_score(a3), mean_score(b3), 180, groups) == pytest.approx(originals)
    narrow = bootstrap(mean_score(a3), mean_score(b3), 180)
    assert narrow.high - narrow.low < 0.7 * (originals.high - originals.low)
    assert swap(both(a3, b3), 180, groups) == pytest.approx(swap(both(a, b), 60), abs=1e-12)
    assert swap(both(a3, b3), 180) < swap(both(a, b), 60)


def test_every_image_of_an_original_counts_as_often_as_the_original():
    seen = []

    def watching(weights):
        seen.append(weights)
        return weights[:, 0]

    bootstrap(watching, watching, 4, np.array([5, 2, 5, 9]), draws=50)
    drawn = np.concatenate(seen)[2:]  # after the ones of either metric
    assert (drawn[:, 0] == drawn[:, 2]).all()
    assert (drawn[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert (drawn[:, 0] != drawn[:, 1]).any()


def test_what_gives_no_interval():
    one = mean_score(np.array([0.5]))
    assert bootstrap(one, one, 0) == (None, None, None)
    assert bootstrap(one, one, 1) == (0, None, None)
    four = mean_score(np.array([1.0, 0.0, 1.0, 1.0]))
    assert bootstrap(four, four, 4, np.zeros(4, dtype=np.int64)) == (0, None, None)
    nowhere = ratio_score(np.zeros((4, 2)), np.zeros((4, 2)))
    assert bootstrap(nowhere, nowhere, 4) == (None, None, None)
    assert swap(ratio_score(np.zeros((8, 2)), np.zeros((8, 2))), 4) is None
    assert swap(one, 0) is None


def test_draws_without_the_class_are_left_out():
    hits, unions = np.array([[1.0], [0.0], [0.0]]), np.array([[2.0], [0.0], [0.0]])  # one image has the class
    a, b = ratio_score(2 * hits, unions), ratio_score(hits, unions)
    assert bootstrap(a, b, 3) == (0.5, 0.5, 0.5)
    assert swap(ratio_score(np.concatenate([2 * hits, hits]), np.concatenate([unions, unions])), 3) == 1


def test_swapping_two_images_by_hand():
    # differences 1 and 1: two of four exchanges leave a difference of 1, two none
    p = swap(both(np.array([1.0, 1.0]), np.array([0.0, 0.0])), 2, draws=20_000)
    assert p == pytest.approx(0.5, abs=0.02)


def test_equal_networks_have_p_one():
    assert swap(both(RIGHT, RIGHT), 400) == 1


def test_ties_up_to_rounding_are_ties():
    tenths = np.array([1, 2, -3, 3])  # 1 + 2 is as much as 3, and 0.1 + 0.2 more than 0.3
    exact = np.mean([abs(signs @ tenths) >= 3 for signs in itertools.product([-1, 1], repeat=4)])
    assert swap(both(tenths / 10, np.zeros(4)), 4, draws=20_000) == pytest.approx(exact, abs=0.015)


def test_exchanges_after_which_one_side_has_no_pixel_of_the_class_are_not_counted():
    hits, unions = np.array([[2], [0], [0], [1]]), np.array([[2], [0], [0], [2]])
    assert swap(ratio_score(hits, unions), 2) == 1  # IoU 1 and 0.5, or the other way round


def test_swaps_of_right_answers_agree_with_mcnemar():
    for shift in (0, 100, 200):
        a, b = RIGHT[shift:], OTHER[shift:]
        only_a, only_b = (a & ~b).sum(), (b & ~a).sum()
        exact = mcnemar(a, b)
        error = 4 * np.sqrt(exact * (1 - exact) / 20_000) + 1e-4
        assert only_a != only_b
        assert swap(both(a, b), a.size, draws=20_000) == pytest.approx(exact, abs=error)


def test_under_no_difference_p_is_below_a_level_as_often_as_the_level_says():
    generator = np.random.default_rng(3)
    p = [swap(both(*generator.normal(size=(2, 30))), 30, draws=199, seed=n) for n in range(400)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.035)
    assert np.mean(np.array(p) <= 0.5) == pytest.approx(0.5, abs=0.08)


@given(st.integers(1, 60), st.integers(0, 3))
def test_the_blocks_of_draws_do_not_show(draws, seed):
    a, b = mean_score(RIGHT[:20]), mean_score(OTHER[:20])
    whole = bootstrap(a, b, 20, draws=draws, seed=seed), swap(both(RIGHT[:20], OTHER[:20]), 20, draws=draws, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "BLOCK", 150)
        parts = (
            bootstrap(a, b, 20, draws=draws, seed=seed),
            swap(both(RIGHT[:20], OTHER[:20]), 20, draws=draws, seed=seed),
        )
    assert parts[0] == pytest.approx(whole[0])
    assert parts[1] == whole[1]


def test_another_seed_draws_otherwise():
    a, b = mean_score(RIGHT), mean_score(OTHER)
    assert bootstrap(a, b, 400, draws=50) == bootstrap(a, b, 400, draws=50)
    assert bootstrap(a, b, 400, draws=50) != bootstrap(a, b, 400, draws=50, seed=1)
