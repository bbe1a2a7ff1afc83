import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.results.comparing.compare import compare
from assay.results.statistics.answers import Answers
from assay.results.statistics.image_errors import FLOOR, ImageError, combined, image_errors
from assay.tasks.scores import average_precision_score, mean_score, ratio_score

pytestmark = pytest.mark.filterwarnings("error")

A = [[4.0, 2.0, 0.0, 2.0], [5.0, 1.0, 1.0, 1.0], [6.0, 3.0, 2.0, 1.0]]
"""Seeds × images."""
B = [[3.0, 2.0, 1.0, 2.0], [3.0, 2.0, 1.0, 2.0], [3.0, 2.0, 1.0, 2.0]]


def asked(runs, score=mean_score, names=None, group=None):
    """What ``image_errors`` says of (variant, seed) → what a run has for each image."""

    def answers(variant, seed):
        values = np.asarray(runs[variant, seed])
        table = pl.DataFrame({"image": range(len(values)), "name": [f"{i}.png" for i in range(len(values))]})
        if names and (variant, seed) in names:
            table = table.with_columns(name=pl.Series(names[variant, seed]))
        return Answers(table, [], lambda rows: score(values[rows["image"].to_numpy()]), group)

    return image_errors(answers, runs)


def of(**variants):
    return {(variant, seed): values for variant, by_seed in variants.items() for seed, values in enumerate(by_seed)}


def brute_force(differences):
    """Mean squares of the two-way table seeds × images without repetition, over the number of its cells."""
    seeds, images = differences.shape
    of_images = differences.mean(axis=0, keepdims=True)
    rest = differences - of_images - differences.mean(axis=1, keepdims=True) + differences.mean()
    return of_images.var(ddof=1) / images, (rest**2).sum() / ((seeds - 1) * (images - 1)) / (seeds * images)


def test_three_seeds_of_four_images_by_hand():
    # differences 1 0 −1 0 | 2 −1 0 −1 | 3 1 1 −1: images' means 2, 0, 0, −2/3 around 1/3, squares 25/9 + 1/9 + 1/9 + 1
    found = asked(of(a=A, b=B)).between("a", "b", [0, 1, 2])
    assert found.variance == pytest.approx(4 / 3 / 4)
    # around the seeds' means 0, 0, 1 squares of 2, 6 and 8, less 3 · 4 of the images' means
    assert found.crossed == pytest.approx((2 + 6 + 8 - 12) / 6 / 12)
    assert found.freedom == 3


def test_the_difference_of_two_levels_varies_over_images_as_their_mean_answers_do():
    # means over A and B: 5, 2, 1, 4/3 and 3, 2, 1, 2; without B, against all of A: 0
    errors = asked(of(a=A, b=B, c=A))
    cells = [[(v, seed) for v in "ac" for seed in range(3)], [("b", seed) for seed in range(3)]]
    differences = np.mean(A, axis=0) - np.mean(B, axis=0)
    assert errors.of_means(*cells) == (pytest.approx(differences.var(ddof=1) / 4), 3)
    assert errors.of_means(*cells)[0] == pytest.approx(errors.between("a", "b", [0, 1, 2]).variance)
    assert errors.of_means([("a", 9)], cells[1]) is None


@given(st.integers(2, 5), st.integers(2, 12), st.integers(0, 2**32))
def test_of_means_it_is_the_two_way_table_s(seeds, images, seed):
    a, b = np.random.default_rng(seed).normal(size=(2, seeds, images))
    errors = asked(of(a=a, b=b))
    assert errors.between("a", "b", range(seeds))[:2] == pytest.approx(brute_force(a - b))
    assert errors.between("b", "a", range(seeds)) == pytest.approx(errors.between("a", "b", range(seeds)))


