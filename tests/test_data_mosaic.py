"""Four pictures in one: drawn rectangles and their boxes go the same way, whatever follows; a function of the seed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from assay.data import ImageData, ImageSet, batches, load
from assay.data.boxes import NO_BOX, BoxBatch, Boxes
from assay.data.mosaic import mosaics
from assay.data.targets import VOID, Masks
from assay.errors import AssayError
from assay.recipe import AUGMENTATIONS, Augmentation, Data, Mosaic, Recipe
from assay.recipe.validation import mistakes

N = 8
"""Pictures, each with a channel of its own in which its rectangle is white."""
ALWAYS = Mosaic()


def drawn_data(
    seed: int,
    canvas: tuple[int, int] = (96, 112),
    mosaic: Mosaic | None = ALWAYS,
    augment: tuple[Augmentation, ...] = (),
) -> ImageData:
    """Black pictures with a white rectangle each, letterboxed; picture and class are the rectangle's channel."""
    draw, (height, width) = np.random.default_rng(seed), canvas
    pixels, edges, sizes = np.full((N, N, height, width), 114, np.uint8), [], []
    for i in range(N):
        own = int(draw.integers(40, height)), int(draw.integers(40, width))
        sizes.append(own)
        ratio = min(height / own[0], width / own[1])
        h, w = round(own[0] * ratio), round(own[1] * ratio)
        top, left = (height - h) // 2, (width - w) // 2
        pixels[i, :, top : top + h, left : left + w] = 0
        x1, y1 = int(draw.integers(left, left + w - 12)), int(draw.integers(top, top + h - 12))
        x2, y2 = int(draw.integers(x1 + 12, left + w + 1)), int(draw.integers(y1 + 12, top + h + 1))
        pixels[i, i, y1:y2, x1:x2] = 255
        edges.append([x1, y1, x2, y2])
    boxes = Boxes(np.array(edges, np.float32), np.arange(N), np.zeros(N, np.uint8), np.arange(N + 1))
    images = ImageSet(
        pixels, boxes, [str(i) for i in range(N)], np.zeros(N, bool), [str(i) for i in range(N)], [],
        sizes=np.array(sizes, np.int32), fit="letterbox",
    )  # fmt: skip
    zero, one = np.zeros(N, np.float32), np.ones(N, np.float32)
    return ImageData(images, {"train": np.arange(N)}, zero, one, augment, mosaic=mosaic)


def hull(seen: Tensor) -> Tensor:
    """x1, y1, x2, y2 of what is True."""
    y, x = (seen.any(axis).nonzero()[:, 0] for axis in (1, 0))
    return torch.tensor([x[0], y[0], x[-1] + 1, y[-1] + 1] if len(x) else [0] * 4, dtype=torch.float32)


CHAINS = st.lists(
    st.sampled_from(
        ["horizontal_flip", "vertical_flip", "translation", "zoom", "crop", "random_resized_crop", "rotation"]
    ),
    unique=True,
    max_size=4,
)


def epoch_of(data: ImageData, epoch: int = 1, batch: int = 4) -> Iterator[tuple[Tensor, Tensor, Tensor, np.ndarray]]:
    """(picture, edges, labels, which pictures it is of) of each place."""
    assert data.mosaic is not None
    rows = mosaics(data.images, data.mosaic, data.order(0, epoch).numpy(), data.indices["train"], 0, epoch).rows
    places = (place for x, y in data.train_batches(batch, 0, epoch, "cpu") for place in _places(x, y))
    for (x, edges, labels), which in zip(places, rows, strict=True):
        yield x, edges, labels, which


def _places(x: Tensor, y: BoxBatch) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    return zip(x, y.edges, y.labels, strict=True)


@settings(max_examples=30, deadline=None)
@given(CHAINS, st.integers(0, 10_000), st.sampled_from([(96, 112), (97, 95)]), st.sampled_from([1.0, 0.5]))
def test_a_box_is_where_its_rectangle_is_whatever_the_chain(
    chain: list[str], seed: int, canvas: tuple[int, int], probability: float
) -> None:
    augment = tuple(Augmentation(name=name, amount=AUGMENTATIONS[name][0]) for name in chain)
    for x, edges, labels, which in epoch_of(drawn_data(seed, canvas, Mosaic(probability=probability), augment)):
        for channel in (row for row in which if list(which).count(row) == 1):
            (box, *more), seen = [*edges[labels == channel], torch.zeros(4)], hull(x[channel] > 0.5)
            if not more:
                assert min(seen[2] - seen[0], seen[3] - seen[1]) < 16  # a small rest of the rectangle
            elif "rotation" not in chain:
                assert (box - seen).abs().max() <= 1
            else:  # the hull of all corners, which may lie beyond the picture; a corner itself is less than a pixel
                assert (torch.cat([box[:2] - seen[:2], seen[2:] - box[2:]]) <= 1).all()
                is_whole = (box > 0).all() and (box < torch.tensor(canvas * 2).flip(0)).all()
                assert (box - seen).abs().max() <= 2 or not is_whole


