"""What networks that give boxes share: which of their candidates stay."""

import pytest
import torch
from torch import Tensor

from assay.errors import AssayError
from assay.models.catalogue import try_out
from assay.models.detector import Found, Selecting, selected
from assay.recipe import Model
from assay.recipe.predict import CANDIDATES

SIZE = (40, 60)
"""Height and width."""


def one(edges: list[list[float]], scores: list[list[float]], selecting: Selecting) -> Found:
    found = selected(torch.tensor([edges]), torch.tensor([scores]), selecting, SIZE)
    assert len(found) == 1
    return found[0]


def test_of_two_boxes_of_a_class_that_overlap_by_more_the_lower_score_goes() -> None:
    # 10×10 boxes, shifted by 2: intersection 80 of a union of 120, 2/3; shifted by 4: 60 of 140, 3/7
    edges = [[0.0, 0, 10, 10], [2.0, 0, 12, 10], [4.0, 0, 14, 10]]
    scores = [[0.7], [0.9], [0.8]]
    assert one(edges, scores, Selecting(nms=0.6)).scores.tolist() == pytest.approx([0.9])
    assert one(edges, scores, Selecting(nms=0.7)).scores.tolist() == pytest.approx([0.9, 0.8, 0.7])
    without_the_middle = one([edges[0], edges[2]], [[0.7], [0.8]], Selecting(nms=0.6))
    assert without_the_middle.edges.tolist() == [edges[2], edges[0]]


def test_boxes_of_different_classes_do_not_displace_each_other() -> None:
    found = one([[0.0, 0, 10, 10], [0.0, 0, 10, 10]], [[0.9, 0.1], [0.0, 0.8]], Selecting())
    assert found.labels.tolist() == [0, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.8])


def test_a_box_may_be_of_several_classes() -> None:
    found = one([[0.0, 0, 10, 10]], [[0.3, 0.4, 0.0]], Selecting())
    assert found.labels.tolist() == [1, 0]


def test_without_suppression_no_box_goes() -> None:
    found = one([[0.0, 0, 10, 10]] * 3, [[0.2], [0.3], [0.1]], Selecting(nms=None))
    assert found.scores.tolist() == pytest.approx([0.3, 0.2, 0.1])
    assert len(one([[0.0, 0, 10, 10]] * 3, [[0.2], [0.3], [0.1]], Selecting(nms=None, most=2)).scores) == 2


def test_a_score_below_the_least_is_no_candidate() -> None:
    found = one([[0.0, 0, 10, 10], [20.0, 0, 30, 10]], [[0.25], [0.249]], Selecting(score=0.25))
    assert found.scores.tolist() == [0.25]


def test_the_highest_scores_are_kept_when_there_are_too_many() -> None:
    edges = [[5.0 * i, 0, 5 * i + 4, 4] for i in range(6)]
    found = one(edges, [[0.1], [0.6], [0.3], [0.5], [0.2], [0.4]], Selecting(most=3))
    assert found.scores.tolist() == pytest.approx([0.6, 0.5, 0.4])


def test_of_equal_scores_the_earlier_box_comes_first() -> None:
    edges = [[5.0 * i, 0, 5 * i + 4, 4] for i in range(10)]
    for nms in (0.6, None):
        assert one(edges, [[0.5]] * 10, Selecting(nms=nms, most=4)).edges.tolist() == edges[:4]
    assert one([edges[0]] * 2 + [[0.0, 0, 4, 4.5]], [[0.5]] * 3, Selecting()).edges.tolist() == [edges[0]]


def test_boxes_are_cut_at_the_canvas_and_go_where_nothing_is_left() -> None:
    edges = [[-5.0, -5, 70, 50], [60.0, 0, 80, 20], [10.0, 10, 10, 20], [20.0, 20, 15, 30], [50.0, 35, 61, 39]]
    found = one(edges, [[0.9], [0.8], [0.7], [0.6], [0.5]], Selecting())
    assert found.edges.tolist() == [[0, 0, 60, 40], [50, 35, 60, 39]]


def test_a_score_that_is_no_number_is_no_candidate() -> None:
    assert len(one([[0.0, 0, 10, 10]], [[float("nan")]], Selecting()).scores) == 0


def test_each_image_has_its_own_boxes_even_none() -> None:
    edges = torch.tensor([[[0.0, 0, 10, 10]], [[0.0, 0, 20, 20]], [[0.0, 0, 10, 10]]], dtype=torch.float64)
    found = selected(edges, torch.tensor([[[0.5]], [[0.0]], [[0.75]]], dtype=torch.float64), Selecting(), SIZE)
    assert [each.scores.tolist() for each in found] == [[0.5], [], [0.75]]
    assert found[1].edges.shape == (0, 4)
    assert found[1].labels.dtype == torch.int64
    assert {each.edges.dtype for each in found} == {torch.float32}


def test_no_more_candidates_than_so_many_are_looked_at() -> None:
    count = CANDIDATES + 500
    edges: Tensor = torch.tensor([0.0, 0, 1, 1]).repeat(count, 1)
    edges[-1] += 20
    scores = torch.linspace(1, 0.5, count)[:, None]
    found = selected(edges[None], scores[None], Selecting(), SIZE)[0]
    assert found.edges.tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("name", ["cnn", "deeplab"])
def test_what_gives_no_boxes_is_no_detector(name: str) -> None:
    with pytest.raises(AssayError, match="expected boxes; networks for detection: detector, yolo"):
        try_out(Model(name=name), (3, 64, 64), 2, "boxes")


def test_only_detectors_have_heads_by_name() -> None:
    with pytest.raises(AssayError, match=r"model\.head: found 'anchors', expected a list of layers"):
        try_out(Model(name="cnn", head="anchors"), (3, 32, 32), 2)
