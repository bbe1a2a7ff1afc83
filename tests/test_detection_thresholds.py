"""Boxes above thresholds and how far scores may be believed, by hand."""

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from assay.results.metrics import label
from assay.tasks.box_matching import Detections, Objects, match
from assay.tasks.box_scores import map_score, precision_at_recalls, recall_score
from assay.tasks.detection import calibration, thresholds
from assay.tasks.detection.fusion import fused
from assay.tasks.detection.measure import by_class, by_kind
from assay.tasks.detection.predictions import Predictions
from boxes import FAR, SQUARE, detections, objects, value

ELSEWHERE = (200, 200, 210, 210)


def test_the_threshold_of_a_class_is_where_its_f1_is_highest():
    truth = objects([SQUARE, (0, *FAR), (1, *FAR)], [SQUARE])
    said = detections(
        [(0.9, *SQUARE), (0.8, 0, *ELSEWHERE), (0.6, 0, *FAR), (0.7, 1, *ELSEWHERE)], [(0.3, 0, *ELSEWHERE)]
    )
    matches = match(truth, said, 3)
    # class 0: F1 2/4, 2/5, 4/6, 4/7; class 1 is never hit, class 2 nowhere
    assert thresholds.chosen(matches, said.scores) == pytest.approx([0.6, 0.5, 0.5])


def test_boxes_of_one_score_are_above_a_threshold_together():
    truth = objects([SQUARE], [SQUARE])
    said = detections([(0.5, *SQUARE)], [(0.5, 0, *ELSEWHERE), (0.5, 0, *FAR), (0.4, *SQUARE)])
    # 2·1/(1 + 2) for the first alone would be the highest; all of 0.5 are 2/5, down to 0.4 they are 4/6
    assert thresholds.chosen(match(truth, said, 1), said.scores) == pytest.approx([0.4])


def test_shares_above_the_thresholds_by_hand():
    truth = objects([SQUARE, (0, *FAR), (1, *FAR)], [(1, *FAR)], flags=[0, 0, 0, 0])
    said = detections([(0.9, *SQUARE), (0.8, 0, *ELSEWHERE), (0.2, 0, *FAR)], [(0.9, 1, *FAR)])
    found = thresholds.counted(match(truth, said, 3), said.scores >= 0.5)
    ones = (1, 1)
    assert value(thresholds.precision_score(found), ones) == pytest.approx((1 / 2 + 1) / 2)
    assert value(thresholds.recall_score(found), ones) == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert value(thresholds.f1_score(found), ones) == pytest.approx((2 / 4 + 2 / 3) / 2)
    assert value(thresholds.count_error_score(found), ones) == pytest.approx((1 + 0) / 2)
    assert value(thresholds.recall_score(found), (1, 0)) == pytest.approx((1 / 2 + 0) / 2)


def test_what_lies_in_a_flagged_object_is_not_counted():
    truth = objects([SQUARE, (0, *FAR)], flags=[0, 1])
    said = detections([(0.9, *SQUARE), (0.8, 0, *FAR)])
    found = thresholds.counted(match(truth, said, 1), said.scores >= 0.5)
    assert (found.objects.tolist(), found.said.tolist(), found.hits.tolist()) == ([[1]], [[1]], [[1]])


def test_curves_over_the_threshold():
    truth = objects([SQUARE, (0, *FAR)])
    said = detections([(0.75, *SQUARE), (0.5, 0, *ELSEWHERE)])
    rows = thresholds.over_thresholds(match(truth, said, 2), said.scores, ("a", "b"))
    own = rows.filter(pl.col("class") == "a").sort("threshold")
    assert own.height == 101
    assert own.row(50) == ("a", pytest.approx(0.5), 0.5, 0.5, 0.5)  # a score at the threshold is above it
    assert own.row(51) == ("a", pytest.approx(0.51), 1, 0.5, pytest.approx(2 / 3))
    assert own.row(76) == ("a", pytest.approx(0.76), None, 0, 0)
    assert rows.filter(pl.col("class") == "b").row(0) == ("b", 0, None, None, None)


