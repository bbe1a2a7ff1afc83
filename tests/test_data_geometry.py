"""The canvas: where a picture lies on it, and boxes there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from assay.data.decode import Form, decode, fitted
from assay.data.geometry import inner, onto_canvas, onto_source, placed
from assay.data.targets import VOID
from assay.recipe import Data
from assay.recipe.data import Fit

SIDE = st.integers(1, 4000)


def pixels_of(picture: Image.Image, size: tuple[int, int], fit: Fit) -> np.ndarray:
    return decode(picture, Form(size=size, fit=fit)).pixels


@pytest.mark.parametrize(
    ("size", "canvas", "expected"),
    [
        ((100, 200), (50, 50), ([25, 50], [12, 0])),  # wide: black above and below, the odd row below
        ((200, 100), (50, 50), ([50, 25], [0, 12])),
        ((30, 40), (60, 80), ([60, 80], [0, 0])),
        ((1, 4000), (32, 32), ([1, 32], [15, 0])),  # never without a pixel
        ((10, 10), (20, 31), ([20, 20], [0, 5])),
    ],
)
def test_a_letterboxed_picture_keeps_its_ratio_in_the_middle(
    size: tuple[int, int], canvas: tuple[int, int], expected: tuple[list[int], list[int]]
) -> None:
    taken, first = inner(np.array([size]), canvas, "letterbox")
    assert (taken[0].tolist(), first[0].tolist()) == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [((100, 200), ([25, 50], [12, 0])), ((10, 21), ([10, 21], [20, 14])), ((50, 30), ([50, 30], [0, 10]))],
)
def test_a_padded_picture_is_never_enlarged(size: tuple[int, int], expected: tuple[list[int], list[int]]) -> None:
    taken, first = inner(np.array([size]), (50, 50), "pad")
    assert (taken[0].tolist(), first[0].tolist()) == expected


def test_a_stretched_picture_fills_the_canvas() -> None:
    scale, offset = placed(np.array([[100, 200], [50, 50]]), (50, 60), "stretch")
    assert scale.tolist() == [[0.3, 0.5], [1.2, 1.0]]
    assert offset.tolist() == [[0, 0], [0, 0]]


def test_a_box_on_the_canvas_by_hand() -> None:
    scale, offset = placed(np.array([[100, 200]]), (50, 50), "letterbox")
    edges = np.array([[20, 40, 200, 100]], np.float32)
    assert onto_canvas(edges, scale, offset).tolist() == [[5, 22, 50, 37]]


@given(st.data(), SIDE, SIDE, st.integers(16, 1024), st.sampled_from(["stretch", "letterbox", "pad"]))
def test_there_and_back(data: st.DataObject, h: int, w: int, side: int, fit: str) -> None:
    x, y = (sorted(data.draw(st.tuples(*[st.floats(0, most, width=32)] * 2))) for most in (w, h))
    edges = np.array([[x[0], y[0], x[1], y[1]]], np.float32)
    scale, offset = placed(np.array([[h, w]]), (side, side), fit)  # type: ignore[arg-type]
    there = onto_canvas(edges, scale, offset)
    assert (there >= 0).all()
    assert (there <= side).all()
    np.testing.assert_allclose(onto_source(there, scale, offset), edges, rtol=0, atol=1e-3)


def test_a_decoded_picture_lies_where_its_boxes_do() -> None:
    pixels = np.zeros((60, 120), np.uint8)
    pixels[12:42, 36:96] = 255
    canvas = pixels_of(Image.fromarray(pixels), (40, 40), "letterbox")[0]
    scale, offset = placed(np.array([[60, 120]]), (40, 40), "letterbox")
    x1, y1, x2, y2 = onto_canvas(np.array([[36, 12, 96, 42]], np.float32), scale, offset)[0].astype(int)
    assert (x1, y1, x2, y2) == (12, 14, 32, 24)
    bright = np.zeros((40, 40), bool)
    bright[y1:y2, x1:x2] = True
    np.testing.assert_array_equal(canvas > 127, bright)
    assert not canvas[:10].any()
    assert not canvas[30:].any()


def test_a_letterboxed_colour_picture_has_black_around_it_and_a_mask_void() -> None:
    red = pixels_of(Image.new("RGB", (20, 10), (200, 7, 3)), (16, 16), "letterbox")
    assert red[:, 8, 8].tolist() == [200, 7, 3]
    assert red[:, 0, 0].tolist() == [0, 0, 0]
    mask = fitted(Image.new("L", (20, 10), 5), (16, 16), "letterbox", Image.Resampling.NEAREST, VOID)
    rows = np.asarray(mask)
    assert (rows[4:12] == 5).all()
    assert (np.delete(rows, np.s_[4:12], axis=0) == VOID).all()


def test_a_picture_of_the_canvas_own_ratio_is_the_same_either_way() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40), dtype=np.uint8))
    stretched, boxed = (pixels_of(picture, (15, 20), fit) for fit in ("stretch", "letterbox"))
    np.testing.assert_array_equal(stretched, boxed)


def test_stretch_is_not_written_out() -> None:
    assert "fit" not in Data(source="x").model_dump()
    assert "fit" not in Data(source="x", fit="stretch").model_dump()
    assert Data(source="x", fit="letterbox").model_dump()["fit"] == "letterbox"
