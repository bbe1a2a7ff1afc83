"""Kinds of errors of boxes by hand: what each is, what it costs, and which class is taken for which."""

import numpy as np
import pytest

from assay.tasks.box_matching import match
from assay.tasks.box_scores import map_score
from assay.tasks.detection.confusion import confusion, table
from assay.tasks.detection.errors import KINDS, MISSED, cost_score, errors
from boxes import FAR, SQUARE, detections, objects, value

HALF_BESIDE = (0, 0, 4, 10)  # 40 of 100 pixels of SQUARE


def kinds_of(truth, said, classes=2):
    """The kind of each detection's error, in the order of the detections; empty where nothing is wrong."""
    matches = match(truth, said, classes)
    found = errors(truth, said, matches)
    kinds = np.full(len(said.scores), "", dtype=object)
    kinds[matches.rows] = [KINDS[kind] if kind >= 0 else "" for kind in found.kinds]
    return kinds.tolist(), found.missed.tolist()


def costs_of(truth, said, classes=2, weights=(1,)):
    matches = match(truth, said, classes)
    found = errors(truth, said, matches)
    scores = [cost_score(truth, said, matches, found, kind) for kind in range(len(KINDS))]
    return {name: value(score, weights) for name, score in zip(KINDS, scores, strict=True)}


def test_each_kind_is_told_by_the_object_that_a_box_overlaps_most():
    truth = objects([SQUARE])
    hit, class_, place = (0.9, *SQUARE), (0.8, 1, 0, 0, 10, 10), (0.7, 0, *HALF_BESIDE)
    both, copy, far = (0.6, 1, *HALF_BESIDE), (0.5, 0, 0, 0, 10, 9), (0.4, 0, *FAR)
    kinds, missed = kinds_of(truth, detections([hit, class_, place, both, copy, far]))
    assert kinds == ["", "class", "place", "both", "copy", "background"]
    assert missed == [False]


def test_an_overlap_of_a_tenth_is_beside_and_less_is_background():
    truth = objects([SQUARE])
    assert kinds_of(truth, detections([(0.9, 0, 0, 0, 10, 1)]))[0] == ["place"]
    assert kinds_of(truth, detections([(0.9, 0, 0, 0, 10, 0.9)]))[0] == ["background"]


def test_an_object_is_missed_where_no_box_finds_it_nor_is_wrong_about_it_in_one_way():
    truth = objects([SQUARE, (1, *FAR), (0, 100, 100, 110, 110)], [SQUARE])
    said = detections([(0.9, 0, *HALF_BESIDE), (0.8, 0, *FAR)], [(0.7, 1, *HALF_BESIDE)])
    kinds, missed = kinds_of(truth, said)
    assert kinds == ["place", "class", "both"]
    assert missed == [False, False, True, True]


def test_a_flagged_object_is_neither_missed_nor_a_reason():
    truth = objects([SQUARE, (0, *FAR)], flags=[0, 2])
    kinds, missed = kinds_of(truth, detections([(0.9, 0, *FAR), (0.8, 1, *FAR), (0.7, *SQUARE)]))
    assert kinds == ["", "background", ""]  # the first lies in the crowd
    assert missed == [False, False]


def test_what_each_kind_costs_in_ap50():
    # class 0: a hit and an object that is missed: 51 of 101 recalls at precision 1
    truth = objects([SQUARE, (0, *FAR)])
    assert costs_of(truth, detections([(0.9, *SQUARE)]), 1) == pytest.approx(
        dict.fromkeys(KINDS, 0.0) | {"missed": 50 / 101}
    )
    # a false alarm before the hit: half the precision at 51 recalls
    said = detections([(0.9, 0, 100, 100, 110, 110), (0.8, *SQUARE)])
    assert costs_of(truth, said, 1) == pytest.approx(
        dict.fromkeys(KINDS, 0.0) | {"background": 51 / 202, "missed": 50 / 202}
    )


def test_a_box_that_is_moved_onto_its_object_finds_it():
    # beside, before a hit of another object: precisions 0, 1/2; moved 1, 1
    truth = objects([SQUARE, (0, *FAR)])
    costs = costs_of(truth, detections([(0.9, 0, *HALF_BESIDE), (0.8, 0, *FAR)]), 1)
    assert costs["place"] == pytest.approx(1 - 51 / 202)
    assert costs["missed"] == 0  # its object is not missed


