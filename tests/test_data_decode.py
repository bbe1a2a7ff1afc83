"""One picture to bytes: depth, palette, transparency, orientation, resampling."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from assay.data.decode import Form, decode


def reopened(image: Image.Image, kind: str = "PNG", **options: object) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    buffer.seek(0)
    return Image.open(buffer)


RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def test_gray_and_rgb_come_through_unchanged() -> None:
    np.testing.assert_array_equal(decode(reopened(Image.fromarray(RAMP)), Form()).pixels, RAMP[None])
    rgb = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=-1)
    np.testing.assert_array_equal(decode(reopened(Image.fromarray(rgb)), Form()).pixels, rgb.transpose(2, 0, 1))


def test_sixteen_bits_are_scaled_to_eight() -> None:
    values = np.array([[0, 128, 129, 257, 32768, 65535]], dtype=np.uint16)
    assert decode(reopened(Image.fromarray(values)), Form()).pixels.tolist() == [[[0, 0, 1, 1, 128, 255]]]


def test_every_eight_bit_value_survives_sixteen_bits() -> None:
    wide = RAMP.astype(np.uint16) * 257
    np.testing.assert_array_equal(decode(reopened(Image.fromarray(wide)), Form()).pixels[0], RAMP)


def test_one_bit_becomes_black_and_white() -> None:
    image = Image.fromarray(RAMP >= 128)
    assert image.mode == "1"
    np.testing.assert_array_equal(decode(reopened(image), Form()).pixels[0], np.where(RAMP >= 128, 255, 0))


def test_a_coloured_palette_becomes_rgb_and_a_gray_one_gray() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    assert decode(reopened(image), Form()).pixels[:, 0].tolist() == [[255, 0], [0, 0], [0, 255]]
    image.putpalette([10, 10, 10, 200, 200, 200])
    assert decode(reopened(image), Form()).pixels.tolist() == [[[10, 200]]]


def test_transparency_lies_on_black() -> None:
    pixels = np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 128]]], dtype=np.uint8)
    found = decode(reopened(Image.fromarray(pixels, "RGBA")), Form()).pixels
    assert found[:, 0, :2].tolist() == [[200, 0], [100, 0], [50, 0]]
    np.testing.assert_allclose(found[:, 0, 2], [100, 50, 25], atol=1)


def test_gray_with_transparency_stays_gray() -> None:
    found = decode(reopened(Image.fromarray(np.array([[[90, 255], [90, 0]]], dtype=np.uint8), "LA")), Form()).pixels
    assert found.tolist() == [[[90, 0]]]


def test_cmyk_becomes_rgb() -> None:
    assert decode(reopened(Image.new("CMYK", (2, 2)), "JPEG"), Form()).pixels.shape == (3, 2, 2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(orientation: int) -> None:
    upright = np.zeros((8, 16), np.uint8)
    upright[:4, :8] = 255  # the bright quarter is top left
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.T, 6: np.rot90(upright), 7: np.rot90(upright.T, 2), 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decode(
        reopened(Image.fromarray(np.ascontiguousarray(stored)), "JPEG", exif=exif, quality=100), Form()
    ).pixels
    assert found.shape == (1, 8, 16)
    np.testing.assert_allclose(found[0], upright, atol=3)


def test_resampling_is_antialiased_bilinear_as_torch_does_it() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    ours = decode(Image.fromarray(pixels), Form(size=(13, 17))).pixels
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(pixels)[None, None].float(), (13, 17), mode="bilinear", antialias=True, align_corners=False
    )
    assert np.abs(ours[0].astype(float) - theirs[0, 0].numpy()).max() <= 1.0


def test_a_checkerboard_shrinks_to_gray() -> None:
    board = (np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)
    assert np.abs(decode(Image.fromarray(board), Form(size=(8, 8))).pixels.astype(int)[0, 1:-1, 1:-1] - 127).max() <= 2


@pytest.mark.parametrize(
    "pixels", [np.zeros((2, 2), np.float32), np.full((2, 2), 70000, np.int32), np.full((2, 2), -1, np.int32)]
)
def test_pixels_without_a_known_range_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"floating|16 bits"):
        decode(reopened(Image.fromarray(pixels), "TIFF"), Form())


def test_the_first_frame_of_an_animation_is_taken() -> None:
    first, second = Image.new("L", (3, 3), 10), Image.new("L", (3, 3), 200)
    found = decode(reopened(first, "GIF", save_all=True, append_images=[second]), Form()).pixels
    assert found.tolist() == [[[10] * 3] * 3]
