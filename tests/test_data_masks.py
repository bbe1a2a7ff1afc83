"""Masks: read lazily, brought to the canvas with their pictures, kept in their own pixels, refused where they do not
fit."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from assay.data import cache, open_images
from assay.data.decode import fitted
from assay.data.images import Contents, Source
from assay.data.mask_files import MaskFiles
from assay.data.own_masks import VOID
from assay.data.targets import Masks
from assay.errors import AssayError
from assay.recipe import Data

CLASSES = ["ground", "disc", "cross"]
Opened = Callable[..., "cache.ImageSet"]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Pictures with masks, decoded; ``kept`` (or ``data.ignore``, …) are keys of ``data``."""
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    number = iter(range(1000))

    def make(
        masks: Sequence[np.ndarray] | Callable[[int], np.ndarray],
        pictures: Sequence[Image.Image | Path] | None = None,
        **data: object,
    ) -> "cache.ImageSet":
        if pictures is None:
            assert not callable(masks)
            pictures = [Image.fromarray(np.repeat(mask[:, :, None], 3, 2)) for mask in masks]
        n, read = len(pictures), masks if callable(masks) else masks.__getitem__
        shown = pictures

        def image(i: int) -> Image.Image:
            return Image.open(shown[i]) if isinstance(shown[i], Path) else shown[i].copy()

        contents = Contents(CLASSES, [f"p{i}" for i in range(n)], MaskFiles(read, n), np.zeros(n, bool), image)
        source = Source("the set", ["the set", next(number)], lambda: contents)
        monkeypatch.setattr(cache, "find", lambda *_: source)
        return open_images(Data.model_validate({"source": "x", **data}), tmp_path)

    return make


