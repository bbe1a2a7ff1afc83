"""The dense conditional random field against sums over all pairs of pixels in double precision."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, one_hot

from assay.after.crf import sharpened
from assay.after.grid import filtered, grid
from assay.recipe.crf import Crf

SIDE, CLASSES = 40, 5


def pair(features: Tensor) -> Tensor:
    """exp(−|f_i − f_j|² / 2) / √(D_i D_j), D the sums of the rows."""
    kernel = torch.exp(-torch.cdist(features, features).square() / 2)
    scale = kernel.sum(dim=1).rsqrt()
    return scale[:, None] * kernel * scale


def exact(logits: Tensor, colours: Tensor, crf: Crf) -> Tensor:
    """Mean field over all pairs, in float64."""
    height, width = logits.shape[1:]
    place = torch.cartesian_prod(torch.arange(height).double(), torch.arange(width).double())
    both = torch.cat([place / crf.position, colours.flatten(1).T.double() / crf.color], dim=1)
    kernel = crf.bilateral * pair(both) + crf.spatial * pair(place / crf.sigma)
    unary = logits.flatten(1).T.double().log_softmax(dim=1)
    said = unary.exp()
    for _ in range(crf.iterations):
        said = (unary + kernel @ said).softmax(dim=1)
    return said.T.reshape(logits.shape)


def scene(seed: int, channels: int = 3) -> tuple[Tensor, Tensor]:
    """A picture of blobs of a colour each, with texture and shading, and the coarse, partly wrong logits that a network
    would give of it."""
    draw = torch.Generator().manual_seed(seed)
    smooth = interpolate(torch.randn(1, CLASSES, 6, 6, generator=draw), (SIDE, SIDE), mode="bicubic")[0]
    truth = smooth.argmax(dim=0)
    colours = (255 * torch.rand(CLASSES, channels, generator=draw))[truth].permute(2, 0, 1)
    colours = colours + 4 * torch.randn(colours.shape, generator=draw) + torch.linspace(-8, 8, SIDE)
    coarse = avg_pool2d(one_hot(truth, CLASSES).permute(2, 0, 1).float()[None], 5)
    coarse = coarse + 0.2 * torch.randn(coarse.shape, generator=draw)
    return 4 * interpolate(coarse, (SIDE, SIDE), mode="bilinear")[0], colours.clamp(0, 255)


SETTINGS = (Crf(), Crf(position=80, color=13, bilateral=5), Crf(position=10, color=10, spatial=3), Crf(spatial=0))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("crf", SETTINGS, ids=str)
def test_labels_are_those_of_exact_mean_field(crf: Crf, seed: int) -> None:
    logits, colours = scene(seed)
    found, right = sharpened(logits, colours, crf), exact(logits, colours, crf)
    assert (found.argmax(dim=0) == right.argmax(dim=0)).double().mean() >= 0.98
    assert (right.argmax(dim=0) != logits.argmax(dim=0)).double().mean() > 0.01
    assert (found.exp() - right).abs().mean() < 0.01


def test_a_gray_picture_is_one_colour_axis() -> None:
    logits, colours = scene(3, channels=1)
    found, right = sharpened(logits, colours, Crf()), exact(logits, colours, Crf())
    assert (found.argmax(dim=0) == right.argmax(dim=0)).double().mean() >= 0.98


def test_places_alone_are_a_short_convolution_and_exact() -> None:
    logits, colours = scene(4)
    crf = Crf(bilateral=0, spatial=2, sigma=1.5)
    assert torch.allclose(sharpened(logits, colours, crf).exp(), exact(logits, colours, crf).float(), atol=1e-4)


def test_without_votes_nothing_changes() -> None:
    logits, colours = scene(5)
    found = sharpened(logits, colours, Crf(bilateral=0, spatial=0))
    assert torch.allclose(found, logits.log_softmax(dim=0), atol=1e-5)


def test_a_pixel_takes_the_class_of_its_colour() -> None:
    colours = torch.zeros(3, 20, 20)
    colours[:, :, 10:] = 200.0
    logits = torch.stack([torch.where(colours[0] > 0, -1.0, 1.0), torch.zeros(20, 20)])
    logits[0, 5, 4], logits[0, 5, 15] = -0.5, 0.5  # wrong, and surrounded by their like
    found = sharpened(logits, colours, Crf()).argmax(dim=0)
    assert torch.equal(found, (colours[0] > 0).long())


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31), st.integers(1, 5), st.integers(1, 200))
def test_a_filter_is_near_the_sum_over_all_pairs(seed: int, axes: int, points: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    places = torch.randn(points, axes, generator=draw)
    values = torch.rand(points, 2, generator=draw)
    found = filtered(values, on := grid(places)) / filtered(torch.ones(points, 1), on)
    kernel = torch.exp(-torch.cdist(places.double(), places.double()).square() / 2)
    right = (kernel @ values.double()) / kernel.sum(dim=1, keepdim=True)
    assert (found - right).abs().mean() < 0.05
    assert found.min() >= values.min() - 1e-5
    assert found.max() <= values.max() + 1e-5


def test_far_points_do_not_hear_each_other_and_places_may_be_anywhere() -> None:
    places = torch.tensor([[-1e4, 3.0], [1e4, -7.0], [1e4, -7.0]])
    found = filtered(torch.tensor([[1.0], [5.0], [7.0]]), on := grid(places))
    alone = filtered(torch.ones(1, 1), grid(places[:1]))
    assert found[0].item() == pytest.approx(alone.item())
    assert found[1].item() == found[2].item()
    assert (found / filtered(torch.ones(3, 1), on)).flatten().tolist() == pytest.approx([1, 6, 6])


def test_a_filter_falls_like_a_gaussian() -> None:
    distances = torch.linspace(0, 3, 13)
    starts = np.linspace(0, 1, 21)[:-1]
    rows = []
    for start in starts.tolist():
        places = (start + torch.cat([torch.zeros(1), distances]))[:, None]
        middle = torch.arange(start - 4, start + 4, 0.05)[:, None]  # so that no cell is missing
        values = torch.zeros(len(places) + len(middle), 1)
        values[0] = 1
        rows.append(filtered(values, grid(torch.cat([places, middle])))[1 : len(places), 0])
    falls = torch.stack(rows).mean(dim=0)
    expected = [math.exp(-(d**2) / 2) for d in distances.tolist()]
    assert (falls / falls[0]).tolist() == pytest.approx(expected, abs=0.06)
