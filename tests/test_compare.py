from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.results import metrics
from assay.results.answers import Answers
from assay.results.compare import compare
from assay.results.statistics import holm
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


def test_pairs_of_seeds_by_hand():
    (c,) = compare({"relu": RELU, "tanh": TANH}, "accuracy", "relu")
    theirs = stats.ttest_rel(list(TANH.values()), list(RELU.values()))
    assert (c.variant, c.reference, c.pairs, c.method) == ("tanh", "relu", 3, "paired t over seeds")
    assert c.difference == pytest.approx(-0.03)
    assert c.p == c.p_holm == pytest.approx(theirs.pvalue)
    assert (c.low, c.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert (c.sign_flip, c.sign_flip_floor) == (0.25, 0.25)
    assert (c.decided, c.more_seeds) == ("worse", None)


def test_only_seeds_that_both_have_are_paired():
    (c,) = compare({"relu": RELU, "tanh": {2: 0.90, 1: 0.89, 7: 0.1}}, "accuracy", "relu")
    assert c.pairs == 2
    assert c.difference == pytest.approx(-0.03)


def test_p_values_are_corrected_for_the_comparisons_made():
    values = {"relu": RELU, "tanh": TANH, "elu": {0: 0.90, 1: 0.93, 2: 0.93}, "gelu": {0: 0.89, 1: 0.92, 2: 0.90}}
    found = compare(values, "accuracy", "relu")
    assert found.family == 3
    assert [c.p_holm for c in found] == pytest.approx(list(holm([c.p for c in found])))


def test_against_a_variant_the_data_chose_all_pairs_count():
    values = {"relu": RELU, "tanh": TANH, "elu": {0: 0.90, 1: 0.93, 2: 0.93}}
    found = compare(values, "accuracy", "relu", chosen_by_value=True)
    all_p = [stats.ttest_rel(list(values[a].values()), list(values[b].values())).pvalue
             for a, b in [("tanh", "relu"), ("elu", "relu"), ("tanh", "elu")]]  # fmt: skip
    assert found.family == 3
    assert [c.p_holm for c in found] == pytest.approx(list(holm(all_p))[:2])


def test_of_a_loss_the_lower_is_better():
    (c,) = compare({"relu": RELU, "tanh": TANH}, "loss", "relu")
    assert (c.difference < 0, c.decided) == (True, "better")


def test_undecided_comparisons_say_how_many_seeds_would_do():
    (c,) = compare({"relu": RELU, "elu": {0: 0.905, 1: 0.932, 2: 0.925}}, "accuracy", "relu")
    assert c.decided == "cannot tell"
    assert c.more_seeds > 10


def test_the_same_difference_for_every_seed_leaves_the_sign_flip_test():
    (c,) = compare({"relu": RELU, "elu": {k: v - 0.02 for k, v in RELU.items()}}, "accuracy", "relu")
    assert (c.method, c.p, c.low, c.high, c.decided) == ("sign flip over seeds", 0.25, None, None, "cannot tell")
    assert c.more_seeds == 3  # six pairs reach 2/64
    (c,) = compare({"relu": RELU, "elu": RELU}, "accuracy", "relu")
    assert (c.difference, c.p, c.low, c.high, c.decided, c.more_seeds) == (0, 1, 0, 0, "cannot tell", None)


def test_one_seed_is_compared_over_the_test_images():
    right = {"relu": [True] * 12 + [False] * 2, "tanh": [True] * 4 + [False] * 8 + [True, False]}
    (c,) = compare({"relu": {0: 12 / 14}, "tanh": {0: 5 / 14}}, "accuracy", "relu", answers_of(right))
    assert c.method == "bootstrap over test images, McNemar"
    assert c.p == pytest.approx(stats.binomtest(1, 9).pvalue)
    assert c.difference == pytest.approx(-7 / 14)
    assert c.low < c.difference < c.high
    assert (c.pairs, c.sign_flip, c.more_seeds, c.decided) == (1, None, None, "worse")


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
    shifted = {name: {k: v - shift for k, v in RELU.items()} for name, shift in (("tanh", 0.1), ("elu", 0.2))}
    found = compare({"relu": RELU, **shifted}, "accuracy", "relu")
    assert [(c.method, c.p, c.decided) for c in found] == [("sign flip over seeds", 0.25, "cannot tell")] * 2
    assert [c.more_seeds for c in found] == [4, 4]  # seven pairs reach 2/128, below a half of 0.05


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


@given(st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=2, max_size=4))
def test_the_reference_only_turns_the_sign(rows):
    values = {str(i): {seed: v / 50 for seed, v in enumerate(row)} for i, row in enumerate(rows)}
    there = {c.variant: c for c in compare(values, "accuracy", "0")}["1"]
    back = {c.variant: c for c in compare(values, "accuracy", "1")}["0"]
    assert back.difference == pytest.approx(-there.difference)
    assert back.p == pytest.approx(there.p)
    assert not any(isinstance(v, float) and np.isnan(v) for v in vars(there).values())


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
    assert metrics.comparative("accuracy") == "is better than"
    assert metrics.comparative("loss") == "has a lower test loss than"
    assert metrics.comparative("f1_macro") == "has a higher F1 (macro) than"
    assert metrics.comparative("parameters") == "has fewer parameters than"
    assert metrics.superlative("inference_images_per_second") == "the most images per second"
    assert metrics.superlative("training_seconds") == "the shortest training time"
    assert metrics.label("top_5_accuracy") == "top-5 accuracy"
    assert metrics.in_order({"zeta", "macs", "accuracy", "loss"}) == ["accuracy", "loss", "macs", "zeta"]