def scored(*boxes, images=1):
    """Boxes of (image, score, hit)."""
    columns = [np.array(column) for column in zip(*boxes, strict=True)]
    return calibration.Scored(columns[0].astype(np.int64), columns[1].astype(float), columns[2].astype(bool))


def test_the_calibration_error_by_hand():
    # bins of a fifteenth: (0.6, 0.667] and (0.067, 0.133]
    boxes = scored((0, 0.65, True), (0, 0.65, False), (0, 0.65, False), (1, 0.1, False))
    score = calibration.ece_score(boxes, 2)
    assert value(score, (1, 1)) == pytest.approx((3 * (0.65 - 1 / 3) + 0.1) / 4)
    assert value(score, (0, 1)) == pytest.approx(0.1)
    assert np.isnan(value(score, (0, 0)))


def test_boxes_of_low_scores_or_in_flagged_objects_are_not_judged():
    truth = objects([SQUARE, (0, *FAR)], flags=[0, 1])
    said = detections([(0.9, *SQUARE), (0.8, 0, *FAR), (0.06, 0, *ELSEWHERE), (0.04, 0, *ELSEWHERE)])
    found = calibration.scored(match(truth, said, 1), said.scores)
    assert found.scores == pytest.approx([0.9, 0.06])
    assert found.hits.tolist() == [True, False]
    rows = calibration.reliability(found)
    assert rows["bin"].to_list() == [0, 13]
    assert rows["precision"].to_list() == [0, 1]
    assert rows["count"].to_list() == [1, 1]


def test_the_temperature_makes_sure_scores_as_sure_as_they_hit():
    # three of four hit, and all say 0.9: the likeliest odds are 3
    boxes = scored(*((0, 0.9, hit) for hit in (True, True, True, False)))
    found = calibration.temperature(boxes)
    assert expit(np.log(9) / found) == pytest.approx(0.75, abs=1e-4)
    after = calibration.tempered(boxes, np.array([found]))
    assert value(calibration.ece_score(after, 1), (1,)) == pytest.approx(0, abs=1e-4)
    nothing = calibration.scored(match(objects([]), detections([]), 1), np.zeros(0, np.float32))
    assert calibration.temperature(nothing) == 1


def boxes_of(*rows):
    """(score, label, x1, y1, x2, y2)."""
    said = detections(list(rows))
    return said.edges, said.labels, said.scores


def test_boxes_of_several_networks_are_one_where_they_overlap():
    edges, labels, scores = fused([boxes_of((0.9, 1, 0, 0, 10, 10)), boxes_of((0.3, 1, 0, 0, 10, 8), (0.8, 0, *FAR))])
    assert edges == pytest.approx(np.array([[0, 0, 10, 9.5], FAR]))
    assert labels.tolist() == [1, 0]
    assert scores == pytest.approx([0.6, 0.4])


def test_boxes_of_one_network_or_of_two_classes_are_never_fused():
    one = boxes_of((0.9, *SQUARE), (0.8, *SQUARE))
    other = boxes_of((0.7, 1, 0, 0, 10, 10))
    _, labels, scores = fused([one, other])
    assert labels.tolist() == [0, 0, 1]
    assert scores == pytest.approx([0.45, 0.4, 0.35])
    assert all(np.array_equal(a, b) for a, b in zip(fused([one]), one, strict=True))


def test_the_second_network_gives_its_boxes_to_the_one_that_they_overlap_most():
    first = boxes_of((0.9, 0, 0, 0, 10, 10), (0.8, 0, 0, 2, 10, 12))
    second = boxes_of((0.5, 0, 0, 1.5, 10, 12))
    edges, _, scores = fused([first, second])
    assert scores == pytest.approx([0.65, 0.45])
    assert edges[0] == pytest.approx([0, (0.8 * 2 + 0.5 * 1.5) / 1.3, 10, 12])