@given(st.permutations(range(9)), st.integers(0, 2**32))
def test_the_order_of_the_images_does_not_matter(order, seed):
    a, b = np.random.default_rng(seed).normal(size=(2, 3, 9))
    found, again = (asked(of(a=x, b=y)).between("a", "b", [0, 1, 2]) for x, y in ((a, b), (a[:, order], b[:, order])))
    assert again == pytest.approx(found)


def test_copies_of_an_original_count_as_one():
    a, b = np.random.default_rng(0).normal(size=(2, 3, 20))
    alone = asked(of(a=a, b=b)).between("a", "b", [0, 1, 2])
    copies = of(a=np.repeat(a, 3, axis=1), b=np.repeat(b, 3, axis=1))
    together = asked(copies, group=lambda names: np.array([int(name[:-4]) // 3 for name in names]))
    assert together.between("a", "b", [0, 1, 2]) == pytest.approx(alone)
    assert asked(copies).between("a", "b", [0, 1, 2]).variance < alone.variance / 2


def test_without_the_same_images_or_a_second_seed_there_is_none():
    errors = asked(of(a=A, b=B), names={("b", 2): ["0.png", "1.png", "2.png", "other.png"]})
    assert errors.between("a", "b", [0, 1, 2]) is None
    assert errors.between("a", "b", [0, 1]) is not None
    assert errors.between("a", "b", [0]) is None
    assert errors.between("a", "b", [0, 7]) is None
    assert asked(of(a=A), score=lambda _: None) is None


def mean_iou(values):
    return ratio_score(values[..., 0], values[..., 1])


def average_precision(values):
    return average_precision_score(values[:, 0] > 1, values[:, 1])


@pytest.mark.parametrize("score", [mean_iou, average_precision])
def test_of_another_metric_it_is_the_variance_over_test_sets(score):
    generator = np.random.default_rng(0)

    def drawn(images):
        if score is mean_iou:
            whole = generator.integers(50, 100, (images, 3))
            return np.stack([generator.binomial(whole, 0.7), whole], axis=2)
        truth = generator.normal(size=images)
        return np.stack([truth, truth + generator.normal(size=images)], axis=1)

    fresh = [[float(score(drawn(250))(np.ones((1, 250)))[0]) for _ in range(2)] for _ in range(300)]
    found = [asked(of(a=[drawn(250)] * 2, b=[drawn(250)] * 2), score).between("a", "b", [0, 1]) for _ in range(8)]
    assert np.mean([each.variance for each in found]) == pytest.approx(np.var(np.diff(fresh, axis=1)), rel=0.25)
    assert max(each.crossed for each in found) == pytest.approx(0)
    assert found[0].freedom == pytest.approx(1 / (1 / 249 + 1 / 199))


def test_draws_that_are_kept_are_those_that_are_made_anew(monkeypatch):
    values = np.random.default_rng(1).integers(1, 9, (4, 40, 2, 2))
    runs = of(a=values[:2], b=values[2:])
    kept = asked(runs, mean_iou).between("a", "b", [0, 1])
    monkeypatch.setattr("assay.results.statistics.image_errors.KEPT", 0)
    assert asked(runs, mean_iou).between("a", "b", [0, 1]) == kept


def test_where_nothing_but_the_images_varies_the_seeds_parts_cancel():
    found = combined(0.0, 4, ImageError(2.0, 0.0, 9))
    assert found[:2] == pytest.approx((2.0, 9))


def test_seeds_and_images_together_by_hand():
    # V = 3 + 2 − 1 = 4; 16 / (9/4 + 4/10 + 1/40)
    assert combined(3.0, 4, ImageError(2.0, 1.0, 10))[:2] == pytest.approx((4.0, 16 / 2.675))


@given(st.floats(0, 10), st.integers(2, 40), st.floats(0, 10), st.floats(0, 10), st.integers(1, 500))
def test_together_they_are_never_far_below_the_larger_nor_less_sure_than_both(seeds, freedom, images, crossed, more):
    found = combined(seeds, freedom, ImageError(images, crossed, more))
    assert found.variance >= FLOOR / freedom * max(seeds, images)
    assert found.freedom >= min(freedom, more)


def test_of_two_seeds_the_wider_of_both_intervals_stands():
    assert combined(3.0, 1, ImageError(2.0, 1.0, 10)) == (3.0, 1, 1.0)
    assert combined(0.01, 1, ImageError(2.0, 0.5, 10)) == (2.0, 10, 1.5)
    assert combined(0.0, 1, ImageError(2.0, 3.0, 10)) == (2.0, 10, 0.0)
    assert combined(0.08, 1, ImageError(2.0, 0.5, 10)) == (0.08, 1, 1.5)
    assert combined(0.03, 1, ImageError(2.0, 0.5, 10)) == (2.0, 10, 1.5)
    assert combined(0.03, 1, ImageError(2.0, 0.5, 10), alpha=0.01) == (0.03, 1, 1.5)
    assert combined(3.0, 4, None) == (3.0, 4, None)


def test_two_seeds_that_agree_by_chance_tell_no_more_than_one_pair_of_runs():
    images = np.random.default_rng(3).normal(size=(2, 1, 60))
    a, b = np.repeat(images, 2, axis=1) + np.array([[0.0], [1e-6]])
    values = {"a": dict(enumerate(a.mean(axis=1).tolist())), "b": dict(enumerate((b - 1e-7 * b).mean(axis=1).tolist()))}
    (alone,), (c,) = compare(values, "loss", "b"), compare(values, "loss", "b", images=asked(of(a=a, b=b)).between)
    assert alone.decided != "cannot tell"
    assert c.decided == "cannot tell"
    assert c.images_error == pytest.approx(np.std(images[0, 0] - images[1, 0], ddof=1) / 60**0.5)


def test_a_comparison_shows_both_parts_and_covers_both():
    runs = of(a=A, b=B)
    values = {"a": dict(enumerate(np.mean(A, axis=1))), "b": dict(enumerate(np.mean(B, axis=1)))}
    errors = asked(runs)
    (c,), (alone,) = compare(values, "loss", "b", images=errors.between), compare(values, "loss", "b")
    assert c.seeds_error**2 == pytest.approx(1 / 9)
    assert c.images_error**2 == pytest.approx(1 / 3 - 1 / 18)
    assert c.error**2 == pytest.approx(1 / 9 + 1 / 3 - 1 / 18)
    assert alone.images_error is None
    assert alone.error == alone.seeds_error == pytest.approx(c.seeds_error)


def test_a_shared_variance_over_seeds_has_the_crossed_part_of_all_pairs():
    a, b, c = np.random.default_rng(2).normal(size=(3, 4, 30))
    values = {name: dict(enumerate(runs.mean(axis=1).tolist())) for name, runs in (("a", a), ("b", b), ("c", c))}
    found = compare(values, "loss", "a", images=asked(of(a=a, b=b, c=c)).between)
    assert {one.method for one in found} == {"pooled t over seeds"}
    crossed = np.mean([brute_force(x - y)[1] for x, y in ((a, b), (a, c), (b, c))])
    for one, runs in zip(found, (b, c), strict=True):
        own = ImageError(brute_force(runs - a)[0], crossed, 29)
        assert one.error**2 == pytest.approx(combined(one.seeds_error**2, 6, own).variance)


def test_seeds_that_give_the_same_difference_leave_the_images():
    a, b = np.random.default_rng(0).permuted([np.arange(30.0)] * 3, axis=1), np.ones((3, 30))
    values = {"a": dict.fromkeys(range(3), 14.5), "b": dict.fromkeys(range(3), 1.0)}
    (c,) = compare(values, "loss", "b", images=asked(of(a=a, b=b)).between)
    assert c.low > 0
    assert c.decided == "worse"
    assert c.seeds_error == 0
