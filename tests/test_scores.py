import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics
from torchmetrics.classification import MulticlassJaccardIndex

from assay.tasks import scores

pytestmark = pytest.mark.filterwarnings("error")

TRUTH, SAID = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 4.0, 2.0])
YES, SURE = np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.6])


def value(score, weights=None, images=4):
    rows = np.ones(images) if weights is None else np.array(weights, dtype=np.float64)
    return float(score(rows[None])[0])


def test_means_by_hand():
    assert value(scores.mean_score(YES)) == 0.5
    assert value(scores.mean_score(TRUTH), [1, 0, 0, 3]) == 13 / 4
    assert value(scores.root_mean_score(np.array([9.0, 16.0])), images=2) == pytest.approx(12.5**0.5)


def test_iou_by_hand_leaves_out_a_class_that_is_nowhere():
    hits, unions = np.array([[1, 0, 0], [1, 3, 0]]), np.array([[2, 1, 0], [2, 3, 0]])
    score = scores.ratio_score(hits, unions)
    assert value(score, images=2) == (2 / 4 + 3 / 4) / 2
    assert value(score, [2, 0]) == (2 / 4 + 0 / 2) / 2


def test_a_class_counts_where_it_is_there_whether_it_is_said_or_not():
    right, said, there = np.array([[0, 1, 0]]), np.array([[0, 1, 1]]), np.array([[1, 1, 0]])
    assert value(scores.ratio_score(right, said, there), images=1) == (0 + 1) / 2


def test_r2_and_rank_correlation_by_hand():
    assert value(scores.r2_score(TRUTH, SAID)) == pytest.approx(1 - 5 / 5)
    # ranks 1 2 3 4 against 1 2.5 4 2.5: deviations −1.5 −0.5 0.5 1.5 and −1.5 0 1.5 0
    assert value(scores.rank_correlation_score(TRUTH, SAID)) == pytest.approx(3 / (5 * 4.5) ** 0.5)


def test_average_precision_by_hand():
    assert value(scores.average_precision_score(YES, SURE)) == pytest.approx((1 + 2 / 3) / 2)
    assert value(scores.average_precision_score(YES, np.ones(4))) == 0.5
    assert value(scores.average_precision_score(YES, SURE), [0, 1, 1, 1]) == pytest.approx(1 / 2)


def test_f1_by_hand():
    truth, said = np.array([[1, 0], [1, 1]], dtype=bool), np.array([[1, 1], [0, 1]], dtype=bool)
    assert value(scores.f1_score(truth, said, "micro"), images=2) == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert value(scores.f1_score(truth, said, "macro"), images=2) == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_a_metric_that_does_not_exist_is_nan_and_one_of_several_is_left_out():
    two = np.stack([YES, np.zeros(4, dtype=bool)], axis=1)
    assert value(scores.average_precision_score(two, np.stack([SURE, SURE], axis=1))) == pytest.approx(5 / 6)
    constant = np.stack([TRUTH, np.full(4, 0.1)], axis=1)
    both = np.stack([SAID, SAID], axis=1)
    assert value(scores.rank_correlation_score(constant, both)) == pytest.approx(3 / 22.5**0.5)
    assert value(scores.r2_score(constant, both)) == pytest.approx(0)
    for score in (
        scores.average_precision_score(YES, SURE),
        scores.r2_score(TRUTH, SAID),
        scores.rank_correlation_score(TRUTH, SAID),
        scores.f1_score(YES[:, None], YES[:, None], "macro"),
        scores.ratio_score(YES[:, None], YES[:, None]),
    ):
        assert np.isnan(value(score, [0, 0, 0, 5]))


@st.composite
def tables(draw):
    """Truth, answers with ties, yes or no, and how often each row counts."""
    images, columns = draw(st.integers(2, 8)), draw(st.integers(1, 3))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    truth, said = generator.integers(0, 5, (2, images, columns)).astype(np.float64) / 4
    weights = generator.integers(0, 3, images)
    weights[generator.integers(images)] += 1
    return truth, said, generator.random((images, columns)) < 0.5, weights