def test_nothing_said_is_nothing_fused():
    nothing = boxes_of()
    assert [part.shape for part in fused([nothing, nothing])] == [(0, 4), (0,), (0,)]


def test_more_boxes_than_cocos_hundred_of_a_class_and_image_all_count():
    row = [(0, 20 * i, 0, 20 * i + 10, 10) for i in range(150)]
    there, said = objects(row), detections([(0.9, *box) for box in row])
    matches = match(there, said, 1)
    found = thresholds.counted(matches, said.scores >= 0.5)
    shares = (thresholds.precision_score, thresholds.recall_score, thresholds.f1_score)
    assert [value(share(found), [1]) for share in shares] == [1, 1, 1]
    assert value(thresholds.count_error_score(found), [1]) == 0
    assert len(calibration.scored(matches, said.scores).hits) == 150
    assert thresholds.over_thresholds(matches, said.scores, ("a",))["recall"][50] == 1
    # AP and AR stay with COCO's hundred: precision 1 up to a recall of 2/3
    assert value(map_score(matches, 0.5), [1]) == pytest.approx(67 / 101)
    assert precision_at_recalls(matches, 0).mean() == pytest.approx(67 / 101)
    assert value(recall_score(matches, 100), [1]) == pytest.approx(2 / 3)


def test_the_threshold_is_chosen_among_all_boxes():
    row = [(0, 20 * i, 0, 20 * i + 10, 10) for i in range(150)]
    said = detections([(0.95 - 0.005 * i, *box) for i, box in enumerate(row)])
    assert thresholds.chosen(match(objects(row), said, 1), said.scores) == pytest.approx([0.95 - 0.005 * 149])


def test_what_is_counted_of_a_run_is_not_cut_at_a_hundred():
    row = [(0, 20 * i, 0, 20 * i + 10, 10) for i in range(150)]
    there, said, size = objects(row), detections([(0.9, *box) for box in row]), np.array([[10, 3000]])
    unset = np.zeros(150, dtype=bool), np.full(1, np.nan)
    found = Predictions(np.arange(1), ("a",), there, said, size, *unset).by(np.array([0.5]), np.nan)
    got = {name: value(found.evidence(name), [1]) for name in ("recall", "count_error", "recall_100", "error_missed")}
    # for AP, 50 of the objects are missed
    assert got == pytest.approx({"recall": 1, "count_error": 0, "recall_100": 2 / 3, "error_missed": 1 - 67 / 101})
    assert by_kind(found, {})["count"].to_list() == [0] * 6


def test_the_table_of_classes_is_right_where_a_name_looks_like_a_metric_of_another() -> None:
    edges = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
    truth = Objects(edges, np.array([0, 1]), np.zeros(2, np.int64), np.array([0, 2]))
    loose = np.array([[0, 0, 10, 10], [20, 0, 30, 13]], np.float32)  # the second overlaps by 10 / 13
    said = Detections(loose, np.array([0, 1]), np.array([0.9, 0.8], np.float32), np.array([0, 2]))
    sizes, counted = np.array([[48, 64]]), np.ones(2, bool)
    found = Predictions(
        np.array([0]), ("a", "50_a"), truth, said, sizes, counted, np.array([np.nan]), np.array([0.5, 0.5])
    )
    table = by_class(found)
    assert table["ap"].to_list() == pytest.approx([1.0, 0.6])
    assert table["ap_50"].to_list() == pytest.approx([1.0, 1.0])
    of_classes = {name: value(found.evidence(name), [1]) for name in found.metrics if name.startswith(("ap_", "ap50"))}
    assert of_classes == pytest.approx({"ap_a": 1.0, "ap_50_a": 0.6, "ap50_a": 1.0, "ap50_50_a": 1.0})
    labels = {name: label(name) for name in of_classes}
    assert labels == {
        "ap_a": "AP of a", "ap_50_a": "AP of 50_a", "ap50_a": "AP50 of a", "ap50_50_a": "AP50 of 50_a",
    }  # fmt: skip
