"""ROC and precision-recall curves: by hand, against scikit-learn, thinned, and where a class is missing."""

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from assay.evaluate import measure
from assay.tasks.curves import curves, precision_recall, roc
from assay.tasks.polylines import area, mean_line, thinned
from trained import predictions, trained


def table(found: dict[str, Any], name: str | None, kind: str) -> pl.DataFrame:
    frame: pl.DataFrame = found["curves"]
    return frame.filter(pl.col("class").eq_missing(pl.lit(name, pl.String)), curve=kind)


def test_two_classes_by_hand() -> None:
    chances = [0.1, 0.4, 0.35, 0.8]
    found = curves_of(predictions([0, 0, 1, 1], [[1 - p, p] for p in chances]), ["no", "yes"])
    yes = table(found, "yes", "roc")
    assert yes.select("x", "y").rows() == [(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)]
    assert yes["area"][0] == pytest.approx(0.75)
    steps = table(found, "yes", "precision_recall")
    assert steps.select("x", "y").rows() == [(0, 1), (0.5, 1), (0.5, pytest.approx(2 / 3)), (1, pytest.approx(2 / 3))]
    assert steps["area"][0] == pytest.approx(0.5 + 1 / 3)
    assert (yes["chance"][0], steps["chance"][0]) == (0.5, 0.5)
    assert found["roc_auc_macro"] == pytest.approx(0.75)
    # "no" is first at .9, then a "yes" at .65, then the other "no" at .6: precisions 1 and 2/3
    assert found["average_precision_macro"] == pytest.approx(0.5 + 1 / 3)


def curves_of(own: Any, classes: list[str]) -> Any:
    return curves(own.truth, own.probabilities, classes)


def test_chance_is_a_half_or_the_share_of_the_class() -> None:
    found = curves_of(predictions([0, 0, 0, 1], [[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]]), ["no", "yes"])
    for name, share in (("no", 0.75), ("yes", 0.25), (None, 0.5)):
        assert set(table(found, name, "roc")["chance"]) == {0.5}
        assert set(table(found, name, "precision_recall")["chance"]) == {share}


def many(n: int, classes: int, seed: int = 0) -> Any:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    logits = random.normal(size=(n, classes)) + 1.5 * np.eye(classes)[labels]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return predictions(labels.tolist(), chances.tolist())


def test_areas_are_scikit_learns_and_curves_are_short() -> None:
    own = many(5000, 4)
    found = curves_of(own, list("abcd"))
    one_hot = np.eye(4)[own.labels]
    assert found["roc_auc_macro"] == pytest.approx(
        roc_auc_score(own.labels, own.probabilities / own.probabilities.sum(1, keepdims=True), multi_class="ovr"),
        abs=1e-5,
    )
    assert found["average_precision_macro"] == pytest.approx(average_precision_score(one_hot, own.probabilities))
    for k, name in enumerate("abcd"):
        for kind, score in (("roc", roc_auc_score), ("precision_recall", average_precision_score)):
            part = table(found, name, kind)
            assert part["area"][0] == pytest.approx(score(one_hot[:, k], own.probabilities[:, k]))
            assert 2 <= part.height <= 200
            assert area((part["x"].to_numpy(), part["y"].to_numpy())) == pytest.approx(part["area"][0], abs=2e-3)
    macro = table(found, None, "roc")
    assert macro["area"][0] == pytest.approx(found["roc_auc_macro"])
    assert macro.height <= 200


def test_a_thinned_curve_lies_on_the_whole_one_within_half_a_pixel() -> None:
    own = many(3000, 2)
    for line in (f(own.labels == 1, own.probabilities[:, 1]) for f in (roc, precision_recall)):
        few = thinned(line, 200)
        assert len(few[0]) <= 200
        grid = np.linspace(0.05, 1, 1000)
        gap = np.abs(np.interp(grid, *few) - np.interp(grid, *line))
        assert np.quantile(gap, 0.99) < 0.01
        assert set(zip(*few, strict=True)) <= set(zip(*line, strict=True))


def test_a_straight_line_is_its_ends() -> None:
    x = np.linspace(0, 1, 1000)
    assert thinned((x, 0.5 * x))[0].tolist() == [0, 1]
    assert thinned((x, np.sin(20 * x)), most=7)[0].size == 7


Steps = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=8)


@given(st.lists(Steps, min_size=1, max_size=4))
def test_the_mean_line_has_the_mean_area(all_steps: list[list[tuple[int, int]]]) -> None:
    lines = []
    for steps in all_steps:
        x, y = np.cumsum([(0, 0), *steps], axis=0).astype(float).T
        lines.append((np.append(x, 40.0), np.append(y, y[-1])))
    x, y = mean_line(lines)
    assert area((x, y)) == pytest.approx(np.mean([area(line) for line in lines]))
    assert all(a <= b for a, b in pairwise(x))


@settings(deadline=None, max_examples=40)
@given(arrays(np.float32, 30, elements=st.sampled_from([0, 0.25, 0.5, 0.75, 1])), st.integers(1, 29))
def test_areas_with_ties(scores: Any, positive: int) -> None:
    own = np.random.default_rng(positive).permutation(30) < positive
    assert area(roc(own, scores)) == pytest.approx(roc_auc_score(own, scores))
    assert area(precision_recall(own, scores)) == pytest.approx(average_precision_score(own, scores))


def test_a_class_without_test_images_is_told_and_left_out() -> None:
    own = predictions([0, 1, 0], [[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.8, 0.1, 0.1]])
    found = curves_of(own, ["a", "b", "c"])
    frame = found["curves"]
    (absent,) = frame.filter(pl.col("class") == "c").rows(named=True)
    assert {k: v for k, v in absent.items() if v is not None} == {
        "class": "c",
        "reason": "no test image has it",
    }
    assert found["roc_auc_macro"] == 1.0
    assert frame.schema["reason"] == pl.String


def test_with_one_class_among_the_test_images_there_is_no_area() -> None:
    found = curves_of(predictions([0, 0], [[0.7, 0.3], [0.2, 0.8]]), ["a", "b"])
    assert list(found) == ["curves"]
    assert found["curves"]["reason"].to_list() == ["all test images have it", "no test image has it"]


def test_it_is_a_measure_among_the_others() -> None:
    found = measure(trained(evaluate=["classification", "curves"]))
    assert 0 <= found["roc_auc_macro"] <= 1
    assert isinstance(found["curves"], pl.DataFrame)
    assert "accuracy" in found
