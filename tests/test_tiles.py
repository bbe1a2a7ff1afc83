"""Maps put together from tiles, and what a recipe may ask for of them."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from assay.after.around import around, idle
from assay.after.crf import Sharpened, sharpened
from assay.after.tiles import Tiled, fall, starts
from assay.recipe import Predict, Recipe
from assay.recipe.crf import Crf
from assay.recipe.validation import mistakes


@given(st.integers(1, 300), st.integers(1, 120), st.floats(0, 0.9))
def test_parts_cover_a_side_and_share_what_is_asked(whole: int, part: int, overlap: float) -> None:
    part = min(part, whole)
    found = starts(whole, part, overlap)
    assert (found[0], found[-1]) == (0, whole - part)
    apart = [after - before for before, after in pairwise(found)]
    assert all(0 < step <= max(1, part * (1 - overlap)) + 1 for step in apart)
    assert all(step <= part for step in apart)


def test_parts_are_the_fewest_and_even() -> None:
    assert starts(10, 10, 0.5) == [0]
    assert starts(1040, 480, 0.25) == [0, 280, 560]
    assert starts(100, 50, 0.0) == [0, 50]


def test_a_map_of_each_pixel_alone_is_the_same_in_tiles() -> None:
    draw = torch.Generator().manual_seed(0)
    network = nn.Conv2d(3, 4, 1)
    images = torch.randn(2, 3, 50, 37, generator=draw)
    with torch.no_grad():
        assert torch.allclose(Tiled(network, (16, 20), 0.25)(images), network(images), atol=1e-5)
        assert torch.equal(Tiled(network, (64, 64), 0.25)(images), network(images))
        assert torch.allclose(Tiled(network, (64, 20), 0.25)(images), network(images), atol=1e-5)


class Constant(nn.Module):
    """The number of the call, everywhere."""

    calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return torch.full((len(images), 1, *images.shape[2:]), float(self.calls))


def test_tiles_count_by_a_gaussian_around_their_middles() -> None:
    (row,) = Tiled(Constant(), (1, 8), 0.5)(torch.zeros(1, 1, 1, 12))[0, 0]
    assert row[:4].tolist() == [1] * 4
    assert row[8:].tolist() == [2] * 4
    one, other = fall(8)[4:], fall(8)[:4]
    assert row[4:8].tolist() == pytest.approx(((one + 2 * other) / (one + other)).tolist())
    assert fall(8)[5] == pytest.approx(torch.exp(torch.tensor(-(1.5**2) / 2)).item())


def test_tiles_of_a_large_picture_say_what_the_whole_says_away_from_rims() -> None:
    """A network that sees 15 pixels around, on 1388 × 1040."""
    torch.manual_seed(0)

    def far(channels: int, filters: int, pixels: int) -> nn.Module:
        return nn.Conv2d(channels, filters, 3, padding=pixels, dilation=pixels)

    network = nn.Sequential(far(3, 8, 3), nn.ReLU(), far(8, 8, 4), nn.ReLU(), far(8, 5, 8)).eval()
    images = torch.nn.functional.interpolate(torch.randn(1, 3, 130, 174), (1040, 1388), mode="bilinear")
    with torch.inference_mode():
        whole = network(images)
        tiled = Tiled(network, (480, 480), 0.25)(images)
    assert (whole.argmax(1) == tiled.argmax(1)).float().mean() > 0.999
    assert whole.argmax(1).unique().numel() > 1


TILED_ALONE = """
import torch
from assay.after.tiles import Tiled
network = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3, padding=1), torch.nn.Conv2d(64, 12, 3, padding=1)).eval()
with torch.inference_mode():
    assert Tiled(network, (480, 480), 0.25)(torch.zeros(1, 3, 1040, 1388)).shape == (1, 12, 1040, 1388)
