from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.results import metrics
from assay.results.comparing.compare import compare
from assay.results.statistics.answers import Answers
from assay.results.statistics.image_errors import ImageError
from assay.tasks.scores import mean_score

pytestmark = pytest.mark.filterwarnings("error")

RELU = {0: 0.91, 1: 0.93, 2: 0.92}
TANH = {0: 0.88, 1: 0.89, 2: 0.90}


def answers_of(right, group=None):
    """Answers in which ``right[variant]`` says which images are right."""

    def answers(variant, seed):
        n = len(right[variant])
        images = {"image": range(n), "name": [f"{i}.png" for i in range(n)], "label": [0] * n}
        table = pl.DataFrame({**images, "correct": right[variant]})
        return Answers(table, ("label",), lambda rows: mean_score(rows["correct"].to_numpy()), group)

    return answers


def answers_without_evidence(right):
    whole = answers_of(right)
    return lambda variant, seed: replace(whole(variant, seed), evidence=lambda rows: None)


def test_two_variants_are_compared_by_the_paired_t_test():
    (c,) = compare({"relu": RELU, "tanh": TANH}, "accuracy", "relu")
    theirs = stats.ttest_rel(list(TANH.values()), list(RELU.values()))
    assert (c.variant, c.reference, c.pairs, c.method) == ("tanh", "relu", 3, "paired t over seeds")
    assert c.difference == pytest.approx(-0.03)
    assert c.p == pytest.approx(theirs.pvalue)
    assert (c.low, c.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert (c.deviation, c.seeds_error, c.freedom) == (pytest.approx(0.01), pytest.approx(0.01 / 3**0.5), 2)
    assert c.decided == "worse"


def test_only_seeds_that_both_have_are_paired():
    (c,) = compare({"relu": RELU, "tanh": {2: 0.90, 1: 0.89, 7: 0.1}}, "accuracy", "relu")
    assert c.pairs == 2
    assert c.difference == pytest.approx(-0.03)


FOUR = {
    "relu": {0: 0.909, 1: 0.921, 2: 0.915},
    "tanh": {0: 0.865, 1: 0.889, 2: 0.871},
    "elu": {0: 0.895, 1: 0.919, 2: 0.914},
    "gelu": {0: 0.897, 1: 0.912, 2: 0.908},
}


def test_several_variants_share_one_error():
    """By hand: what rows and columns leave has the squares 1.188e-4 with 6 degrees of freedom."""
    table = np.array([list(row.values()) for row in FOUR.values()])
    left = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    assert (left**2).sum() == pytest.approx(1.188e-4, rel=1e-3)
    error = np.sqrt((left**2).sum() / 6 * 2 / 3)
    far = stats.studentized_range.ppf(0.95, 4, 6) / np.sqrt(2) * error
    found = compare(FOUR, "accuracy", "relu")
    assert (found.family, found.alpha, found.apart) == (6, 0.05, {})
    for c, row in zip(found, table[1:], strict=True):
        assert c.method == "pooled t over seeds"
        assert c.difference == pytest.approx(row.mean() - table[0].mean())
        assert (c.low, c.high) == pytest.approx((c.difference - far, c.difference + far))
        assert c.p == pytest.approx(stats.studentized_range.sf(abs(c.difference) / error * np.sqrt(2), 4, 6))
        assert c.freedom == 6
    assert [c.decided for c in found] == ["worse", "cannot tell", "cannot tell"]


def test_against_a_reference_named_before_the_intervals_are_dunnetts():
    """The critical value of three variants against one, 6 degrees of freedom: 3.10 (Dunnett 1964)."""
    c = compare(FOUR, "accuracy", "relu", is_named=True)[0]
    assert (c.high - c.low) / 2 / c.error == pytest.approx(3.10, abs=0.005)
    assert compare(FOUR, "accuracy", "relu", is_named=True).family == 3


def test_the_level_of_a_later_look_widens_the_intervals():
    c = compare({"relu": RELU, "tanh": TANH}, "accuracy", "relu", alpha=0.0025)[0]
    theirs = stats.ttest_rel(list(TANH.values()), list(RELU.values()))
    assert (c.low, c.high) == pytest.approx(tuple(theirs.confidence_interval(0.9975)))
    assert (c.p, c.decided) == (pytest.approx(theirs.pvalue), "cannot tell")


def test_a_variant_whose_runs_vary_more_has_an_error_of_its_own():
    values = FOUR | {"wild": {0: 0.5, 1: 0.9, 2: 0.1}}
    found = compare(values, "accuracy", "relu")
    assert list(found.apart) == ["wild"]
    assert found.apart["wild"] > 10
    assert [c.method for c in found] == ["pooled t over seeds"] * 3 + ["paired t over seeds"]
    theirs = stats.ttest_rel(list(values["wild"].values()), list(FOUR["relu"].values()))
    assert found[3].p == pytest.approx(min(1, 10 * theirs.pvalue))
    assert (found[3].low, found[3].high) == pytest.approx(tuple(theirs.confidence_interval(1 - 0.05 / 10)))


def test_missing_runs_leave_the_least_squares_fit():
    """The same variance as the fit of dummy variables, and the pair's own number of seeds in its error."""
    values = FOUR | {"gelu": {0: 0.90, 2: 0.91}}
    rows = [(v, s, x) for v, by_seed in values.items() for s, x in by_seed.items()]
    names = list(values)
    design = np.array([[v == n for n in names] + [s == k for k in (1, 2)] for v, s, _ in rows], dtype=float)
    squares = np.linalg.lstsq(design, np.array([x for *_, x in rows]), rcond=None)[1][0]
    c = compare(values, "accuracy", "relu")[2]
    assert (c.pairs, c.freedom) == (2, 11 - 6)
    assert c.error == pytest.approx(np.sqrt(squares / 5 * 2 / 2))


def test_a_value_that_is_not_finite_counts_as_missing():
    holed = FOUR | {"gelu": {0: 0.90, 1: float("nan"), 2: 0.91}}
    whole = FOUR | {"gelu": {0: 0.90, 2: 0.91}}
    assert compare(holed, "accuracy", "relu").items == compare(whole, "accuracy", "relu").items
    (c,) = compare({"relu": RELU, "tanh": dict.fromkeys(RELU, float("nan"))}, "accuracy", "relu")
    assert (c.pairs, c.decided) == (0, "cannot tell")


def test_a_network_under_a_second_name_adds_nothing_to_the_crossed_part():
    def images(variant, reference, seeds):
        alike = {variant, reference} == {"relu", "twin"}
        return ImageError(0.0 if alike else 4e-4, 0.0 if alike else 1e-5, 100.0)

    once = compare(FOUR, "accuracy", "relu", images=images)
    twice = compare(FOUR | {"twin": FOUR["relu"]}, "accuracy", "relu", images=images)
    assert [c.error for c in twice[: len(once)]] == pytest.approx([c.error for c in once])


def test_errors_of_seeds_and_images_are_added_once():
    def images(variant, reference, seeds):
        assert (variant, reference, list(seeds)) == ("tanh", "relu", [0, 1, 2])
        return ImageError(variance=4e-4, crossed=0.5e-4, freedom=100.0)

    (c,) = compare({"relu": RELU, "tanh": TANH}, "accuracy", "relu", images=images)
    of_seeds = 1e-4 / 3
    both = of_seeds + 4e-4 - 0.5e-4
    freedom = both**2 / (of_seeds**2 / 2 + (4e-4) ** 2 / 100 + (0.5e-4) ** 2 / 200)
    assert (c.seeds_error, c.images_error, c.error) == pytest.approx((of_seeds**0.5, (4e-4 - 0.5e-4) ** 0.5, both**0.5))
    assert c.freedom == pytest.approx(freedom)
    far = stats.t.ppf(0.975, freedom) * both**0.5
    assert (c.low, c.high) == pytest.approx((-0.03 - far, -0.03 + far))


def test_a_difference_inside_what_is_indifferent_is_none():
    slightly = {seed: value - 0.001 - 0.0001 * seed for seed, value in RELU.items()}
    values = {"relu": RELU, "elu": slightly}
    assert compare(values, "accuracy", "relu")[0].decided == "worse"
    assert compare(values, "accuracy", "relu", indifferent=0.005)[0].decided == "equal"
    assert compare(values, "accuracy", "relu", indifferent=0.001)[0].decided == "worse"


def test_before_the_study_is_done_nothing_is_decided():
    (c,) = compare({"relu": RELU, "tanh": TANH}, "accuracy", "relu", is_interim=True)
    assert c.decided == "interim"
    (c,) = compare({"a": {0: 10.0}, "b": {0: 20.0}}, "parameters", "a", is_interim=True)
    assert c.decided == "worse"


def test_an_interim_comparison_has_no_p():
    assert compare({"a": RELU, "b": TANH}, "accuracy", "a", is_interim=True)[0].p is None


@pytest.mark.parametrize(
    ("metric", "unit", "alpha", "is_too_wide"),
    [
        ("accuracy", 0.01, 0.05, False),  # t(0.975; 1) = 12.7 standard errors
        ("accuracy", 0.01, 0.0025, True),  # 255
        ("accuracy", 0.2, 0.05, True),  # ± 127 points, of a share
        ("loss", 0.2, 0.05, False),
        ("loss", 0.2, 0.0025, True),
    ],
)
def test_an_interval_wider_than_anything_says_that_there_are_too_few_seeds(metric, unit, alpha, is_too_wide):
    values = {"a": {0: 0.5, 1: 0.5}, "b": {0: 0.5, 1: 0.5 + unit}}
    (c,) = compare(values, metric, "a", alpha=alpha)
    assert (c.is_too_wide, c.decided) == (is_too_wide, "cannot tell")


def test_a_difference_that_is_told_has_an_interval_however_wide():
    values = {"a": {0: 0.5, 1: 0.5}, "b": {0: 0.3, 1: 0.3001}}
    (c,) = compare(values, "accuracy", "a", alpha=0.0025)
    assert (c.is_too_wide, c.decided) == (False, "worse")


def test_of_a_loss_the_lower_is_better():
    (c,) = compare({"relu": RELU, "tanh": TANH}, "loss", "relu")
    assert (c.difference < 0, c.decided) == (True, "better")


@pytest.mark.parametrize(("pairs", "p", "decided"), [(3, 0.25, "cannot tell"), (6, 2 / 64, "worse")])
def test_the_same_difference_for_every_seed_leaves_the_sign_flip_test(pairs, p, decided):
    relu = {seed: 0.9 + seed / 100 for seed in range(pairs)}
    (c,) = compare({"relu": relu, "elu": {k: v - 0.02 for k, v in relu.items()}}, "accuracy", "relu")
    assert (c.method, c.p, c.decided) == ("sign flip over seeds", p, decided)
    ends = (None, None) if decided == "cannot tell" else (c.difference, c.difference)
    assert (c.low, c.high) == ends
    (c,) = compare({"relu": relu, "elu": relu}, "accuracy", "relu")
    assert (c.difference, c.p, c.decided) == (0, 1, "cannot tell")


def test_one_seed_is_compared_over_the_test_images():
    right = {"relu": [True] * 12 + [False] * 2, "tanh": [True] * 4 + [False] * 8 + [True, False]}
    (c,) = compare({"relu": {0: 12 / 14}, "tanh": {0: 5 / 14}}, "accuracy", "relu", answers_of(right))
    assert c.method == "bootstrap over test images, McNemar"
    assert c.p == pytest.approx(stats.binomtest(1, 9).pvalue)
    assert c.difference == pytest.approx(-7 / 14)
    assert c.low < c.difference < c.high
    assert (c.pairs, c.seeds_error, c.decided) == (1, None, "worse")


def test_copies_of_an_original_are_drawn_and_exchanged_together():
    """Ten copies of each of 14 originals are worth 14 images, not 140."""
    right = {"relu": [True] * 12 + [False] * 2, "tanh": [True] * 4 + [False] * 8 + [True, False]}
    copies = {name: answers * 10 for name, answers in right.items()}
    values = {"relu": {0: 12 / 14}, "tanh": {0: 5 / 14}}

    def original(names):
        return np.array([int(name.removesuffix(".png")) % 14 for name in names])

    (alone,) = compare(values, "accuracy", "relu", answers_of(copies))
    (grouped,) = compare(values, "accuracy", "relu", answers_of(copies, original))
    (originals,) = compare(values, "accuracy", "relu", answers_of(right))
    assert grouped.method == "bootstrap over originals, swaps"
    assert grouped.high - grouped.low == pytest.approx(originals.high - originals.low, rel=0.1)
    assert grouped.high - grouped.low > 2.5 * (alone.high - alone.low)
    assert alone.p < 1e-6
    assert grouped.p == pytest.approx(originals.p, abs=0.02)


def test_a_metric_that_is_no_share_is_tested_by_exchanging_answers():
    losses = {"relu": np.linspace(0.1, 0.9, 40), "tanh": np.linspace(0.2, 1.0, 40)}

    def answers(variant, seed):
        table = pl.DataFrame({"image": range(40), "name": ["x"] * 40, "loss": losses[variant]})
        return Answers(table, (), lambda rows: mean_score(rows["loss"].to_numpy()))

    (c,) = compare({"relu": {0: 0.5}, "tanh": {0: 0.6}}, "loss", "relu", answers)
    assert c.method == "bootstrap over test images, swaps"
    assert (c.difference, c.low, c.high) == pytest.approx((0.1, 0.1, 0.1))
    assert c.p < 0.001
    assert c.decided == "worse"


def test_one_seed_of_what_is_no_property_of_answers_or_of_other_images_gives_no_test():
    right = {"relu": [True] * 9, "tanh": [True] * 8}
    nothing = {"relu": [True] * 9, "tanh": [False] * 9}
    for answers in (answers_of(right), answers_without_evidence(nothing), None):
        (c,) = compare({"relu": {0: 0.9}, "tanh": {0: 0.8}}, "accuracy", "relu", answers)
        assert (c.method, c.p, c.low, c.decided) == ("single runs", None, None, "cannot tell")
        assert c.difference == pytest.approx(-0.1)


def test_equal_differences_of_several_variants_need_the_pairs_of_all_comparisons():
    relu = {seed: 0.5 + seed / 100 for seed in range(6)}
    shifted = {name: {k: v - shift for k, v in relu.items()} for name, shift in (("tanh", 0.1), ("elu", 0.2))}
    found = compare({"relu": relu, **shifted}, "accuracy", "relu")
    assert [(c.method, c.p, c.decided) for c in found] == [("sign flip over seeds", 6 / 64, "cannot tell")] * 2


def test_the_interval_over_images_ends_at_0_where_the_test_does_not_reject():
    """Five images that only one gets right: the bootstrap excludes 0, McNemar's p is 1/16."""
    right = {"relu": [True] * 50, "tanh": [True] * 45 + [False] * 5}
    (c,) = compare({"relu": {0: 1.0}, "tanh": {0: 0.9}}, "accuracy", "relu", answers_of(right))
    assert c.low < -0.1
    assert (c.high, c.p, c.decided) == (0.0, pytest.approx(1 / 16), "cannot tell")


def test_the_intervals_over_images_hold_together():
    """Three pairs: as wide as the normal quantile at a third of the level is farther, and three times the p."""
    right = {"relu": [True] * 80 + [False] * 20, "tanh": [True] * 50 + [False] * 50, "elu": [True] * 100}
    values = {name: {0: sum(row) / 100} for name, row in right.items()}
    (alone,) = compare({name: values[name] for name in ("relu", "tanh")}, "accuracy", "relu", answers_of(right))
    together = compare(values, "accuracy", "relu", answers_of(right))[0]
    wider = stats.norm.ppf(1 - 0.025 / 3) / stats.norm.ppf(0.975)
    assert together.high - together.low == pytest.approx(wider * (alone.high - alone.low))
    assert together.p == pytest.approx(3 * alone.p)


def test_counts_that_vary_over_seeds_are_compared_over_seeds():
    (c,) = compare({"a": {0: 10.0, 1: 12.0, 2: 13.0}, "b": {0: 11.0, 1: 15.0, 2: 15.0}}, "parameters", "a")
    assert (c.method, c.difference) == ("paired t over seeds", 2)


@pytest.mark.parametrize(("column", "other"), [("name", "other.png"), ("label", 1)])
def test_images_of_equal_numbers_that_are_not_the_same_give_no_test(column, other):
    def answers(variant, seed):
        own = answers_of({"relu": [True] * 9, "tanh": [False] * 9})(variant, seed)
        changed = own.table.with_columns(pl.lit(other, own.table.schema[column]).alias(column))
        return own if variant == "relu" else replace(own, table=changed)

    (c,) = compare({"relu": {0: 1.0}, "tanh": {0: 0.0}}, "accuracy", "relu", answers)
    assert (c.method, c.p) == ("single runs", None)


def test_what_follows_from_the_recipe_is_compared_exactly():
    sizes = {"small": {0: 100.0, 1: 100.0}, "large": {0: 250.0, 1: 250.0}, "other": {0: 100.0}}
    large, other = compare(sizes, "parameters", "small")
    assert (large.method, large.difference, large.p, large.decided) == ("exact", 150, None, "worse")
    assert (other.method, other.decided) == ("exact", "equal")


def test_nothing_in_common():
    missing, apart = compare({"relu": RELU, "tanh": {}, "elu": {9: 0.9}}, "accuracy", "relu")
    for c in (missing, apart):
        assert (c.pairs, c.difference, c.p, c.method, c.decided) == (0, None, None, "no pairs", "cannot tell")


def test_comparisons_are_a_sequence_a_table_and_html():
    found = compare({"a": RELU, "<b>": TANH, "c": {}}, "accuracy", "a")
    assert [c.variant for c in found] == ["<b>", "c"]
    assert (len(found), found[1].variant, [c.variant for c in found[:1]]) == (2, "c", ["<b>"])
    assert found.frame["variant"].to_list() == ["<b>", "c"]
    assert found.frame.schema["difference"] == pl.Float64
    page = found._repr_html_()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "−3.0 ±" in page
    assert compare({"a": RELU}, "accuracy", "a").frame.height == 0


tables = st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=2, max_size=5)


