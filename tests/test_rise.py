"""Curves that still rise at the end, and schedules that are the same."""

import numpy as np
import polars as pl
import pytest

from assay.results.schedules import same_schedules
from assay.results.telling.rise import risen
from synthetic import make_study

COLUMN = "validation_accuracy"


def history(curves, column=COLUMN, variant="a", **columns):
    """A row an epoch of curves by seed."""
    frames = [
        pl.DataFrame({"variant": variant, "seed": seed, "epoch": range(1, len(curve) + 1), column: list(curve)})
        for seed, curve in enumerate(curves)
    ]
    return pl.concat(frames).with_columns(**{name: pl.Series(values) for name, values in columns.items()})


RISING = [0.2, 0.3, 0.4, 0.48, 0.54, 0.6, 0.63, 0.66]


def test_what_rose_in_all_seeds_is_told():
    curves = [np.array(RISING) + shift for shift in (0, 0.01, -0.01)]
    (rise,) = risen(history(curves), [COLUMN])
    assert (rise.variant, rise.column, rise.seeds) == ("a", COLUMN, 3)
    assert rise.gained == pytest.approx(0.06)


def test_not_where_one_seed_has_settled():
    settled = [0.2, 0.4, 0.5, 0.6, 0.65, 0.66, 0.66, 0.66]
    assert risen(history([RISING, RISING, settled]), [COLUMN]) == []


def test_a_loss_rises_downwards():
    (rise,) = risen(history([2 - np.array(RISING)], "validation_loss"), ["validation_accuracy", "validation_loss"])
    assert (rise.column, rise.gained) == ("validation_loss", pytest.approx(0.06))


def test_a_hundredth_of_the_way_is_nothing_to_speak_of():
    slow = np.array([0.1, 0.5, 0.7, 0.8, 0.85, 0.87, 0.88, 0.8805, 0.881, 0.8815, 0.882, 0.8825, 0.883, 0.8835, 0.884])
    assert risen(history([slow, slow]), [COLUMN]) == []


def test_few_epochs_say_nothing():
    assert risen(history([RISING[:4]]), [COLUMN]) == []


def test_only_the_last_phase_counts():
    curve = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, *[0.7] * 9]
    assert risen(history([curve] * 2, phase=([1] * 6 + [2] * 9) * 2), [COLUMN]) == []
    assert risen(history([RISING * 2] * 2, phase=([1] * 8 + [2] * 8) * 2), [COLUMN]) != []


@pytest.mark.parametrize("seeds", [1, 3])
def test_noise_is_no_rise(seeds):
    random, cried = np.random.default_rng(seeds), 0
    for _ in range(300):
        climb = 0.9 * (1 - np.exp(-np.arange(12)))
        cried += bool(risen(history(climb + 0.01 * random.standard_normal((seeds, 12))), [COLUMN]))
    assert cried <= 6


def test_schedules_with_the_same_rates_are_the_same():
    study = make_study(vary={"train.schedule.name": ["constant", "step"], "model.activation": ["relu", "tanh"]})
    names = list(study.plan)
    frames = [history([[0.5] * 3], variant=name, lr=[0.1, 0.1, 0.1 if i < 3 else 0.01]) for i, name in enumerate(names)]
    assert same_schedules(study, pl.concat(frames)) == [(names[0], names[2])]


def test_equal_rates_of_variants_that_differ_in_more_are_no_news():
    study = make_study(3)
    frames = [history([[0.5] * 3], variant=name, lr=[0.1] * 3) for name in study.plan]
    assert same_schedules(study, pl.concat(frames)) == []