def test_a_moved_box_gives_way_to_a_better_one_and_takes_the_place_of_a_worse():
    truth = objects([SQUARE, (0, *FAR)])
    before = detections([(0.9, 0, *HALF_BESIDE), (0.8, *SQUARE)])
    # the moved box is the hit of 0.9, the other goes: 51/101 instead of 51/202
    assert costs_of(truth, before, 1)["place"] == pytest.approx(51 / 202)
    after = detections([(0.9, *SQUARE), (0.8, 0, *HALF_BESIDE), (0.7, 0, *FAR)])
    # precisions 1, 1/2, 2/3; without the moved one 1, 1
    assert costs_of(truth, after, 1)["place"] == pytest.approx(50 / 101 / 3)


def test_a_box_of_another_class_gets_the_class_of_its_object():
    truth = objects([SQUARE, (1, *FAR)])
    said = detections([(0.9, 1, 0, 0, 10, 10), (0.8, 1, *FAR)])
    # class 0: 0, then 1; class 1: 1/2, then 1
    costs = costs_of(truth, said)
    assert costs["class"] == pytest.approx((1 + 1 / 2) / 2)
    assert costs["both"] == costs["copy"] == costs["missed"] == 0


def test_a_copy_and_a_box_wrong_in_both_ways_go():
    truth = objects([SQUARE, (0, *FAR)])
    copy = detections([(0.9, *SQUARE), (0.8, *SQUARE), (0.7, 0, *FAR)])
    assert costs_of(truth, copy, 1)["copy"] == pytest.approx(50 / 101 / 3)
    both = detections([(0.9, 1, *HALF_BESIDE), (0.8, 1, *FAR)])
    assert costs_of(objects([SQUARE, (1, *FAR)]), both)["both"] == pytest.approx(1 / 4)


def test_costs_are_functions_of_how_often_images_count():
    truth, said = objects([SQUARE], [SQUARE]), detections([(0.9, *SQUARE)], [])
    assert [costs_of(truth, said, 1, weights)["missed"] for weights in ((1, 1), (2, 0))] == pytest.approx([50 / 101, 0])
    matches = match(truth, said, 1)
    score = cost_score(truth, said, matches, errors(truth, said, matches), MISSED)
    assert value(score, (3, 1)) == pytest.approx(1 - value(map_score(matches, 0.5), (3, 1)))


def test_missing_all_objects_of_a_class_costs_all_of_it():
    truth, said = objects([SQUARE, (1, *FAR)]), detections([(0.9, *SQUARE)])
    assert costs_of(truth, said)["missed"] == pytest.approx(1 / 2)


def test_confusion_has_hits_other_classes_and_the_background():
    truth = objects([SQUARE, (1, *FAR), (1, 100, 0, 110, 10)], [(2, *FAR)], flags=[0, 0, 0, 2])
    hit, other, nothing = (0.9, *SQUARE), (0.8, 0, *FAR), (0.7, 1, 200, 200, 210, 210)
    copy, crowd, low = (0.6, *SQUARE), (0.5, 0, *FAR), (0.1, 1, 100, 0, 110, 10)
    said = detections([hit, other, nothing, copy, low], [crowd])
    counts = confusion(truth, said, match(truth, said, 3), said.scores >= 0.5)
    # the copy is one box too many; what lies in the crowd of class 2 is forgiven; the low one is not counted
    assert counts.tolist() == [[1, 0, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0]]
    rows = table(counts, ("a", "b", "c"))
    assert rows.filter(true="b", said="a")["count"].to_list() == [1]
    assert rows.filter(true="background", said="b")["count"].to_list() == [1]


def test_a_class_called_background_is_another_row_than_the_background():
    counts = np.array([[5, 1, 2], [0, 7, 3], [4, 6, 0]])
    rows = table(counts, ("background", "(background)"))
    assert rows.filter(true="background", said="background")["count"].to_list() == [5]
    assert rows["true"].unique(maintain_order=True).to_list() == ["background", "(background)", "((background))"]
    assert rows.filter(said="((background))")["count"].to_list() == [2, 3, 0]


def test_false_alarms_of_several_classes_are_all_counted():
    truth = objects([SQUARE])
    said = detections([(0.9, i % 2, 20 * i, 100, 20 * i + 10, 110) for i in range(150)])
    counts = confusion(truth, said, match(truth, said, 2), said.scores >= 0.5)
    assert counts.tolist() == [[0, 0, 1], [0, 0, 0], [75, 75, 0]]


def test_without_any_box_there_is_no_error():
    truth, said = objects([], [SQUARE]), detections([], [])
    assert kinds_of(truth, said) == ([], [True])
    assert confusion(truth, said, match(truth, said, 2), said.scores > 0).tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert kinds_of(objects([]), detections([(0.9, *SQUARE)])) == (["background"], [])