def studied(rows):
    return {str(i): {seed: v / 50 for seed, v in enumerate(row)} for i, row in enumerate(rows)}


@given(tables)
def test_the_reference_only_turns_the_sign(rows):
    values = studied(rows)
    there = {c.variant: c for c in compare(values, "accuracy", "0")}["1"]
    back = {c.variant: c for c in compare(values, "accuracy", "1")}["0"]
    assert back.difference == pytest.approx(-there.difference)
    assert back.p == pytest.approx(there.p)
    assert not any(isinstance(v, float) and np.isnan(v) for v in vars(there).values())
    assert {there.decided, back.decided} in ({"better", "worse"}, {"cannot tell"})


@given(tables, st.booleans(), st.sampled_from([0.05, 0.0025]))
def test_interval_p_and_decision_are_one(rows, is_named, alpha):
    for c in compare(studied(rows), "accuracy", "0", is_named=is_named, alpha=alpha):
        excluded = c.low is not None and not c.low <= 0 <= c.high
        assert (c.decided in ("better", "worse")) == excluded
        assert (c.p < alpha) == excluded or c.p == pytest.approx(alpha)


@given(tables, st.randoms())
def test_the_order_of_the_variants_changes_nothing(rows, random):
    values = studied(rows)
    names = list(values)
    random.shuffle(names)
    shuffled = {c.variant: c for c in compare({name: values[name] for name in names}, "accuracy", "0")}
    for c in compare(values, "accuracy", "0"):
        other = shuffled[c.variant]
        assert (c.method, c.decided) == (other.method, other.decided)
        assert (c.low, c.high, c.p) == pytest.approx((other.low, other.high, other.p), abs=1e-12)