def test_a_rectangle_has_no_box_where_less_than_a_tenth_of_it_is_left() -> None:
    left, lost = [], []
    for seed in range(12):
        data = drawn_data(seed)
        scale = mosaics(data.images, ALWAYS, data.order(0, 1).numpy(), data.indices["train"], 0, 1).scale
        for (x, _, labels, which), share in zip(epoch_of(data), scale, strict=True):
            for channel in (row for row in which if list(which).count(row) == 1):
                x1, y1, x2, y2 = data.images.targets.edges[channel]  # type: ignore[union-attr]
                seen = float((x[channel] > 0.5).sum()) / ((x2 - x1) * (y2 - y1) * share**2)
                (left if channel in labels else lost).append(seen)
    assert 0.09 < min(left) < 0.2
    assert max(lost) < 0.25  # or it is under 2 pixels
    assert sum(seen < 0.11 for seen in lost) > 0.9 * len(lost) > 10


def test_four_pictures_meet_in_a_point_by_hand() -> None:
    data = drawn_data(0, (96, 112))
    found = mosaics(data.images, ALWAYS, np.array([3, 5]), np.array([6]), 1, 1)
    assert found.rows.tolist() == [[3, 6, 6, 6], [5, 6, 6, 6]]
    height, width = data.images.inside[0][6]
    for own, corners in zip((3, 5), found.corners, strict=True):
        point = corners[3]
        assert (point >= [48, 56]).all()
        assert (point <= [144, 168]).all()
        assert (corners[0] == point - data.images.inside[0][own]).all()
        assert corners[1:3].tolist() == [[point[0] - height, point[1]], [point[0], point[1] - width]]
    assert ((found.scale >= 0.5) & (found.scale <= 1.5)).all()


def test_a_mosaic_is_a_function_of_seed_and_epoch_whatever_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    data = drawn_data(0, augment=(Augmentation(name="horizontal_flip", amount=0.5),))
    first = list(epoch_of(data))
    monkeypatch.setattr(batches, "_BLOCK_BYTES", 1 << 30)
    for batch in (2, 4):
        for one, other in zip(first, epoch_of(data, batch=batch), strict=True):
            assert torch.equal(one[0], other[0])
            assert one[2][one[2] != NO_BOX].tolist() == other[2][other[2] != NO_BOX].tolist()
    assert not torch.equal(first[0][0], next(epoch_of(data, epoch=2))[0])
    assert not torch.equal(first[0][0], next(data.train_batches(4, 1, 1, "cpu"))[0][0])


def test_after_its_epochs_every_image_is_seen_as_without() -> None:
    with_it, without = drawn_data(0, mosaic=Mosaic(epochs=2)), drawn_data(0, mosaic=None)
    for epoch, is_same in ((1, False), (2, False), (3, True)):
        one, other = (next(data.train_batches(4, 0, epoch, "cpu")) for data in (with_it, without))
        assert torch.equal(one[0], other[0]) == is_same
        if is_same:
            assert torch.equal(one[1].edges, other[1].edges)


@pytest.mark.parametrize("canvas", [(96, 112), (97, 95)])
def test_an_image_that_is_no_mosaic_is_seen_as_it_is(canvas: tuple[int, int]) -> None:
    data = drawn_data(0, canvas, Mosaic(probability=1e-9))
    plain = replace(data, mosaic=None)
    for (x, y), (own, boxes) in zip(
        data.train_batches(4, 0, 1, "cpu"), plain.train_batches(4, 0, 1, "cpu"), strict=True
    ):
        torch.testing.assert_close(x, own, rtol=0, atol=1e-3)
        torch.testing.assert_close(y.edges, boxes.edges, rtol=0, atol=1e-4)
        assert torch.equal(y.labels, boxes.labels)


def test_a_mask_goes_where_its_mosaic_goes() -> None:
    data = drawn_data(0)
    one = data.images.pixels.max(axis=1)  # white, black, and gray where no picture is
    values = np.select([one == 255, one == 0], [1, 0], VOID).astype(np.uint8)
    masked = replace(data, images=replace(data.images, pixels=one[:, None], targets=Masks(values)))
    masked = replace(masked, mean=np.zeros(1, np.float32), std=np.ones(1, np.float32))
    x, y = next(masked.train_batches(8, 0, 1, "cpu"))
    assert x.shape == (8, 1, 96, 112)
    assert (x[:, 0][y == 1] > 0.99 / 2).float().mean() > 0.98
    assert (x[:, 0][y == 0] < 0.5).float().mean() > 0.98
    assert (y == VOID).any()
    assert (x[:, 0][y == VOID] < 0.02).float().mean() > 0.9  # black, as everywhere around masks


def test_mosaics_are_of_boxes_and_masks_and_of_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    with pytest.raises(
        AssayError, match=r"data\.mosaic puts .* needs boxes or masks, and the images of .* have labels"
    ):
        load(Data.model_validate({"source": "digits", "mosaic": {}}), 0, tmp_path)
    recipe = {"data": {"source": "digits", "mosaic": {"epochs": 3}}, "model": "cnn"}
    assert "data.mosaic puts four images into one" in mistakes(Recipe, recipe)[0]
    assert "leave one out" in mistakes(Data, {"source": "x", "crop": 3, "mosaic": {}})[0]
    assert (
        "leave mosaic out" in mistakes(Data, {"source": "x", "augment_views": 2, "augment": ["zoom"], "mosaic": {}})[0]
    )
    assert Data(source="x", mosaic=Mosaic()).model_dump()["mosaic"] == {"probability": 1.0, "epochs": 15}
    assert "mosaic" not in Data(source="x").model_dump()
    found = load(Data.model_validate({"source": "scenes", "mosaic": {}, "train": 8}), 0, tmp_path)
    assert [part.shape for part in next(found.train_batches(8, 0, 1, "cpu"))] == [(7, 3, 64, 64), (7, 64, 64)]
