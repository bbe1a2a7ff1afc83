"""Which runs collapsed, and which are merely worse."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay.results.comparing.chance import Truth, is_at_chance, not_above, shared, skill
from assay.results.comparing.collapse import Collapse, collapsed, far_below, told, without
from assay.results.folders import Run
from assay.tasks.chance import Chance
from synthetic import make_study

TENTH = Chance(0.1, "guessing the largest class")


def truth_of(rows):
    """Of variants whose test images are ``rows`` of labels (of ten classes)."""
    truth = Truth(make_study(len(rows), seeds=5), ())
    names = list(truth.study.plan)
    tables = {
        v: pl.DataFrame({"label": own, "probabilities": [[0.1] * 10] * len(own)})
        for v, own in zip(names, rows, strict=True)
    }
    truth.__dict__["tables"] = tables
    return truth


BALANCED = list(range(10)) * 10
SKEWED = [0] * 90 + list(range(10))


def frame_of(truth, values, **metrics):
    rows = [(v, s, x) for v, own in zip(truth.study.plan, values, strict=True) for s, x in enumerate(own)]
    frame = pl.DataFrame(rows, schema={"variant": pl.String, "seed": pl.Int64, "accuracy": pl.Float64}, orient="row")
    return frame.with_columns(**{name: pl.Series(column) for name, column in metrics.items()})


def fallen(truth, values, **metrics):
    return collapsed((), "accuracy", frame_of(truth, values, **metrics), truth)


@pytest.mark.parametrize(
    ("metric", "value", "level", "expected"),
    [
        ("accuracy", 0.55, 0.1, 0.5),
        ("accuracy", 0.1, 0.1, 0.0),
        ("loss", 1.0, 2.0, 0.5),
        ("loss", 3.0, 2.0, -0.5),
        ("r2", 0.25, 0.0, 0.25),
        ("accuracy", 1.0, 1.0, None),
        ("inference_images_per_second", 10.0, 1.0, None),
    ],
)
def test_skill_is_the_way_from_chance_to_perfect(metric, value, level, expected):
    assert skill(metric, value, Chance(level, "")) == pytest.approx(expected)


def test_at_chance_is_what_has_gone_a_hundredth_of_the_way_or_less():
    assert is_at_chance("accuracy", 0.108, TENTH)
    assert not is_at_chance("accuracy", 0.112, TENTH)
    assert is_at_chance("accuracy", 0.05, TENTH)
    assert is_at_chance("loss", 2.295, Chance(math.log(10), ""))
    assert not is_at_chance("loss", 2.2, Chance(math.log(10), ""))


def test_a_run_at_chance_collapsed_and_one_that_failed_on_what_is_not_finite():
    truth = truth_of([BALANCED, BALANCED])
    first, second = truth.study.plan
    runs = [
        Run(second, 7, Path(), "failed", "the train loss is not finite in epoch 3 (learning rate 1)"),
        Run(second, 8, Path(), "failed", "no space left on device"),
    ]
    frame = frame_of(truth, [[0.9, 0.91, 0.1], [0.8, 0.81, 0.82]])
    assert collapsed(runs, "accuracy", frame, truth) == [Collapse(second, 7, None), Collapse(first, 2, 0.1)]


def test_far_below_needs_five_seeds_and_half_of_what_was_learned():
    values = [0.90, 0.91, 0.92, 0.91, 0.40]
    assert far_below("accuracy", dict(enumerate(values)), TENTH) == [4]
    assert far_below("accuracy", dict(enumerate(values[1:])), TENTH) == []
    only_worse = [0.990, 0.991, 0.992, 0.991, 0.95]  # 40 median deviations, and still a good network
    assert far_below("accuracy", dict(enumerate(only_worse)), TENTH) == []
    noisy = [0.30, 0.20, 0.25, 0.35, 0.15]  # less than half of what was learned, and what the noise gives
    assert far_below("accuracy", dict(enumerate(noisy)), TENTH) == []
    losses = [0.3, 0.31, 0.32, 0.3, 1.9]
    assert far_below("loss", dict(enumerate(losses)), Chance(2.3, "")) == [4]


def test_of_healthy_noise_hardly_a_run_is_called_collapsed():
    values = 0.7 + 0.03 * np.random.default_rng(0).standard_normal((2_000, 5))
    assert not any(far_below("accuracy", dict(enumerate(row)), TENTH) for row in values)


def test_what_rare_classes_have_learned_is_not_chance_though_the_largest_class_is_larger():
    truth = truth_of([SKEWED])
    assert fallen(truth, [[0.85]], balanced_accuracy=[0.6]) == []
    assert fallen(truth, [[0.91]], balanced_accuracy=[0.1]) == [Collapse(next(iter(truth.study.plan)), 0, 0.91)]
    assert len(fallen(truth, [[0.85]])) == 1


def test_the_shares_of_runs_that_collapsed_are_told_by_variant():
    gone = [Collapse("sgd", 3, 0.1), Collapse("adam", 0, None), Collapse("adam", 2, 0.104)]
    assert told("accuracy", gone, 5, str.upper) == [
        "1 of 5 runs of SGD collapsed (seed 3: 10.0 %).",
        "2 of 5 runs of ADAM collapsed (seed 0: not finite, seed 2: 10.4 %).",
    ]
    assert without({"sgd": {0: 0.9, 3: 0.1}, "adam": {1: 0.8}}, gone) == {"sgd": {0: 0.9}, "adam": {1: 0.8}}


def test_variants_no_better_than_chance_and_those_that_cannot_be_told_from_it():
    values = {"a": {0: 0.1, 1: 0.11, 2: 0.1}, "b": {0: 0.9, 1: 0.1, 2: 0.9}, "c": {0: 0.9, 1: 0.91}, "d": {}}
    levels = dict.fromkeys(values, TENTH)
    assert not_above("accuracy", values, levels) == (["a"], ["b"])
    losses = {"a": {0: 2.31, 1: 2.3}, "b": {0: 0.1, 1: 2.2}, "c": {0: 0.1, 1: 0.11}}
    assert not_above("loss", losses, dict.fromkeys(losses, Chance(2.3, ""))) == (["a"], ["b"])


def test_variants_on_other_images_have_no_level_in_common():
    levels = truth_of([BALANCED, SKEWED]).chance("accuracy")
    assert [level.value for level in levels.values()] == pytest.approx([0.1, 0.91])
    assert shared(levels) is None
    assert shared(truth_of([BALANCED, BALANCED]).chance("accuracy")).value == pytest.approx(0.1)