SCORES = {
    "mean": lambda y, s, _: scores.mean_score(np.abs(y - s)[:, 0]),
    "root mean": lambda y, s, _: scores.root_mean_score((y - s)[:, 0] ** 2),
    "r2": lambda y, s, _: scores.r2_score(y, s),
    "rank correlation": lambda y, s, _: scores.rank_correlation_score(y, s),
    "ratio": lambda y, s, _: scores.ratio_score(np.minimum(y, s), np.maximum(y, s)),
    "average precision": lambda _, s, yes: scores.average_precision_score(yes, s),
    "micro F1": lambda _, s, yes: scores.f1_score(yes, s > 0.5, "micro"),
    "macro F1": lambda _, s, yes: scores.f1_score(yes, s > 0.5, "macro"),
}


@pytest.mark.parametrize("name", SCORES)
@given(table=tables())
def test_weights_equal_the_table_with_rows_repeated_and_dropped(name, table):
    *arrays, weights = table
    rows = np.repeat(np.arange(weights.size), weights)
    repeated = value(SCORES[name](*(x[rows] for x in arrays)), images=rows.size)
    score = SCORES[name](*arrays)
    assert value(score, weights) == pytest.approx(repeated, abs=1e-12, nan_ok=True)
    several = score(np.stack([np.ones(weights.size), weights, 3 * weights]).astype(np.float64))
    assert several[1:] == pytest.approx([repeated, repeated], abs=1e-12, nan_ok=True)  # a row knows nothing of others


def exists(truth, weights):
    return np.ptp(truth[weights > 0]) > 0


@given(tables())
def test_r2_agrees_with_scikit_learn(table):
    truth, said, _, weights = table
    y, s = truth[:, 0], said[:, 0]
    if exists(y, weights):
        assert value(scores.r2_score(y, s), weights) == pytest.approx(metrics.r2_score(y, s, sample_weight=weights))


@given(tables())
def test_rank_correlation_agrees_with_scipy(table):
    truth, said, _, weights = table
    y, s = truth[:, 0], said[:, 0]
    if exists(y, weights) and exists(s, weights):
        theirs = stats.spearmanr(np.repeat(y, weights), np.repeat(s, weights)).statistic
        assert value(scores.rank_correlation_score(y, s), weights) == pytest.approx(theirs)


@given(tables())
def test_average_precision_agrees_with_scikit_learn(table):
    _, said, yes, weights = table
    y, s = yes[:, 0], said[:, 0]
    if y[weights > 0].any():
        theirs = metrics.average_precision_score(y, s, sample_weight=weights)
        assert value(scores.average_precision_score(y, s), weights) == pytest.approx(theirs)


@pytest.mark.parametrize("average", ["micro", "macro"])
@given(table=tables())
def test_f1_agrees_with_scikit_learn(average, table):
    _, said, yes, weights = table
    # columns beside the labels make a table of one label multi-label too; in micro they change nothing
    truth, answers = (np.pad(x, ((0, 0), (0, 2))) for x in (yes, said > 0.5))
    there = np.flatnonzero(weights @ truth)
    of = {"labels": there} if average == "macro" else {}
    arguments = {"average": average, "sample_weight": weights, "zero_division": np.nan, **of}
    theirs = metrics.f1_score(truth, answers, **arguments) if there.size or average == "micro" else np.nan
    ours = value(scores.f1_score(yes, said > 0.5, average), weights)
    assert ours == pytest.approx(theirs, nan_ok=True)


def test_iou_agrees_with_torchmetrics():
    generator = np.random.default_rng(0)
    truth, said = generator.integers(0, 4, (2, 6, 5, 5))  # class 4 of 5 is in no picture
    there, answered = (x[..., None] == np.arange(5) for x in (truth, said))
    hits, unions = (there & answered).sum((1, 2)), (there | answered).sum((1, 2))
    theirs = MulticlassJaccardIndex(5)(torch.from_numpy(said), torch.from_numpy(truth))
    assert value(scores.ratio_score(hits, unions), images=6) == pytest.approx(float(theirs))