print(open("/proc/self/status").read())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel tells no process its peak memory")
def test_tiles_of_a_large_picture_need_no_more_memory_than_a_process_of_2_gib() -> None:
    said = subprocess.run([sys.executable, "-c", TILED_ALONE], capture_output=True, text=True, check=True).stdout
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", said)
    assert int(peak) < 2 * 2**20


def test_colours_of_the_field_are_those_of_the_pictures() -> None:
    draw = torch.Generator().manual_seed(1)
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
    colours = torch.randint(0, 256, (2, 3, 12, 10), generator=draw).float()
    images = (colours / 255 - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)
    network = nn.Conv2d(3, 4, 3, padding=1)
    with torch.no_grad():
        found = around(network, Predict(crf=Crf(color=60)), mean, std)(images)
        for one, logits, each in zip(found, network(images), colours, strict=True):
            assert torch.allclose(one, sharpened(logits, each, Crf(color=60)), atol=1e-2)
    assert found.exp().sum(1).flatten().tolist() == pytest.approx([1.0] * 240, abs=1e-5)


def test_what_is_asked_is_put_around_from_the_inside() -> None:
    network = nn.Identity()
    found = around(network, Predict(flip=True, tile=(4, 8), overlap=0.5, crf=Crf()), [0.0], [1.0])
    assert isinstance(found, Tiled)
    assert (found.tile, found.overlap) == ((4, 8), 0.5)
    assert isinstance(found.network, Sharpened)
    assert found.network.network.network is network  # type: ignore[union-attr]
    square = around(network, Predict(tile=4), [0.0], [1.0])
    assert isinstance(square, Tiled)
    assert square.tile == (4, 4)
    assert around(network, Predict(crf="tune"), [0.0], [1.0]) is network


BASE: dict[str, Any] = {"data": {"source": "digits"}, "model": {"name": "cnn", "channels": [4]}}


def test_none_is_nothing_and_settings_are_written_out() -> None:
    plain = Predict.model_validate({"tile": "none", "crf": "none"})
    assert plain == Predict()
    assert plain.model_dump(mode="json") == {}
    asked = Predict.model_validate({"tile": [480, 640], "crf": {"color": 8}})
    assert asked.crf == Crf(color=8)
    assert Predict.model_validate(asked.model_dump(mode="json")) == asked
    assert Predict.model_validate({"crf": "tune"}).asks


@pytest.mark.parametrize(
    ("predict", "said"),
    [
        ({"tile": 64}, "predict.tile is of one class a pixel; task classification has one label an image"),
        ({"crf": "tune"}, "predict.crf is of one class a pixel; task classification has one label an image"),
        ({"overlap": 0.5}, "predict: overlap is of tiles, and the key tile is missing"),
        ({"tile": 0}, "predict.tile: found 0, expected none, or height and width in pixels"),
        ({"crf": {"colour": 3}}, "unknown key 'predict.crf.colour'; did you mean 'color'?"),
        ({"crf": "tuned"}, "predict.crf: found 'tuned', expected none, tune, or settings such as bilateral: 3"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(predict: dict[str, Any], said: str) -> None:
    (line,) = mistakes(Recipe, BASE | {"predict": predict})
    assert said in line


@pytest.mark.parametrize(("tile", "is_idle"), [(64, True), ((32, 48), True), ((64, 40), False), (None, False)])
def test_a_tile_that_holds_whole_images_is_told_to_change_nothing(tile: object, is_idle: bool) -> None:
    said = idle(Predict.model_validate({"tile": tile}), (32, 48))
    assert len(said) == is_idle
    assert all(one.endswith("is no smaller than the images, 32×48 (height×width), and changes nothing") for one in said)


@pytest.mark.parametrize(("spatial", "is_idle"), [(0, True), (1, False)])
def test_a_field_without_weights_is_told_to_change_nothing(spatial: float, is_idle: bool) -> None:
    said = idle(Predict.model_validate({"crf": {"bilateral": 0, "spatial": spatial}}), (32, 48))
    assert said == ["predict.crf: both of its weights are 0, and it changes nothing"] * is_idle
