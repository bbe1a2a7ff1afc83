import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.recipe.study import Study
from assay.results import Results
from assay.results.comparing.factors import in_words, main_effects
from assay.results.statistics.image_errors import ImageErrors
from assay.results.statistics.pooled import residual
from synthetic import fabricate

pytestmark = pytest.mark.filterwarnings("error")

VARY = {"train.optimizer.lr": [0.1, 0.01, 0.001], "model.activation": ["relu", "tanh"]}


def grid(vary=VARY, seeds=4, **changes):
    base = {"data": {"source": "digits"}, "model": {"name": "mlp", "hidden": [4]}, "train": {"optimizer": "sgd"}}
    return Study.model_validate({"title": "t", "name": "n", "base": base, "vary": vary, "seeds": seeds} | changes)


def valued(study, table):
    return {variant: dict(enumerate(row)) for variant, row in zip(study.plan, table, strict=True)}


def table_of(lr, activation, crossed=0.0, seeds=4, noise=0.01):
    """Cells in the order of the plan: every activation under the first lr, then under the second …"""
    cells = [a + b + crossed * i * j for (i, a), (j, b) in itertools.product(enumerate(lr), enumerate(activation))]
    drawn = np.random.default_rng(7).normal(0, noise, (len(cells), seeds))
    return np.array(cells)[:, None] + drawn + np.arange(seeds) / 50


def test_main_effects_by_hand():
    study, table = grid(), table_of([0.5, 0.6, 0.7], [0.0, 0.02])
    lr, activation = main_effects(study, valued(study, table), "accuracy")
    assert [e.factor for e in (lr, activation)] == list(VARY)
    left, cells = residual(table), table.reshape(3, 2, 4)
    rows = ((table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()) ** 2).sum(1)
    freedom = 3 * 5 / 6 * rows.sum() ** 2 / (rows**2).sum()
    assert 3 < freedom < 15
    error = np.sqrt(2 * left.variance / 8)  # of a level: two cells of four seeds
    far = stats.studentized_range.ppf(1 - 0.025, 3, freedom) / np.sqrt(2) * error
    worst = lr.levels[0]
    means = cells.mean((1, 2))
    assert (lr.best, worst.level, lr.levels[1].level) == ("0.001", "0.1", "0.01")
    assert worst.difference == pytest.approx(means[2] - means[0])
    assert (worst.low, worst.high) == pytest.approx((worst.difference - far, worst.difference + far))
    by_cell = (cells[2] - cells[0]).mean(1)
    assert (worst.least, worst.most) == pytest.approx((by_cell.min(), by_cell.max()))
    error = np.sqrt(2 * left.variance / 12)
    t = activation.levels[0].difference / error
    assert activation.levels[0].p == pytest.approx(2 * stats.t.sf(t, freedom))
    assert activation.best == "tanh"


def test_the_interaction_is_its_f_test():
    study, table = grid(), table_of([0.5, 0.6, 0.7], [0.0, 0.02], crossed=0.02)
    lr, activation = main_effects(study, valued(study, table), "accuracy")
    cells = table.reshape(3, 2, 4)
    means = cells.mean(2)
    crossed = means - means.mean(1, keepdims=True) - means.mean(0) + means.mean()
    f = (crossed**2).sum() * 4 / 2 / residual(table).variance
    rows = ((table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()) ** 2).sum(1)
    freedom = 3 * 5 / 6 * rows.sum() ** 2 / (rows**2).sum()
    assert lr.p_same == activation.p_same == pytest.approx(stats.f.sf(f, 2, freedom))


def test_the_sentence_says_which_factor_matters_and_where_it_matters_more():
    study = grid()
    alike = main_effects(study, valued(study, table_of([0.5, 0.6, 0.7], [0.0, 0.02])), "accuracy")
    assert in_words(study, "accuracy", alike) == (
        "lr matters most: 0.001 over 0.1 by 19.1 ± 1.1 points on average over activation."
    )
    crossed = main_effects(study, valued(study, table_of([0.5, 0.6, 0.7], [0.0, 0.02], crossed=0.05)), "accuracy")
    assert in_words(study, "accuracy", crossed).endswith(
        "points on average over activation, but by 19.0 to 29.2 from one activation to another."
    )
    nothing = main_effects(study, valued(study, table_of([0.5, 0.5, 0.5], [0.0, 0.0])), "accuracy")
    assert in_words(study, "accuracy", nothing) == ""


