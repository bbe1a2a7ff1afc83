"""Accuracy and its relatives, against counts by hand and scikit-learn."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from assay.errors import AssayError, RunFailed
from assay.evaluate import MEASURES, Value, measure
from assay.recipe import Measure
from assay.tasks.classification.measure import quality
from assay.tasks.curves import curves
from assay.tools.names import members
from trained import predictions, trained

THREE = predictions(
    labels=[0, 0, 0, 1, 1, 2],
    probabilities=[
        [0.8, 0.1, 0.1],
        [0.6, 0.3, 0.1],
        [0.2, 0.7, 0.1],
        [0.1, 0.8, 0.1],
        [0.5, 0.4, 0.1],
        [0.3, 0.6, 0.1],
    ],
    losses=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
)
"""Predicted 0 0 1 1 0 1: class 0 has 2 of 3, class 1 has 1 of 2, class 2 is never predicted."""


def test_by_hand() -> None:
    found = quality(THREE, top_k=(1, 2, 3, 5))
    assert found == {
        "accuracy": pytest.approx(3 / 6),
        "balanced_accuracy": pytest.approx((2 / 3 + 1 / 2 + 0) / 3),
        "loss": 3.5,
        "confusion_matrix": [[2, 1, 0], [1, 1, 0], [0, 1, 0]],
        "support_per_class": [3, 2, 1],
        "precision_per_class": pytest.approx([2 / 3, 1 / 3, 0]),
        "recall_per_class": pytest.approx([2 / 3, 1 / 2, 0]),
        "f1_per_class": pytest.approx([2 / 3, 2 / 5, 0]),
        "precision_macro": pytest.approx(1 / 3),
        "recall_macro": pytest.approx(7 / 18),
        "f1_macro": pytest.approx((2 / 3 + 2 / 5) / 3),
        "precision_weighted": pytest.approx((3 * 2 / 3 + 2 / 3) / 6),
        "recall_weighted": pytest.approx(3 / 6),
        "f1_weighted": pytest.approx((3 * 2 / 3 + 2 * 2 / 5) / 6),
        "top_1_accuracy": pytest.approx(3 / 6),
        "top_2_accuracy": pytest.approx(5 / 6),
    }


def plain(value: Value | None) -> bool:
    return all(map(plain, value)) if isinstance(value, list) else type(value) in (int, float)


def test_values_are_plain_numbers() -> None:
    assert all(plain(value) for value in quality(THREE, top_k=(2,)).values())


def test_a_perfect_network_has_1_in_every_mean_over_classes_though_one_class_has_no_image() -> None:
    own = predictions([0, 1], [[0.9, 0.1, 0.0], [0.1, 0.9, 0.0]])
    found = quality(own) | curves(own.truth, own.probabilities, ["a", "b", "absent"])
    means = ["balanced_accuracy", "roc_auc_macro", "average_precision_macro"]
    means += [f"{name}_{mean}" for name in ("precision", "recall", "f1") for mean in ("macro", "weighted")]
    assert {name: found[name] for name in means} == dict.fromkeys(means, 1.0)
    assert found["support_per_class"] == [1, 1, 0]
    assert found["precision_per_class"] == found["recall_per_class"] == found["f1_per_class"] == [1.0, 1.0, None]


def test_answers_that_name_a_class_without_images_are_wrong_where_they_were_given() -> None:
    found = quality(predictions([0, 0, 1], [[0.9, 0.1, 0.0], [0.1, 0.1, 0.8], [0.1, 0.9, 0.0]]))
    assert (found["precision_macro"], found["recall_macro"]) == (1.0, (1 / 2 + 1) / 2)
    assert found["f1_macro"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["f1_per_class"] == [pytest.approx(2 / 3), 1.0, None]


@st.composite
def outcomes(draw: st.DrawFn) -> tuple[list[int], list[list[float]]]:
    classes, n = draw(st.integers(3, 6)), draw(st.integers(1, 20))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n))
    rows = draw(st.lists(st.permutations(range(1, classes + 1)), min_size=n, max_size=n))
    return labels, [[v / sum(row) for v in row] for row in rows]


@settings(max_examples=60, deadline=None)
@given(outcomes())
def test_agrees_with_scikit_learn(outcome: tuple[list[int], list[list[float]]]) -> None:
    labels, probabilities = outcome
    classes = list(range(len(probabilities[0])))
    predicted = np.argmax(probabilities, axis=1)
    found = quality(predictions(labels, probabilities), top_k=(1, 2))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    for average in ("macro", "weighted"):
        arguments: dict[str, Any] = {"average": average, "labels": sorted(set(labels)), "zero_division": 0}
        assert found[f"precision_{average}"] == pytest.approx(metrics.precision_score(labels, predicted, **arguments))
        assert found[f"recall_{average}"] == pytest.approx(metrics.recall_score(labels, predicted, **arguments))
        assert found[f"f1_{average}"] == pytest.approx(metrics.f1_score(labels, predicted, **arguments))
    assert found["balanced_accuracy"] == pytest.approx(found["recall_macro"])
    for k in (1, 2):
        expected = metrics.top_k_accuracy_score(labels, np.array(probabilities), k=k, labels=classes)
        assert found[f"top_{k}_accuracy"] == pytest.approx(expected)
    table = np.array(found["confusion_matrix"])
    assert table.sum() == len(labels)
    assert table.trace() / len(labels) == pytest.approx(found["accuracy"])
    assert found["recall_weighted"] == pytest.approx(found["accuracy"])
    assert found["top_1_accuracy"] == found["accuracy"]
    assert found["top_2_accuracy"] >= found["top_1_accuracy"]  # type: ignore[operator]


def test_of_equal_probabilities_the_first_classes_count() -> None:
    found = quality(predictions([0, 1, 2], [[1 / 3] * 3] * 3), (1, 2))
    assert found["top_1_accuracy"] == pytest.approx(1 / 3)
    assert found["top_2_accuracy"] == pytest.approx(2 / 3)


def test_every_number_is_evidence_and_its_weights_repeat_rows() -> None:
    generator = np.random.default_rng(0)
    labels, chances = generator.integers(0, 3, 20), generator.dirichlet([1.0] * 4, 20)
    own = predictions(labels.tolist(), chances.tolist())
    weights = np.arange(20) % 3
    repeated = np.repeat(np.arange(20), weights)
    again = quality(predictions(labels[repeated].tolist(), chances[repeated].tolist()), (1, 2))
    names = [name for name, value in again.items() if isinstance(value, float) and name != "loss"]
    assert len(names) == 10
    for name in names:
        evidence = own.evidence(name)
        assert evidence is not None
        assert evidence(weights[None].astype(np.float64))[0] == pytest.approx(again[name]), name
    for unknown in ("average_precision_macro", "roc_auc_macro", "f1_micro", "precision", "training_seconds"):
        assert own.evidence(unknown) is None


# ------------------------------------------------------------------------------------------ the contract


def test_every_measure_of_the_recipe_is_in_the_catalogue() -> None:
    assert set(MEASURES) == {kind.model_fields["name"].default for kind in members(Measure)}


def test_measures_of_a_trained_network() -> None:
    run = trained()
    found = measure(run)
    assert {"accuracy", "loss", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"} <= set(found)
    assert {"parameters", "macs", "training_seconds", "inference_images_per_second"} <= set(found)
    assert "top_5_accuracy" not in found
    assert found["train_loss"] == pytest.approx(run.predictions["train"].losses.mean())
    assert found["accuracy"] == (run.predictions["test"].predicted == run.predictions["test"].labels).mean()


def test_without_validation_images_their_names_are_absent() -> None:
    run = trained(evaluate=["classification"])
    alone = replace(run, predictions={s: p for s, p in run.predictions.items() if s != "validation"})
    assert measure(run).keys() - measure(alone).keys() == {"validation_loss", "validation_accuracy"}


def test_a_name_measured_twice_is_refused() -> None:
    run = trained(evaluate=["classification"])
    twice = run.recipe.model_copy(update={"evaluate": run.recipe.evaluate * 2})
    with pytest.raises(AssayError, match="'accuracy' is measured twice; is 'classification' listed twice"):
        measure(replace(run, recipe=twice))


def test_a_value_that_is_not_finite_fails_the_run() -> None:
    run = trained(evaluate=["classification"])
    test = run.predictions["test"]
    broken = replace(test, losses=np.full_like(test.losses, np.inf))
    with pytest.raises(RunFailed, match="'classification' gives 'loss' a value that is not finite"):
        measure(replace(run, predictions=run.predictions | {"test": broken}))
