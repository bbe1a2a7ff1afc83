"""Training on windows of the pictures: inside them, drawn by seed and epoch, with the classes that are asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from assay.data import ImageData, ImageSet, batches, load
from assay.data.crops import cut, windows
from assay.data.targets import VOID, Labels, Masks
from assay.errors import AssayError
from assay.recipe import Augmentation, Crop, Data
from assay.recipe.data import Fit
from assay.recipe.validation import mistakes

N, HEIGHT, WIDTH = 24, 20, 30


def placed_data(crop: Crop | None, values: np.ndarray | None = None, **changes: object) -> ImageData:
    """Images whose pixels tell which one it is, which row and which column; masks of the rows."""
    at = np.zeros((N, 3, HEIGHT, WIDTH), np.uint8)
    at[:, 0], at[:, 1], at[:, 2] = np.arange(N)[:, None, None], np.arange(HEIGHT)[:, None], np.arange(WIDTH)
    masks = Masks(at[:, 1].copy() if values is None else values)
    images = ImageSet(at, masks, [str(i) for i in range(N)], np.zeros(N, bool), [str(k) for k in range(HEIGHT)], [])
    indices = {"train": np.arange(0, N, 2), "validation": np.arange(1, N, 2)}
    zero, one = np.zeros(3, np.float32), np.full(3, 1 / 255, np.float32)
    return replace(ImageData(images, indices, zero, one, crop=crop), **changes)


def epoch_of(data: ImageData, seed: int = 0, epoch: int = 1, batch: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    every = list(data.train_batches(batch, seed, epoch, "cpu"))
    return torch.cat([x for x, _ in every]).round().int(), torch.cat([y for _, y in every])


def test_a_window_is_a_part_of_the_picture_and_of_its_mask_at_the_same_place() -> None:
    x, y = epoch_of(placed_data(Crop(size=(7, 9))))
    assert (x.shape, y.shape) == ((12, 3, 7, 9), (12, 7, 9))
    assert sorted(x[:, 0, 0, 0].tolist()) == list(range(0, N, 2))
    assert torch.equal(x[:, 1], y.int())
    assert (x[:, 1].diff(dim=1) == 1).all()
    assert (x[:, 2].diff(dim=2) == 1).all()
    assert (x[:, 0] == x[:, 0, :1, :1]).all()


def test_windows_reach_every_place_equally_often() -> None:
    data = placed_data(Crop(size=(18, 29)))
    seen = np.zeros((3, 2), int)
    for epoch in range(60):
        x, _ = epoch_of(data, epoch=epoch)
        np.add.at(seen, (x[:, 1, 0, 0].numpy(), x[:, 2, 0, 0].numpy()), 1)
    assert seen.sum() == 720
    assert seen.min() > 120 - 4 * 10  # 120 each, with a deviation of 10
    assert seen.max() < 120 + 4 * 10


def test_windows_are_a_function_of_seed_and_epoch_whatever_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    data = placed_data(Crop(size=(7, 9)))
    first = epoch_of(data)
    assert torch.equal(first[0], epoch_of(data, batch=3)[0])
    monkeypatch.setattr(batches, "_BLOCK_BYTES", 0)
    again = epoch_of(data)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    for other in (epoch_of(data, epoch=2), epoch_of(data, seed=1)):
        assert not torch.equal(first[0], other[0])


def test_validation_images_are_seen_whole() -> None:
    data = placed_data(Crop(size=(7, 9)))
    assert next(data.batches("validation", 4, "cpu"))[0].shape == (4, 3, HEIGHT, WIDTH)
    assert next(data.batches("train", 4, "cpu"))[1].shape == (4, HEIGHT, WIDTH)


def test_a_window_of_the_whole_is_the_image_and_augmentations_follow_it() -> None:
    whole = placed_data(Crop(size=(HEIGHT, WIDTH)))
    assert torch.equal(epoch_of(whole)[0], epoch_of(placed_data(None))[0])
    flips = (Augmentation(name="horizontal_flip", amount=1.0),)
    plain, flipped = (epoch_of(placed_data(Crop(size=(7, 9)), augment=steps)) for steps in ((), flips))
    assert torch.equal(plain[0].flip(3), flipped[0])
    assert torch.equal(plain[1].flip(2), flipped[1])


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 16), st.integers(1, 16), st.integers(0, 5),
    st.sampled_from(["stretch", "letterbox", "pad"]),
)  # fmt: skip
def test_windows_lie_in_the_picture_or_hold_it(h: int, w: int, height: int, width: int, seed: int, fit: Fit) -> None:
    canvas = np.zeros((3, 1, 16, 16), np.uint8)
    images = ImageSet(
        canvas, Masks(canvas[:, 0]), ["a", "b", "c"], np.zeros(3, bool), ["x", "y"], [],
        sizes=np.array([[h, w]] * 3, np.int32), fit=fit,
    )  # fmt: skip
    found = windows(images, Crop(size=(height, width)), np.array([2, 0, 1]), None, seed, 1).corners(slice(0, 3))
    taken, first = images.inside
    for corner in found:
        for at, window, start, extent in zip(corner, (height, width), first[0], taken[0], strict=True):
            assert 0 <= at <= 16 - window
            inside = start <= at and at + window <= start + extent
            holds = at <= start and start + extent <= at + window
            assert inside if window <= extent else holds


def rare() -> np.ndarray:
    """Class 1 in every other training image, 2 in one pixel of one, 3 in none that trains, void at a rim."""
    values = np.zeros((N, HEIGHT, WIDTH), np.uint8)
    values[::4, 5:9, 5:9] = 1
    values[6, 19, 29] = 2
    values[1, :5] = 3
    values[:, :, 0] = VOID
    return values


def test_balanced_windows_show_the_classes_equally_often() -> None:
    data = placed_data(Crop(size=(4, 4), classes="balanced"), rare())
    showing = np.zeros(4)
    for epoch in range(100):
        x, y = epoch_of(data, epoch=epoch)
        assert len(x) == 12
        there = torch.stack([(y == k).flatten(1).any(1) for k in range(4)])
        assert there.any(0).all()
        showing += there.sum(1).numpy()
        assert (x[:, 0, 0, 0][there[2]] == 6).all()
    assert showing[3] == 0
    assert showing[2] == pytest.approx(400, abs=4 * 16.4)  # a third of 1,200, with a deviation of √(1200 · 2/9)
    assert showing[1] == pytest.approx(400, abs=4 * 16.4)
    assert showing[0] >= 330


def test_plain_windows_seldom_show_a_rare_class() -> None:
    data = placed_data(Crop(size=(4, 4)), rare())
    assert sum(int((epoch_of(data, epoch=epoch)[1] == 2).any()) for epoch in range(30)) < 5


def test_balanced_windows_are_a_function_of_seed_and_epoch() -> None:
    data = placed_data(Crop(size=(4, 4), classes="balanced"), rare())
    first, again = epoch_of(data), epoch_of(data, batch=12)
    assert torch.equal(first[0], again[0])
    assert first[0][:, 0, 0, 0].tolist() == data.order(0, 1).tolist()
    assert not torch.equal(first[0], epoch_of(data, epoch=2)[0])


def test_pixels_are_counted_by_class_over_the_training_images() -> None:
    data = placed_data(None, rare())
    assert data.class_counts[:4].tolist() == [12 * 20 * 29 - 6 * 16 - 1, 6 * 16, 1, 0]
    assert data.class_counts.dtype == np.int64
    assert data.pixel_counts[3, :3].tolist() == [20 * 29 - 1, 0, 1]


@pytest.mark.parametrize("channels", [(), (3,)])
def test_windows_gathered_on_a_device_are_those_of_a_plain_loop(channels: tuple[int, ...]) -> None:
    draw = torch.Generator().manual_seed(0)
    canvases = torch.randint(0, 256, (6, *channels, 9, 11), generator=draw, dtype=torch.uint8)
    rows, corners = torch.tensor([4, 0, 4]), np.array([[0, 0], [5, 8], [2, 3]])
    plain = cut(canvases, rows, corners, (4, 3))
    for i, (row, (y, x)) in enumerate(zip(rows.tolist(), corners.tolist(), strict=True)):
        assert torch.equal(plain[i], canvases[row, ..., y : y + 4, x : x + 3])
    meta = cut(canvases.to("meta"), rows, corners, (4, 3))  # the way of an accelerator, as far as shapes go
    assert meta.shape == plain.shape


def test_a_recipe_with_windows_trains_on_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    found = load(Data.model_validate({"source": "scenes", "crop": [32, 48], "train": 20}), 0, tmp_path)
    x, y = next(found.train_batches(4, 0, 1, "cpu"))
    assert (x.shape, y.shape) == ((4, 3, 32, 48), (4, 32, 48))


@pytest.mark.parametrize(
    ("crop", "expected"),
    [
        ([65, 64], "data.crop: 65×64 is larger than the images, 64×64 (height×width); expected at most that"),
        (80, "data.crop: 80×80 is larger than the images, 64×64 (height×width); expected at most that"),
    ],
)
def test_windows_larger_than_the_images_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crop: object, expected: str
) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    with pytest.raises(AssayError) as error:
        load(Data.model_validate({"source": "scenes", "crop": crop}), 0, tmp_path)
    assert str(error.value) == expected


def test_windows_of_pictures_without_masks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    with pytest.raises(AssayError, match=r"data\.crop shows parts of images and needs masks, and .* have labels"):
        load(Data.model_validate({"source": "digits", "crop": 4}), 0, tmp_path)


def test_the_short_forms_say_the_same_and_none_is_not_written_out() -> None:
    forms = (32, [32, 32], {"size": 32}, {"size": [32, 32]})
    assert len({Data.model_validate({"source": "x", "crop": form}).model_dump_json() for form in forms}) == 1
    assert "crop" not in Data(source="x").model_dump()
    dumped = Data.model_validate({"source": "x", "crop": {"size": [3, 4], "classes": "balanced"}}).model_dump()
    assert dumped["crop"] == {"size": (3, 4), "classes": "balanced"}
    assert Data.model_validate(dumped).crop == Crop(size=(3, 4), classes="balanced")
    assert mistakes(Data, {"source": "x", "crop": {"size": 3, "classes": "rare"}})
    views = {"source": "x", "crop": 3, "augment": ["horizontal_flip"], "augment_views": 2}
    assert "leave one out" in mistakes(Data, views)[0]


def test_labels_have_no_pixels_to_count() -> None:
    data = placed_data(None)
    images = replace(data.images, targets=Labels(np.arange(N) % 3))
    assert replace(data, images=images).class_counts[:3].tolist() == [4, 4, 4]