@given(tables, st.lists(st.integers(-50, 50), min_size=3, max_size=3))
def test_a_harder_seed_changes_nothing(rows, shifts):
    values = studied(rows)
    moved = {name: {seed: v + shifts[seed] / 50 for seed, v in by_seed.items()} for name, by_seed in values.items()}
    for c, other in zip(compare(values, "accuracy", "0"), compare(moved, "accuracy", "0"), strict=True):
        assert (c.method, c.decided) == (other.method, other.decided)
        assert c.p == pytest.approx(other.p, abs=1e-9)
        assert c.difference == pytest.approx(other.difference, abs=1e-12)


@pytest.mark.parametrize(
    ("metric", "lower", "share", "unit"),
    [
        ("accuracy", False, True, "points"),
        ("top_5_accuracy", False, True, "points"),
        ("f1_macro", False, True, "points"),
        ("validation_loss", True, False, ""),
        ("training_seconds", True, False, "s"),
        ("inference_images_per_second", False, False, ""),
        ("parameters", True, False, ""),
        ("weight_bytes", True, False, "MB"),
    ],
)
def test_what_a_metric_name_says(metric, lower, share, unit):
    assert (metrics.lower_is_better(metric), metrics.is_share(metric), metrics.unit(metric)) == (lower, share, unit)


