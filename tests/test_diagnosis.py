"""The rules of a diagnosis, on courses worked by hand."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from assay.diagnosis.alarms import Alarms, measured
from assay.diagnosis.catalogue import RULES
from assay.diagnosis.course import Course, Units
from assay.diagnosis.next_study import AFTER, next_study, stated
from assay.recipe import Recipe
from assay.recipe.study import Study
from courses import CHANCE, course, healthy, named, said, with_facts


def test_of_a_healthy_course_nothing_is_wrong() -> None:
    assert named(course(healthy())) == []
    assert list(said(course(healthy()))) == ["noise of batches"]


@given(least=st.floats(0.0, 1.2), rate=st.floats(0.6, 2.0), epochs=st.integers(16, 60), again=st.integers(1, 3))
def test_a_smooth_course_that_has_settled_has_no_finding_however_long_it_is(
    least: float, rate: float, epochs: int, again: int
) -> None:
    stretched = healthy(epochs * again, least + 0.05, rate / again)
    assert named(course(stretched)) == []


@given(scale=st.floats(0.01, 100.0), kind=st.integers(0, 3))
def test_losses_in_another_unit_say_the_same(scale: float, kind: int) -> None:
    losses = [healthy(), healthy() + 5, healthy(4), healthy() + 0.3 * (np.arange(20) % 3)][kind]
    own = course(losses)
    other = course(
        losses * scale,
        with_facts(chance_loss=CHANCE * scale),
        train_metric=own.train_metric,
        validation_metric=own.validation_metric,
    )
    assert named(other) == named(own)


def test_a_first_loss_far_above_that_of_knowing_nothing_is_an_explosion() -> None:
    found = said(course([7.0, 2.2, *healthy(8)]))["exploded"]
    assert found.evidence.epochs == [1]
    assert "7, 3.04 times the 2.3 of knowing nothing" in found.evidence.text
    assert "exploded" not in named(course([1.49 * CHANCE, *healthy(9)]))
    assert named(course([], with_facts(broke=3))) == ["exploded"]


def test_a_loss_that_rises_in_more_than_15_percent_of_the_epochs_is_unstable() -> None:
    losses = healthy()
    losses[[10, 15]] += 0.3  # 2 of 19 differences
    assert named(course(losses)) == []
    losses[5] += 0.3
    found = said(course(losses))["unstable"]
    assert found.evidence.numbers["rises"] == 3
    assert found.evidence.epochs == [6, 11, 16]
    begun = replace(course(losses), begins=(5, 10, 15))
    assert "unstable" not in named(begun), "a new phase may begin higher"


def test_a_phase_that_begins_with_the_first_epoch_excuses_no_other_rise() -> None:
    losses = [2.0, 1.0, 1.5, 1.0, 1.5]
    assert said(replace(course(losses), begins=(0,)))["unstable"].evidence.epochs == [3, 5]


def test_an_epoch_without_a_number_hides_no_rise() -> None:
    found = said(course([2.0, np.nan, 1.0, 1.5, 1.0, 1.6]))["unstable"]
    assert found.evidence.epochs == [4, 6]
    assert found.evidence.text.endswith("most in epoch 6")
    assert found.evidence.numbers["largest"] == pytest.approx(0.6)


def test_an_infinite_validation_loss_is_an_explosion() -> None:
    losses = [2.0, 1.0, np.inf, 0.8]
    found = said(course([2.0, 1.0, 0.9, 0.8], validation_loss=losses))
    assert found["exploded"].evidence.text == "the loss was not finite in epoch 3"
    assert "unfinished" not in found
    assert "overfitting" not in found


def test_a_metric_at_chance_is_not_learning() -> None:
    accuracy = np.full(20, 0.12)
    found = said(course(healthy(), validation_metric=accuracy))["not learning"]
    limit = 0.1 + 0.05 * 0.9 + 3 * (0.1 * 0.9 / 400) ** 0.5
    assert found.evidence.numbers == {"best": 0.12, "chance": 0.1, "limit": pytest.approx(limit)}
    assert "not learning" not in named(course(healthy(), validation_metric=accuracy + limit))
    silent = course(healthy(), with_facts(chance_metric=None), validation_metric=accuracy)
    assert "not learning" not in named(silent)


def test_small_steps_with_much_left_are_a_rate_too_low() -> None:
    slow = np.linspace(2.3, 2.2, 10)
    assert named(course(slow, step_size=np.full(10, 1e-5))) == ["rate too low"]
    assert "rate too low" not in named(course(slow, step_size=np.full(10, np.nan))), "not recorded"
    assert "rate too low" not in named(course(healthy(), step_size=np.full(20, 1e-5))), "it has learned"


def test_a_loss_that_still_falls_is_unfinished() -> None:
    found = said(course([2.0, 1.6, 1.3, 1.0]))["unfinished"]
    assert found.evidence.epochs == [4]
    assert found.evidence.numbers["fall"] == pytest.approx(0.3 / CHANCE)
    risen = course([2.0, 1.6, 1.3, 1.0], with_facts(kept=3), validation_loss=[2.0, 1.6, 1.5, 1.7])
    assert "unfinished" not in named(risen)


def test_a_loss_that_falls_little_and_does_not_slow_down_is_unfinished() -> None:
    steady = 2.3 - 0.025 * np.arange(10)
    found = said(course(steady))["unfinished"]
    assert found.evidence.numbers["fall"] == pytest.approx(0.05 / CHANCE)
    slower = np.array([2.3, 2.1, 1.9, 1.7, 1.5, 1.4, 1.35, 1.3, 1.275, 1.25])
    assert named(course(slower)) == [], "the last two epochs are a fifth as fast as the mean"
    assert "unfinished" not in named(course(2.3 - 0.01 * np.arange(10))), "2 of 9 hundredths are less than 1 %"


def test_a_gradient_that_fades_is_told_by_its_ratio() -> None:
    found = said(course(healthy(), first_gradient=np.full(20, 1e-6)))["gradient fades"]
    assert found.evidence.numbers["ratio"] == pytest.approx(1e-6 / 3e-2)


def test_units_that_are_alike_for_every_image_are_counted_by_layer() -> None:
    units = (Units("activation1", "ReLU", 10, 7), Units("activation2", "ReLU", 10, 8))
    found = said(course(healthy(), with_facts(units=units)))["dead or saturated units"]
    assert "8 of 10 units of activation2 (ReLU)" in found.evidence.text
    assert found.evidence.numbers["layers"] == 1


def test_inputs_far_from_one_are_unscaled() -> None:
    assert named(course(healthy(), with_facts(inputs=130.0))) == ["inputs unscaled"]


def test_training_below_validation_is_harder() -> None:
    accuracy = course(healthy()).validation_metric
    found = said(course(healthy(), train_metric=accuracy - 0.2))["training harder than testing"]
    assert found.evidence.numbers["gap"] == pytest.approx(0.2)


def test_overfitting_is_a_fact_with_its_price_and_no_fault() -> None:
    losses = [2.0, 1.0, 0.8, 1.0, 1.2]
    found = said(course(healthy(5), with_facts(kept=4), validation_loss=losses))
    fact = found["overfitting"]
    assert fact.kind == "fact"
    assert fact.false_alarms is None
    assert fact.evidence.numbers == {"price": pytest.approx(1.5), "kept": 4, "least": 0.8}
    assert "1.5 times that. The weights kept are of epoch 4, whose loss is 1.25 times the least" in fact.evidence.text
    best = said(course(healthy(5), with_facts(kept=3), validation_loss=losses))["overfitting"]
    assert best.evidence.text.endswith("The weights kept are of epoch 3, whose loss is the least")


@pytest.mark.parametrize(("size", "words"), [(1000, "whole batch"), (100, "mini-batches of 100"), (1, "stochastic")])
def test_the_noise_of_batches_has_words(size: int, words: str) -> None:
    assert said(course(healthy(), with_facts(batch_size=size)))["noise of batches"].evidence.text.startswith(words)


def test_a_loss_that_stands_still_and_then_falls_was_on_a_plateau() -> None:
    losses = [2.3, 2.3, 2.3, 2.3, 1.5, 1.0, 0.9, 0.85, 0.84, 0.84]
    assert said(course(losses))["plateau"].evidence.epochs == [1, 4]
    assert "plateau" not in said(course(losses[4:]))


def test_where_nobody_knows_what_knowing_nothing_reaches_the_first_epoch_is_the_measure() -> None:
    losses = course([50.0, 40.0, 30.0, 20.0], with_facts(chance_loss=None, chance_metric=None, kept=4))
    found = said(losses)
    assert list(found) == ["unfinished", "noise of batches"]
    assert "by 20% of that of the first epoch" in found["unfinished"].evidence.text


def test_small_steps_of_a_loss_without_a_level_are_no_rate_too_low() -> None:
    """Of boxes, say: a trained network that is trained on begins with little loss."""
    unknown = with_facts(chance_loss=None, chance_metric=None)
    assert named(course([1.0, 0.9, 0.88, 0.87], unknown, step_size=np.full(4, 1e-5))) == []
    assert named(course([1.0], unknown, step_size=np.full(1, 1e-5))) == []


def test_a_single_epoch_is_no_trend() -> None:
    found = said(course([1.0]))
    assert named(course([1.0])) == []
    assert found["single epoch"].kind == "fact"
    assert "train.epochs" in found["single epoch"].next_study
    assert found["noise of batches"].evidence.text.endswith("their losses scatter by 10% of their mean")
    assert "single epoch" not in said(course([1.0], with_facts(broke=2)))


def test_without_recorded_steps_a_history_has_the_rules_on_epochs() -> None:
    history = pl.DataFrame({"epoch": [1, 2], "train_loss": [9.0, 8.0], "validation_loss": [None, None]})
    found = Course.read(history, with_facts())
    assert not found.has_steps
    assert named(found) == ["exploded"]


def test_no_rule_says_why() -> None:
    losses = [9.0, 9.5, 9.0, 9.5, 9.0]
    texts = [rule.words for rule in RULES] + [f.evidence.text for f in said(course(losses)).values()]
    assert not [text for text in texts if "because" in text.lower()]


def test_limits_of_a_rate_by_hand() -> None:
    assert Alarms(0, 60, "x").upper == pytest.approx(1 - 0.05 ** (1 / 60))
    assert str(Alarms(0, 48, "digits")) == "0 of 48 healthy runs on digits (at most 6.1%)"


def test_the_shipped_rates_are_of_every_rule_that_accuses() -> None:
    faults = {rule.name for rule in RULES if rule.kind == "fault"}
    for counts in measured().values():
        assert set(counts) == faults | {"healthy", "flagged"}
        assert counts["healthy"] >= 48
        assert all(0 <= number <= counts["healthy"] for number in counts.values())
    last = list(measured().values())[-1]
    assert last["healthy"] >= 60
    assert last["flagged"] <= 3


@pytest.mark.parametrize("finding", AFTER)
def test_the_next_study_is_a_study_of_the_same_recipe(finding: str) -> None:
    own = {
        "data": {"source": "digits", "augment": [{"rotation": 10}], "normalize": {"mean": [0.0], "std": [0.004]}},
        "model": {"name": "mlp", "hidden": [8], "dropout": 0.3},
        "train": {"epochs": 3, "optimizer": {"name": "sgd", "lr": 0.5}, "loss": "mse"},
    }
    recipe = Recipe.model_validate(own)
    study = Study.model_validate(yaml.safe_load(next_study(finding, recipe)))
    variants = [variant.recipe for variant in study.plan.values()]
    assert any(variant.train == recipe.train and variant.data == recipe.data for variant in variants)
    assert all(variant.evaluate[-1].name == "diagnosis" for variant in variants)
    assert Recipe.model_validate(stated(recipe)) == recipe
    assert study.name == f"after-{finding.replace(' ', '-')}", "no word of a command has to be quoted"


def test_where_sigmoids_fade_the_next_study_has_another_activation() -> None:
    values = {"data": {"source": "digits"}, "model": {"name": "mlp", "activation": "sigmoid"}}
    study = yaml.safe_load(next_study("gradient fades", Recipe.model_validate(values)))
    assert study["vary"] == {"model.activation": ["sigmoid", "relu"]}
