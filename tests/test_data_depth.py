"""Pictures of more than 8 bits: what they hold, the range that becomes black and white, and that it is told."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from assay.data import ImageSet, cache, open_images
from assay.data.depth import FULL, eight_bits
from assay.data.remarks import remarks
from assay.errors import AssayError
from assay.recipe import Data

TEN_BITS = np.array([[0, 4, 100], [512, 1016, 1020]])
AS_BYTES = [[0, 1, 25], [128, 254, 255]]
"""By hand: a quarter of each, for 1020 / 4 is 255."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


def save(path: Path, pixels: np.ndarray, kind: type = np.uint16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(kind)).save(path)


def opened(root: Path, **data: object) -> ImageSet:
    return open_images(Data.model_validate({"source": "set", **data}), root)


@pytest.mark.parametrize(
    ("pixels", "kind", "ending"),
    [
        (TEN_BITS, np.uint16, "png"),
        (TEN_BITS, np.uint16, "tif"),
        (TEN_BITS, np.uint16, "jp2"),
        (TEN_BITS, np.int32, "tif"),
        (TEN_BITS - 1000, np.int32, "tif"),
        (TEN_BITS * 100, np.int32, "tif"),
        (TEN_BITS + 32768, np.uint16, "png"),
        (TEN_BITS / 1020, np.float32, "tif"),
    ],
)
def test_the_range_is_found_over_the_pictures(tmp_path: Path, pixels: np.ndarray, kind: type, ending: str) -> None:
    save(tmp_path / "set" / "a" / f"1.{ending}", pixels, kind)
    save(tmp_path / "set" / "b" / f"1.{ending}", np.full((2, 3), pixels[1, 0]), kind)
    images = opened(tmp_path)
    assert images.pixels.tolist() == [[AS_BYTES], [np.full((2, 3), 128).tolist()]]
    assert images.range == pytest.approx((pixels.min(), pixels.max()))


def test_the_range_is_of_the_training_images_and_others_are_cut_off_at_its_ends(tmp_path: Path) -> None:
    for label in "ab":
        save(tmp_path / "set" / "train" / label / "1.png", TEN_BITS + 100)
        save(tmp_path / "set" / "test" / label / "1.png", np.array([[0, 100, 5000], [0, 1120, 65535]]))
    images = opened(tmp_path)
    assert images.range == (100, 1120)
    assert images.pixels[images.is_test].tolist() == [[[[0, 0, 255], [0, 255, 255]]]] * 2


def test_a_range_that_no_training_image_tells_is_asked_for(tmp_path: Path) -> None:
    for label in "ab":
        save(tmp_path / "set" / "train" / label / "1.png", np.zeros((2, 3)), np.uint8)
        save(tmp_path / "set" / "test" / label / "1.png", TEN_BITS)
    with pytest.raises(AssayError, match=r"none of those to train on.*set data\.range: full, or \[low, high\]"):
        opened(tmp_path)
    assert opened(tmp_path, range=[0, 1020]).pixels[images_of_test].tolist() == [[AS_BYTES]] * 2


images_of_test = [0, 1]
"""test/ comes before train/."""


def test_a_stated_range_is_another_entry_and_cuts_off(tmp_path: Path, folder: Path) -> None:
    for label in "ab":
        save(tmp_path / "set" / label / "1.png", TEN_BITS)
    stated = opened(tmp_path, range=[100, 610])
    assert stated.pixels[0].tolist() == [[[0, 0, 0], [206, 255, 255]]]
    assert stated.range == (100, 610)
    whole = opened(tmp_path, range="full")
    assert whole.pixels[0].tolist() == [[[0, 0, 0], [2, 4, 4]]]
    assert whole.range == "full"
    assert opened(tmp_path).pixels[0].tolist() == [AS_BYTES]
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("stated", ["full", "data"])
def test_pictures_of_8_bits_are_left_as_they_are(tmp_path: Path, stated: str) -> None:
    pixels = np.random.default_rng(0).integers(40, 90, (2, 5, 7, 3), np.uint8)
    for label, each in zip("ab", pixels, strict=True):
        save(tmp_path / "set" / label / "1.png", each, np.uint8)
    images = opened(tmp_path, range=stated)
    np.testing.assert_array_equal(images.pixels, pixels.transpose(0, 3, 1, 2))
    assert images.range is None
    assert remarks(images) == []


def test_a_stated_range_of_pictures_of_8_bits_is_refused(tmp_path: Path) -> None:
    for label in "ab":
        save(tmp_path / "set" / label / "1.png", TEN_BITS / 4, np.uint8)
    with pytest.raises(AssayError, match=r"data\.range: 0…100 is of pictures with more than 8 bits"):
        opened(tmp_path, range=[0, 100])


@pytest.mark.parametrize("value", ["half", [5], [5, 5], [9, 1], [0, float("inf")], ["a", "b"], [True, 3], 7])
def test_what_is_no_range_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"expected full, data, or the values that become black and white"):
        Data.model_validate({"source": "set", "range": value})


def png16(pixels: np.ndarray, kind: int) -> bytes:
    """A PNG of 16 bits by the letter of the specification, since Pillow writes none in colour."""

    def part(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(lines)) + part(b"IEND", b"")


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_both_bytes_of_colour_and_of_gray_beside_transparency_are_read(
    tmp_path: Path, kind: int, channels: int
) -> None:
    pixels = np.repeat(TEN_BITS[..., None], channels, axis=-1).astype(np.uint16)
    if channels == 3:
        pixels[0, 1] = (4, 400, 40)
    else:
        pixels[..., -1] = 65535
    for label in "ab":
        path = tmp_path / "set" / label / "1.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(png16(pixels, kind))
    found = opened(tmp_path).pixels[0]
    assert len(found) == (1 if channels == 2 else 3)
    assert found[0].tolist() == AS_BYTES
    if channels == 3:
        assert found[:, 0, 1].tolist() == [1, 100, 10]


