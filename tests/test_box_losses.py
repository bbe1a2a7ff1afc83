"""How far boxes are apart, and which cells learn them."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import complete_box_iou, complete_box_iou_loss

from assay.data.boxes import NO_BOX, BoxBatch
from assay.models.anchor_free import cells
from assay.models.anchors import matches
from assay.models.assignment import task_aligned
from assay.models.box_losses import complete_iou, distribution_focal_loss


def boxes(count: int, seed: int) -> Tensor:
    start, sides = torch.rand(2, count, 2, generator=torch.Generator().manual_seed(seed)) * 40
    return torch.cat([start, start + sides + 0.5], dim=1)


def test_complete_iou_and_its_gradient_are_torchvisions() -> None:
    one, other = boxes(200, 0).requires_grad_(), boxes(200, 1)
    loss = 1 - complete_iou(one, other)
    expected = complete_box_iou_loss(one, other)
    torch.testing.assert_close(loss, expected)
    found, wanted = (torch.autograd.grad(each.sum(), one)[0] for each in (loss, expected))
    torch.testing.assert_close(found, wanted)


def test_complete_iou_of_all_pairs_is_torchvisions() -> None:
    one, other = boxes(20, 2), boxes(30, 3)
    torch.testing.assert_close(complete_iou(one[:, None], other), complete_box_iou(one, other))


def test_complete_iou_by_hand() -> None:
    # alike in shape, shifted by half a width: IoU 1/3, centres 5 apart, diagonal of the hull √(15² + 10²)
    one, other = torch.tensor([0.0, 0, 10, 10]), torch.tensor([5.0, 0, 15, 10])
    assert complete_iou(one, other).item() == pytest.approx(1 / 3 - 25 / 325)
    # one centre, half as wide: IoU 1/2, v = 4/π²·(atan 1 − atan ½)², α = v/(½ + v)
    v = 4 / math.pi**2 * (math.atan(1) - math.atan(0.5)) ** 2
    assert complete_iou(one, torch.tensor([2.5, 0, 7.5, 10])).item() == pytest.approx(0.5 - v * v / (0.5 + v))


def test_boxes_of_no_extent_are_far_apart_and_finite() -> None:
    point = torch.zeros(4, requires_grad=True)
    said = complete_iou(point, torch.zeros(4))
    assert said.item() == 0
    assert torch.autograd.grad(said, point)[0].isfinite().all()


def test_a_distance_between_two_bins_is_learned_as_both() -> None:
    logits = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    lot = -functional.log_softmax(logits, dim=-1)
    loss = distribution_focal_loss(logits, torch.tensor([1.25, 3.0]))
    torch.testing.assert_close(loss, torch.stack([0.75 * lot[0, 1] + 0.25 * lot[0, 2], lot[1, 3]]))


@pytest.mark.parametrize(("distance", "nearest"), [(-3.0, 0), (4.0, 4), (99.0, 4)])
def test_a_distance_beyond_the_bins_is_learned_as_the_last(distance: float, nearest: int) -> None:
    logits = torch.randn(5, generator=torch.Generator().manual_seed(1))
    loss = distribution_focal_loss(logits, torch.tensor(distance))
    torch.testing.assert_close(loss, -functional.log_softmax(logits, dim=-1)[nearest])


def test_centres_and_strides_of_cells() -> None:
    centers, strides = cells([torch.Size((1, 2)), torch.Size((1, 1))], (8, 16), torch.device("cpu"))
    assert centers.tolist() == [[4, 4], [12, 4], [8, 8]]
    assert strides.tolist() == [[8], [8], [16]]


CENTERS = torch.tensor([[x + 4.0, y + 4.0] for y in range(0, 64, 8) for x in range(0, 64, 8)])
"""64 cells of an 8×8 map at stride 8."""


def one_batch(*rows: list[float], labels: list[int]) -> BoxBatch:
    return BoxBatch(torch.tensor(rows)[None], torch.tensor(labels)[None])


def test_what_a_cell_is_worth_and_its_share_by_hand() -> None:
    truth = torch.tensor([0.0, 0, 16, 16])  # around the centres of cells 0, 1, 8 and 9
    edges = truth.repeat(64, 1)
    edges[1], edges[8] = torch.tensor([0.0, 0, 16, 12]), torch.tensor([0.0, 0, 8, 16])
    scores = torch.full((64, 3), 0.2)
    scores[0, 2], scores[1, 2] = 0.25, 0.81
    found = task_aligned(edges[None], scores[None], CENTERS, one_batch([0.0, 0, 16, 16], labels=[2]), 8)
    overlap = {i: complete_iou(edges[i], truth).item() for i in (0, 1, 8, 9)}
    worth = {0: 0.5, 1: 0.9 * overlap[1] ** 6, 8: 0.2**0.5 * overlap[8] ** 6, 9: 0.2**0.5}
    assert found.share[0].nonzero().flatten().tolist() == [0, 1, 8, 9]
    for cell, each in worth.items():
        assert found.share[0, cell].item() == pytest.approx(each / 0.5, rel=1e-5)
        assert found.labels[0, cell] == 2
        assert found.edges[0, cell].tolist() == truth.tolist()


def test_no_more_than_ten_cells_learn_a_box() -> None:
    edges, scores = torch.tensor([0.0, 0, 64, 64]).repeat(64, 1), torch.linspace(0.1, 0.9, 64)[:, None]
    found = task_aligned(edges[None], scores[None], CENTERS, one_batch([0.0, 0, 64, 64], labels=[0]), 8)
    assert found.share[0].nonzero().flatten().tolist() == list(range(54, 64))
    assert found.share[0, 63].item() == pytest.approx(1.0)


def test_a_cell_that_two_boxes_want_learns_the_one_that_it_overlaps_most() -> None:
    small, large = [0.0, 0, 16, 16], [0.0, 0, 16, 32]
    edges = torch.tensor(large).repeat(64, 1)
    edges[[0, 1]] = torch.tensor(small)
    found = task_aligned(edges[None], torch.full((1, 64, 2), 0.5), CENTERS, one_batch(small, large, labels=[0, 1]), 8)
    learners = {cell: int(found.labels[0, cell]) for cell in found.share[0].nonzero().flatten().tolist()}
    assert learners == {0: 0, 1: 0, 8: 1, 9: 1, 16: 1, 17: 1, 24: 1, 25: 1}


def test_a_box_between_all_centres_has_cells_all_the_same() -> None:
    tiny = [7.0, 7, 9, 9]
    found = task_aligned(
        torch.tensor(tiny).repeat(1, 64, 1), torch.full((1, 64, 1), 0.5), CENTERS, one_batch(tiny, labels=[0]), 8
    )
    assert found.share[0].nonzero().flatten().tolist() == [0, 1, 8, 9]


def test_a_box_far_smaller_than_all_that_is_said_is_learned_all_the_same() -> None:
    small, edges = torch.tensor([24.0, 24, 32, 32]), torch.cat([CENTERS - 60, CENTERS + 60], dim=1)
    found = task_aligned(edges[None], torch.full((1, 64, 1), 0.01), CENTERS, one_batch(small.tolist(), labels=[0]), 8)
    assert found.share[0, 27].item() == pytest.approx(complete_iou(edges[27], small).item())
    assert found.share[0, 27] < 0.005


def test_what_only_fills_up_is_learned_by_no_cell() -> None:
    edges, scores = torch.zeros(1, 64, 4), torch.full((1, 64, 2), 0.5)
    for truth in (
        BoxBatch(torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.int64)),
        one_batch([0.0] * 4, labels=[-1]),
    ):
        assert task_aligned(edges, scores, CENTERS, truth, 8).share.sum() == 0


def test_an_image_of_a_batch_learns_what_it_learns_alone() -> None:
    truth = BoxBatch(torch.stack([boxes(6, seed) for seed in range(3)]), torch.arange(18).reshape(3, 6) % 4)
    truth.labels[1, 4:], truth.labels[2] = NO_BOX, NO_BOX
    edges = torch.stack([boxes(64, 10 + seed) for seed in range(3)])
    scores = torch.rand(3, 64, 4, generator=torch.Generator().manual_seed(3))
    together = task_aligned(edges, scores, CENTERS, truth, 8)
    assert together.share.sum(dim=1).gt(0).tolist() == [True, True, False]
    for number, count in enumerate((6, 4, 0)):
        alone = BoxBatch(truth.edges[number : number + 1, :count], truth.labels[number : number + 1, :count])
        found = task_aligned(edges[number : number + 1], scores[number : number + 1], CENTERS, alone, 8)
        torch.testing.assert_close(found.share[0], together.share[number])
        learns = found.share[0] > 0
        assert found.labels[0, learns].tolist() == together.labels[number, learns].tolist()
        torch.testing.assert_close(found.edges[0, learns], together.edges[number, learns])


ANCHORS = torch.tensor([[10.0, 10.0], [40.0, 40.0], [10.0, 40.0]])


def cells_of(found: BoxBatch, size: tuple[int, int] = (4, 6)) -> dict[int, set[tuple[int, int]]]:
    """Anchor → the (column, row) of the cells that match in a map at stride 8."""
    learned = matches(found, ANCHORS, 8, size)
    places = learned.place[learned.exists].tolist()
    area = size[0] * size[1]
    return {
        anchor: {(p % size[1], p % area // size[1]) for p in places if p // area == anchor}
        for anchor in {p // area for p in places}
    }


def test_an_anchor_learns_boxes_of_less_than_four_times_its_sides() -> None:
    assert cells_of(one_batch([14.0, 14, 24, 24], labels=[0])).keys() == {0}
    assert cells_of(one_batch([10.0, 10, 21, 21], labels=[0])).keys() == {0, 1, 2}
    assert cells_of(one_batch([0.0, 0, 40, 9], labels=[0])).keys() == set()
    assert cells_of(one_batch([3.0, 3, 3, 3], labels=[0])).keys() == set()


def test_the_nearer_neighbours_learn_a_box_too() -> None:
    # centre (19, 14): cell (2, 1), 0.375 and 0.75 within it: left and below
    assert cells_of(one_batch([14.0, 9, 24, 19], labels=[0]))[0] == {(2, 1), (1, 1), (2, 2)}
    # centre (4, 4) in the middle of the first cell: no neighbour is nearer
    assert cells_of(one_batch([0.0, 0, 8, 8], labels=[0]))[0] == {(0, 0)}
    # centres (2, 2) and (46, 30) in corners: the nearer neighbours are outside the map
    assert cells_of(one_batch([0.0, 0, 4, 4], labels=[0]))[0] == {(0, 0)}
    assert cells_of(one_batch([44.0, 28, 48, 32], labels=[0]))[0] == {(5, 3)}


def test_a_place_filled_up_matches_no_anchor() -> None:
    assert cells_of(one_batch([14.0, 14, 24, 24], labels=[NO_BOX])) == {}
