"""Targets: gathered like a plain loop would, stratified by what is rare, written and read back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from assay.data.boxes import CROWD, DIFFICULT, NO_BOX, BoxBatch, Boxes
from assay.data.stratify import quantile_bins
from assay.data.targets import VOID, Labels, Masks, Tags, Targets, Values, read_targets, write_targets


def boxes(*images: list[tuple[list[float], int]]) -> Boxes:
    """(edges, label) of every box of every image."""
    every = [box for image in images for box in image]
    starts = np.cumsum([0, *map(len, images)])
    edges = np.array([edges for edges, _ in every], np.float32).reshape(-1, 4)
    return Boxes(edges, np.array([label for _, label in every], np.int64), np.zeros(len(every), np.uint8), starts)


THREE = boxes([([0, 0, 4, 4], 1), ([1, 2, 3, 5], 0)], [], [([2, 2, 9, 9], 1)])
KINDS: dict[str, Targets] = {
    "labels": Labels(np.array([2, 0, 1])),
    "values": Values(np.array([[1.5, -2.0], [0.1, 3e7], [7.0, 0.0]]), ("age", "weight")),
    "tags": Tags(np.array([[1, 0, 1], [0, 0, 0], [1, 1, 0]], np.uint8)),
    "boxes": THREE,
    "masks": Masks(np.array([[[0, 3]], [[VOID, 0]], [[1, 1]]], np.uint8)),
}


def rows(*which: int) -> torch.Tensor:
    return torch.tensor(which, dtype=torch.int64)


def test_a_batch_of_boxes_by_hand() -> None:
    batch = THREE.take(rows(2, 0, 1))
    assert batch.labels.tolist() == [[1, NO_BOX], [1, 0], [NO_BOX, NO_BOX]]
    assert batch.edges.tolist() == [
        [[2, 2, 9, 9], [0] * 4],
        [[0, 0, 4, 4], [1, 2, 3, 5]],
        [[0] * 4] * 2,
    ]
    assert THREE.take(rows(1, 1)).edges.shape == (2, 0, 4)
    assert THREE.take(rows()).labels.shape == (0, 0)
    first, second = batch.split([1, 2])
    assert first.labels.tolist() == [[1]]
    assert torch.equal(second.edges, batch.edges[1:])


def test_a_packed_batch_has_no_gaps() -> None:
    gaps = BoxBatch(torch.arange(24.0).view(2, 3, 4), torch.tensor([[NO_BOX, 5, 4], [NO_BOX, NO_BOX, 6]]))
    assert gaps.packed().labels.tolist() == [[5, 4], [6, NO_BOX]]
    assert gaps.packed().edges[:, 0, 0].tolist() == [4, 20]
    assert BoxBatch(torch.zeros(2, 3, 4), torch.full((2, 3), NO_BOX)).packed().edges.shape == (2, 0, 4)


def test_boxes_with_a_flag_are_in_no_batch() -> None:
    flags = np.array([DIFFICULT, 0, CROWD], np.uint8)
    batch = Boxes(THREE.edges, THREE.labels, flags, THREE.starts).take(rows(0, 1, 2))
    assert batch.labels.tolist() == [[0], [NO_BOX], [NO_BOX]]
    assert batch.edges[0].tolist() == [[1, 2, 3, 5]]


BOX = st.tuples(st.lists(st.floats(0, 99, width=32), min_size=4, max_size=4), st.integers(0, 3))


@given(st.lists(st.lists(BOX, max_size=4), min_size=1, max_size=6), st.data())
def test_gathered_boxes_equal_those_of_a_plain_loop(images: list[list], data: st.DataObject) -> None:
    targets = boxes(*images)
    which = data.draw(st.lists(st.integers(0, len(images) - 1), max_size=8))
    batch = targets.take(rows(*which))
    assert batch.labels.shape == (len(which), max((len(images[i]) for i in which), default=0))
    for i, edges, labels in zip(which, batch.edges, batch.labels, strict=True):
        n = len(images[i])
        assert labels.tolist() == [label for _, label in images[i]] + [NO_BOX] * (len(labels) - n)
        assert edges[:n].tolist() == [list(edge) for edge, _ in images[i]]
    part = targets.subset(np.array(which, np.int64))
    assert [part.line(k) for k in range(len(part))] == [targets.line(i) for i in which]
    again = part.take(torch.arange(len(which)))
    assert torch.equal(again.labels, batch.labels)
    assert torch.equal(again.edges, batch.edges)


def test_batches_of_the_other_kinds() -> None:
    labels, values, tags, masks = (KINDS[kind].take(rows(2, 0)) for kind in ("labels", "values", "tags", "masks"))
    assert (labels.dtype, labels.tolist()) == (torch.int64, [1, 2])
    assert (values.dtype, values.tolist()) == (torch.float32, [[7.0, 0.0], [1.5, -2.0]])
    assert (tags.dtype, tags.tolist()) == (torch.float32, [[1, 1, 0], [1, 0, 1]])
    assert (masks.dtype, masks.tolist()) == (torch.uint8, [[[1, 1]], [[0, 3]]])


@pytest.mark.parametrize("kind", KINDS)
def test_a_subset_is_the_images_asked_for_and_a_batch_is_a_copy(kind: str) -> None:
    targets = KINDS[kind]
    part = targets.subset(np.array([2, 0]))
    assert (len(part), part.kind) == (2, kind)
    assert [part.line(0), part.line(1)] == [targets.line(2), targets.line(0)]
    before = [targets.line(i) for i in range(3)]
    batch = targets.take(rows(0, 1, 2))
    (batch.edges if kind == "boxes" else batch).zero_()
    assert [targets.line(i) for i in range(3)] == before


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_as_it_was_written(tmp_path: Path, kind: str) -> None:
    targets = KINDS[kind]
    write_targets(targets, tmp_path)
    found = read_targets(tmp_path)
    assert type(found) is type(targets)
    assert [found.line(i) for i in range(3)] == [targets.line(i) for i in range(3)]
    assert isinstance(getattr(found, "values", None), np.memmap) == (kind == "masks")
    if isinstance(found, Values):
        assert found.names == ("age", "weight")


def test_flags_are_kept(tmp_path: Path) -> None:
    flagged = Boxes(THREE.edges, THREE.labels, np.array([DIFFICULT, 0, CROWD], np.uint8), THREE.starts)
    write_targets(flagged, tmp_path)
    found = read_targets(tmp_path)
    assert isinstance(found, Boxes)
    assert found.subset(np.array([2, 0])).flags.tolist() == [CROWD, DIFFICULT, 0]


def test_a_folder_without_targets_or_with_a_part_of_them_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="labels"):
        read_targets(tmp_path)
    write_targets(THREE, tmp_path)
    (tmp_path / "starts.npy").unlink()
    with pytest.raises(OSError, match="starts"):
        read_targets(tmp_path)


def test_the_line_of_a_label_is_the_label_and_of_values_every_digit() -> None:
    assert KINDS["labels"].line(0) == "2"
    assert KINDS["values"].line(1) == "0.1 30000000.0"
    assert KINDS["tags"].line(0) == "101"
    assert THREE.line(1) == ""
    assert THREE.line(0) != boxes([([0, 0, 4, 4.5], 1), ([1, 2, 3, 5], 0)]).line(0)
    assert KINDS["masks"].line(0) != KINDS["masks"].line(1)


def test_strata_of_tags_and_boxes_and_masks_are_the_rarest_class() -> None:
    values = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0], [0, 0, 1, 0]], np.uint8)
    assert Tags(values).strata().tolist() == [1, 0, 4, 1, 2]  # 3, 2, 2 and no images; of equals the first
    found = boxes([([0] * 4, 0)] * 3 + [([0] * 4, 2)], [([0] * 4, 0)], [], [([0] * 4, 2), ([0] * 4, 2)], [([0] * 4, 0)])
    assert found.strata().tolist() == [2, 0, 3, 2, 0]
    assert boxes([], []).strata().tolist() == [0, 0]
    masks = Masks(np.array([[[0, 0]], [[0, 2]], [[VOID, VOID]], [[0, 1]], [[1, 0]]], np.uint8))
    assert masks.strata().tolist() == [0, 2, 3, 1, 1]


def test_bins_are_tenths_where_there_are_enough_images() -> None:
    hundred = np.random.default_rng(0).permutation(100).astype(np.float64)
    np.testing.assert_array_equal(quantile_bins(hundred), hundred // 10)
    assert np.bincount(quantile_bins(np.arange(25.0))).tolist() == [12, 13]  # fewer bins, not fewer images in each
    assert quantile_bins(np.arange(7.0)).tolist() == [0] * 7
    assert len(set(quantile_bins(np.full(200, 3.5)).tolist())) == 1
    assert quantile_bins(np.empty(0)).tolist() == []


def test_equal_numbers_share_a_bin_and_rare_ones_have_their_own() -> None:
    for rare, many in ((5.0, 0.0), (0.0, 5.0)):
        found = quantile_bins(np.array([many] * 190 + [rare] * 10))
        assert len(set(found[:190].tolist())) == len(set(found[190:].tolist())) == 1
        assert found[0] != found[-1]
    assert Values(np.array([[1.0, 9.0], [2.0, 8.0]] * 20), ("a", "b")).strata().tolist() == [1, 3] * 20


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=120))
def test_bins_follow_the_order_of_the_numbers(values: list[float]) -> None:
    bins = quantile_bins(np.array(values))
    assert bins.min() >= 0
    assert bins.max() < 10
    ordered = bins[np.argsort(values, kind="stable")]
    assert (np.diff(ordered) >= 0).all()