def drawn(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Two rectangles on the ground, and void at a corner."""
    mask = np.zeros((height, width), np.uint8)
    draw = np.random.default_rng(seed)
    for value in (1, 2):
        y, x = draw.integers(0, height // 2), draw.integers(0, width // 2)
        mask[y : y + height // 3, x : x + width // 3] = value
    mask[0, 0] = VOID
    return mask


def test_the_own_masks_of_pictures_of_many_sizes_are_as_they_were_read(opened: Opened) -> None:
    masks = [drawn(*size, seed) for seed, size in enumerate([(30, 40), (20, 20), (64, 16), (20, 24)])]
    targets = opened(masks, size=(20, 24), fit="letterbox").targets
    assert isinstance(targets, Masks)
    assert targets.values.shape == (4, 20, 24)
    for i, mask in enumerate(masks):
        np.testing.assert_array_equal(targets.own(i), mask)
        assert targets.counts[i].tolist() == np.bincount(mask.ravel(), minlength=256).tolist()
    np.testing.assert_array_equal(targets.values[3], masks[3])
    assert targets.pixels.size == sum(mask.size for mask in masks[:3])  # the fourth is the canvas, and kept once
    assert isinstance(targets.values, np.memmap)
    assert isinstance(targets.own(0).base, np.memmap)
    part = targets.subset(np.array([2, 3]))
    np.testing.assert_array_equal(part.own(0), masks[2])
    np.testing.assert_array_equal(part.own(1), masks[3])
    assert part.take(torch.tensor([1])).tolist() == [masks[3].tolist()]


def test_masks_in_the_size_of_their_pictures_are_kept_once(opened: Opened) -> None:
    masks = [drawn(12, 9, seed) for seed in range(3)]
    targets = opened(masks).targets
    assert targets.pixels.size == 0
    np.testing.assert_array_equal(targets.values, np.stack(masks))
    np.testing.assert_array_equal(targets.own(1), masks[1])


def test_files_and_what_the_cache_makes_of_them_say_the_same(opened: Opened) -> None:
    masks = [drawn(30, 40, seed) for seed in range(4)]
    masks[2][masks[2] == 2] = 0
    masks[3][:] = VOID
    masks[1][masks[1] == 2] = 0
    masks[1][5, 5] = 2  # one pixel, gone on the canvas
    files, kept = MaskFiles(masks.__getitem__, 4), opened(masks, size=4).targets
    assert not (kept.values[1] == 2).any()
    assert files.strata().tolist() == kept.strata().tolist() == [2, 2, 0, 3]
    assert [files.line(i) for i in range(4)] == [kept.line(i) for i in range(4)]
    assert [files.subset(np.array([3, 1])).line(i) for i in range(2)] == [files.line(3), files.line(1)]
    assert torch.equal(files.take(torch.tensor([2, 0])), torch.from_numpy(np.stack([masks[2], masks[0]])))


def test_masks_are_read_when_they_are_asked_for() -> None:
    read: list[int] = []

    def mask(i: int) -> np.ndarray:
        read.append(i)
        return np.full((2, 2), i, np.uint8)

    files = MaskFiles(mask, 9).subset(np.array([4, 7, 8])).subset(np.array([1, 2]))
    assert (len(files), read) == (2, [])
    assert files.own(1)[0, 0] == 8
    assert read == [8]


@pytest.mark.parametrize("skip", [False, True])
def test_a_mask_of_another_size_than_its_picture_is_refused_with_both(opened: Opened, skip: bool) -> None:
    masks = [drawn(12, 9), drawn(12, 8), drawn(12, 9)]
    pictures = [Image.new("L", (9, 12))] * 3
    if skip:
        images = opened(masks, pictures, on_bad_image="skip")
        assert (images.names, len(images.targets)) == (["p0", "p2"], 2)
        assert images.skipped == [("p1", "its mask is 12×8 and the picture itself 12×9, height×width")]
        return
    with pytest.raises(AssayError, match=r"p1 \(its mask is 12×8 and the picture itself 12×9, height×width\); mend"):
        opened(masks, pictures)


def test_a_value_without_a_class_is_refused(opened: Opened) -> None:
    with pytest.raises(AssayError, match=r"p0 \(its mask has the value 3, and the 3 classes are 0 to 2\)"):
        opened([np.full((4, 4), 3, np.uint8)])


def test_a_mask_that_cannot_be_read_costs_its_picture_and_a_sentence_about_the_source_all(opened: Opened) -> None:
    def read(i: int) -> np.ndarray:
        if i == 1:
            raise error
        return np.zeros((4, 4), np.uint8)

    pictures, error = [Image.new("L", (4, 4))] * 3, OSError("truncated")
    assert opened(read, pictures, on_bad_image="skip").skipped == [("p1", "truncated")]
    with pytest.raises(AssayError, match=r"p1 \(truncated\)"):
        opened(read, pictures)
    error = AssayError("the masks of the set are JPEG files")
    with pytest.raises(AssayError, match=r"^the masks of the set are JPEG files$"):
        opened(read, pictures, on_bad_image="skip")


def test_a_coloured_picture_after_gray_ones_leaves_every_mask_once(opened: Opened) -> None:
    masks = [drawn(8, 8, seed) for seed in range(3)]
    pictures = [Image.new("L", (8, 8)), Image.new("L", (8, 8)), Image.new("RGB", (8, 8), (9, 8, 7))]
    images = opened(masks, pictures, size=4)
    assert images.pixels.shape == (3, 3, 4, 4)
    assert images.targets.values.shape == (3, 4, 4)
    np.testing.assert_array_equal(images.targets.own(2), masks[2])


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40),
    st.sampled_from(["stretch", "letterbox"]), st.integers(0, 9),
)  # fmt: skip
def test_a_resize_never_makes_a_class_that_is_not_in_its_neighbourhood(
    h: int, w: int, height: int, width: int, fit: str, seed: int
) -> None:
    mask = np.random.default_rng(seed).integers(0, 250, (h, w), dtype=np.uint8)
    found = np.asarray(fitted(Image.fromarray(mask), (height, width), fit, Image.Resampling.NEAREST, VOID))
    rows, columns = ((found != VOID).any(axis) for axis in (1, 0))
    inside = found[np.ix_(rows, columns)]
    assert (inside != VOID).all()
    for y, x in np.ndindex(inside.shape):
        (top, below), (left, right) = (
            (at * own // taken, -(-(at + 1) * own // taken))
            for at, own, taken in zip((y, x), mask.shape, inside.shape, strict=True)
        )
        under = mask[top:below, left:right]
        assert inside[y, x] in under


def turned(path: Path, upright: Image.Image, orientation: int) -> Path:
    """A file that shows ``upright`` to who minds its EXIF orientation."""
    stored = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270, 3: Image.Transpose.ROTATE_180}
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright.transpose(stored[orientation]).save(path, exif=exif)
    return path


@pytest.mark.parametrize("as_stored", [False, True])
def test_masks_follow_pictures_that_exif_turns(opened: Opened, tmp_path: Path, as_stored: bool) -> None:
    upright = [drawn(12, 20, seed) for seed in range(3)]
    files = [
        turned(tmp_path / f"{o}.png", Image.fromarray(mask), o) for o, mask in zip((3, 6, 8), upright, strict=True)
    ]
    masks = [np.asarray(Image.open(path)) for path in files] if as_stored else upright
    images = opened(masks, files)
    for i, mask in enumerate(upright):
        np.testing.assert_array_equal(images.pixels[i, 0], mask)
        np.testing.assert_array_equal(images.targets.own(i), mask)


def test_without_a_picture_on_its_side_masks_lie_on_the_upright_pictures(opened: Opened, tmp_path: Path) -> None:
    upright = drawn(12, 20)
    images = opened([upright], [turned(tmp_path / "3.png", Image.fromarray(upright), 3)])
    np.testing.assert_array_equal(images.pixels[0, 0], upright)
    np.testing.assert_array_equal(images.targets.own(0), upright)


def test_padded_pictures_of_many_sizes_keep_their_scale_on_a_canvas_of_the_largest(
    opened: Opened, tmp_path: Path
) -> None:
    masks = [drawn(12, 20, 0), drawn(30, 8, 1), drawn(9, 9, 2)]
    pictures = [turned(tmp_path / "6.png", Image.fromarray(masks[0]), 6), *map(Image.fromarray, masks[1:])]
    images = opened(masks, pictures, fit="pad")
    assert images.pixels.shape == (3, 1, 30, 20)
    for mask, (h, w), (y, x), pixels, canvas in zip(
        masks, *images.inside, images.pixels, images.targets.values, strict=True
    ):
        assert (h, w) == mask.shape
        np.testing.assert_array_equal(pixels[0, y : y + h, x : x + w], mask)
        np.testing.assert_array_equal(canvas[y : y + h, x : x + w], mask)
        assert (canvas != VOID).sum() == (mask != VOID).sum()
    part = open_images(Data(source="x", fit="pad"), tmp_path, rows=np.array([2]))
    assert part.pixels.shape == (1, 1, 30, 20)  # a part of a source lies on the canvas of all of it


def test_padding_to_a_size_shrinks_what_is_larger(opened: Opened) -> None:
    images = opened([drawn(40, 20), drawn(8, 9)], size=(10, 12), fit="pad")
    assert [part.tolist() for part in images.inside] == [[[10, 5], [8, 9]], [[0, 3], [1, 1]]]


def test_padded_pictures_have_the_limit_of_pictures_in_their_own_size(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_DECODED_LIMIT", "0.000001")
    with pytest.raises(AssayError, match=r"take .* GiB in their own size, 40×20.*set data\.size"):
        opened([drawn(40, 20), drawn(8, 9)], fit="pad")


def test_threads_bring_every_mask_to_its_picture(opened: Opened) -> None:
    masks = [drawn(300, 280 + i, i) for i in range(40)]
    images = opened(masks, size=(60, 56))
    for i, mask in enumerate(masks):
        np.testing.assert_array_equal(images.targets.own(i), mask)
        there = np.asarray(Image.fromarray(mask).resize((56, 60), Image.Resampling.NEAREST))
        np.testing.assert_array_equal(images.targets.values[i], there)