@pytest.mark.parametrize(
    ("metric", "value", "low", "high", "text"),
    [
        ("accuracy", 0.912, 0.909, 0.915, "91.2 ± 0.3 %"),
        ("accuracy", 0.91234, 0.91194, 0.91274, "91.23 ± 0.04 %"),
        ("accuracy", 0.912, None, None, "91.2 %"),
        ("accuracy", 0.95, 0.31, 1.0, "95.0 (31.0 to 100.0) %"),
        ("loss", 0.31234, None, None, "0.312"),
        ("loss", 0.062, 0.004, 0.120, "0.062 ± 0.058"),  # one more place where both would look alike
        ("parameters", 3709825, 3709825, 3709825, "3,709,825"),
        ("training_seconds", 12.34, 10.1, 14.58, "12 ± 2 s"),
        ("inference_images_per_second", 5173.8, 5085.8, 5261.8, "5,174 ± 88"),
    ],
)
def test_values_as_text(metric, value, low, high, text):
    assert metrics.value_text(metric, value, low, high) == text


def test_words():
    assert metrics.comparative("accuracy", "a", "b") == "a is better than b"
    assert metrics.comparative("loss", "a", "b") == "a has a lower test loss than b"
    assert metrics.comparative("f1_macro", "a", "b") == "a has a higher F1 (macro) than b"
    assert metrics.comparative("parameters", "a", "b") == "a has fewer parameters than b"
    assert metrics.superlative("inference_images_per_second", "a") == "a has the most images per second"
    assert metrics.superlative("training_seconds", "a") == "a has the shortest training time"
    assert metrics.label("top_5_accuracy") == "top-5 accuracy"
    assert metrics.in_order({"zeta", "macs", "accuracy", "loss"}) == ["accuracy", "loss", "macs", "zeta"]
