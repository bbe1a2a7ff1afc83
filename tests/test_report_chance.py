"""Chance on the page: in the caption of the table, and as a line among the marks of a chart where they are near."""

import polars as pl
import pytest

from assay.report.charts import in_sight
from assay.report.sections.results import effect, levels, quality
from assay.report.subject import Subject
from assay.results import Results
from synthetic import fabricate, make_study

DROPOUT = {"vary": {"model.dropout": [0.0, 0.5, 0.9]}}


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    """One variant is at chance."""
    study = make_study(seeds=2, **DROPOUT)
    return Subject(Results.read(fabricate(tmp_path_factory.mktemp("near"), study, accuracies=[0.9, 0.7, 0.27])))


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    study = make_study(seeds=2, **DROPOUT)
    return Subject(Results.read(fabricate(tmp_path_factory.mktemp("far"), study, accuracies=[0.9, 0.89, 0.88])))


def largest(subject):
    """The share of the largest class of the test images."""
    table = subject.results.predictions(subject.results.finished[0]).filter(split="test")
    return table["label"].value_counts()["count"].max() / table.height


def lines(figure):
    """Where the charts' lines of chance stand."""
    frames = [layer.data for layer in figure.chart.layer if isinstance(layer.data, pl.DataFrame)]
    return [frame["chance"][0] for frame in frames if "chance" in frame.columns]


def test_the_caption_has_the_level_and_what_is_guessed(near):
    assert f"Chance, guessing the largest class: {100 * largest(near):.2f} %." in quality(near).caption


def test_the_reference_is_named_where_its_difference_would_stand(near):
    texts = [cell.text for cell in quality(near).rows[0]]
    assert texts[:2] == ["0.0", "2"]
    assert "reference" in texts


def test_a_line_stands_at_chance_where_the_marks_come_near(near):
    (of_levels,), (of_effect,) = levels(near), effect(near)
    assert lines(of_levels) == [pytest.approx(100 * largest(near))] * 2  # the rule and its name
    base = near.means[near.base]
    assert lines(of_effect) == [pytest.approx(100 * (largest(near) - base))] * 2


def test_a_chart_of_small_differences_is_not_pressed_flat_by_it(far):
    (of_levels,), (of_effect,) = levels(far), effect(far)
    assert lines(of_levels) == lines(of_effect) == []


def test_a_line_is_in_sight_as_far_away_as_the_marks_lie_apart():
    shown = pl.Series([70.0, 90.0])
    assert in_sight(51.0, shown)
    assert not in_sight(49.0, shown)
    assert in_sight(109.0, shown)


def test_a_metric_without_a_level_has_none(near):
    assert Subject(near.results, "training_seconds").chance is None