def test_deep_transparency_lies_on_black(tmp_path: Path) -> None:
    pixels = np.array([[[1020, 65535], [1020, 0], [0, 65535]]])
    for label in "ab":
        path = tmp_path / "set" / label / "1.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(png16(pixels, 4))
    assert opened(tmp_path).pixels[0].tolist() == [[[255, 0, 0]]]


def test_a_deep_picture_is_turned_upright(tmp_path: Path) -> None:
    for label, ending in (("a", "png"), ("b", "tif")):
        path = tmp_path / "set" / label / f"1.{ending}"
        path.parent.mkdir(parents=True)
        exif = Image.Exif()
        exif[0x0112] = 3
        Image.fromarray(TEN_BITS[::-1, ::-1].astype(np.uint16)).save(path, exif=exif)
    assert opened(tmp_path).pixels.tolist() == [[AS_BYTES]] * 2


def test_values_that_are_no_numbers_make_a_bad_picture(tmp_path: Path) -> None:
    for label in "ab":
        save(tmp_path / "set" / label / "1.tif", TEN_BITS, np.float32)
    save(tmp_path / "set" / "a" / "2.tif", np.array([[0, np.nan, 1e9]]), np.float32)
    with pytest.raises(AssayError, match=r"a/2\.tif \(some of its values are no numbers"):
        opened(tmp_path)
    assert opened(tmp_path, on_bad_image="skip").range == (0, 1020)


@pytest.mark.parametrize("pixels", [TEN_BITS / 1020, TEN_BITS - 5, TEN_BITS * 100])
def test_the_full_range_is_of_16_bits(tmp_path: Path, pixels: np.ndarray) -> None:
    kind = np.float32 if pixels.dtype.kind == "f" else np.int32
    for label in "ab":
        save(tmp_path / "set" / label / "1.tif", pixels, kind)
    with pytest.raises(AssayError, match=r"data\.range: full"):
        opened(tmp_path, range="full")


def test_the_full_range_is_what_it_was_before_there_was_a_choice() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(np.asarray(eight_bits(values, "full")), (values.astype(int) + 128) // 257)
    np.testing.assert_array_equal(np.asarray(eight_bits(values, FULL)), np.asarray(eight_bits(values, "full")))


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6), st.floats(0, 1))
def test_a_value_becomes_the_nearest_of_256_levels(low: int, width: int, share: float) -> None:
    value = low + round(share * width)
    (level,) = np.asarray(eight_bits(np.array([[value]]), (float(low), float(low + width)))).ravel().tolist()
    assert abs(level - 255 * (value - low) / width) <= 0.5 + 1e-9


def test_the_range_and_pictures_that_show_nothing_are_told(tmp_path: Path) -> None:
    for label in "ab":
        save(tmp_path / "set" / label / "1.png", TEN_BITS)
    save(tmp_path / "set" / "a" / "flat.png", np.full((2, 3), 7))
    save(tmp_path / "set" / "a" / "nearly.png", 7 + 32 * (TEN_BITS > 500))
    where = tmp_path / "set"
    assert remarks(opened(tmp_path)) == [
        f"pictures of {where} have more than 8 bits a value: 0…1,020 of them became 0…255 (data.range)",
        f"1 of 4 pictures of {where} (a/flat.png): of one colour throughout; data.range says which of their values "
        "matter",
        f"1 of 4 pictures of {where} (a/nearly.png): nearly constant, within 8 of 256 levels; data.range says which of "
        "their values matter",
    ]
    dark = remarks(opened(tmp_path, range=[0, 65535]))
    assert [remark.split(" of ")[0] for remark in dark[1:]] == ["2", "2"]  # two black, two within four levels


def test_constant_pictures_of_8_bits_are_told(tmp_path: Path) -> None:
    save(tmp_path / "set" / "a" / "1.png", np.eye(3)[None] * 9, np.uint8)
    save(tmp_path / "set" / "b" / "1.png", np.full((1, 3, 3), (255, 0, 0)), np.uint8)
    assert remarks(opened(tmp_path)) == [f"1 of 2 pictures of {tmp_path / 'set'} (b/1.png): of one colour throughout"]


def test_pictures_of_8_bits_beside_deeper_ones_stay_and_the_others_are_told(tmp_path: Path) -> None:
    save(tmp_path / "set" / "a" / "1.png", np.array([[3, 50, 90]]), np.uint8)
    save(tmp_path / "set" / "b" / "1.png", np.array([[0, 4, 1020]]))
    images = opened(tmp_path)
    assert images.pixels.tolist() == [[[[3, 50, 90]]], [[[0, 1, 255]]]]
    assert remarks(images)[-1] == (
        f"1 of 2 pictures of {tmp_path / 'set'} (b/1.png): more than 8 bits a value, unlike the others, which are left "
        "as they are"
    )


def test_a_range_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for label in "ab":
        save(tmp_path / "set" / label / "1.png", TEN_BITS)
    first = opened(tmp_path)
    monkeypatch.setattr(cache, "write_pixels", None)
    assert opened(tmp_path).range == first.range == (0, 1020)