def test_of_a_loss_the_lowest_level_is_the_best():
    study = grid()
    effects = main_effects(study, valued(study, table_of([0.5, 0.6, 0.7], [0.0, 0.02], crossed=0.05)), "loss")
    assert (effects[0].best, effects[0].levels[0].level) == ("0.1", "0.001")
    assert effects[0].levels[0].difference < 0
    assert "lr matters most: 0.1 over 0.001 by 0.24 ±" in in_words(study, "loss", effects)


def test_what_is_no_complete_grid_has_no_main_effects():
    study, table = grid(), table_of([0.5, 0.6, 0.7], [0.0, 0.02])
    values = valued(study, table)
    del values[next(iter(study.plan))][0]
    assert main_effects(study, values, "accuracy")  # the other three seeds are complete
    assert not main_effects(study, values | {next(iter(study.plan)): {}}, "accuracy")
    assert not main_effects(study, {variant: {1: row[1]} for variant, row in values.items()}, "accuracy")
    one = grid({"model.activation": ["relu", "tanh"]})
    assert not main_effects(one, valued(one, table[:2]), "accuracy")
    apart = grid(design="one_at_a_time")
    assert not main_effects(apart, valued(apart, table[: len(apart.plan)]), "accuracy")
    single = grid({"model.activation": ["relu", "tanh"], "train.optimizer.lr": [0.1]})
    assert not main_effects(single, valued(single, table[:2]), "accuracy")


@given(st.lists(st.integers(-20, 20), min_size=24, max_size=24), st.lists(st.integers(-9, 9), min_size=4, max_size=4))
def test_a_harder_seed_changes_no_effect(numbers, shifts):
    study, table = grid(), np.array(numbers).reshape(6, 4) / 50
    one, other = (main_effects(study, valued(study, t), "accuracy") for t in (table, table + np.array(shifts) / 50))
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert [level.p for level in a.levels] == pytest.approx([level.p for level in b.levels], abs=1e-9)
        assert all(level.is_decided == (level.p < 0.025) for level in a.levels)


def test_the_test_images_part_is_added_to_that_of_the_seeds_once():
    study, table = grid(), table_of([0.5, 0.6, 0.7], [0.0, 0.02])
    values, runs = valued(study, table), [(variant, seed) for variant in study.plan for seed in range(4)]
    images = np.random.default_rng(3).normal(0, 0.04, (24, 50))
    covariance = np.cov(images) / 50
    errors = ImageErrors({run: place for place, run in enumerate(runs)}, covariance, np.full(24, 49.0), 50)
    alone, both = (main_effects(study, values, "accuracy", errors=each)[1] for each in (None, errors))
    assert (alone.images, both.images) == (None, 50)
    assert both.levels[0].difference == alone.levels[0].difference
    # of the activations: runs of tanh and of relu follow one another, four seeds each
    signs = np.tile(np.repeat([-1, 1], 4), 3) / 12
    of_pairs = []
    for one, other in itertools.combinations(range(6), 2):
        d = (images[4 * one : 4 * one + 4] - images[4 * other : 4 * other + 4]).T
        cells = d - d.mean(0) - d.mean(1)[:, None] + d.mean()
        of_pairs.append((cells**2).sum() / 3 / 49 / 50)
    rows = ((table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()) ** 2).sum(1)
    freedom, of_seeds = 3 * 5 / 6 * rows.sum() ** 2 / (rows**2).sum(), 2 * residual(table).variance / 12
    parts = of_seeds, float(signs @ covariance @ signs), float(np.mean(of_pairs)) / 12
    uncertain = parts[0] ** 2 / freedom + parts[1] ** 2 / 49 + parts[2] ** 2 / (freedom * 49)
    whole = parts[0] + parts[1] - parts[2]
    assert whole > 4 / 3 / freedom * max(parts[:2])
    far = stats.t.ppf(1 - 0.025 / 2, max(whole**2 / uncertain, freedom)) * np.sqrt(whole)
    assert both.levels[0].high - both.levels[0].difference == pytest.approx(far, rel=1e-6)


def test_the_verdict_and_the_page_tell_them(tmp_path):
    vary = {"model.activation": ["relu", "tanh"], "model.hidden": [[4], [8]]}
    results = Results.read(fabricate(tmp_path, grid(vary, seeds=3), accuracies=[0.9, 0.88, 0.5, 0.49]))
    assert " activation matters most: relu over tanh by 39." in results.verdict()
    assert results.main_effects()[0].factor == "model.activation"
