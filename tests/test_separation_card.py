"""Neighbours on a card are those of the processor, to the last bit. Without a card both sides are the processor's."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from assay.separation import layers, nearest_neighbors
from assay.separation.on_card import squared_distances, summed
from assay.separation.samples import samples


@given(st.integers(1, 3000), st.integers(0, 2**32 - 1))
def test_sums_are_numpys_to_the_bit(width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = (rng.standard_normal((3, width)) * 10.0 ** rng.integers(-9, 9, (3, width))) ** 2
    assert np.array_equal(rows.sum(axis=1), summed(torch.from_numpy(rows)).numpy())


@pytest.mark.parametrize("width", [25_088, 32_768, 100_352])
def test_sums_of_wide_rows_too(width: int) -> None:
    rows = np.random.default_rng(0).random((2, width))
    assert np.array_equal(rows.sum(axis=1), summed(torch.from_numpy(rows)).numpy())


def test_distances_of_pairs_are_numpys(device: torch.device) -> None:
    x = np.random.default_rng(0).standard_normal((40, 300)).astype(np.float32)
    data = samples(torch.from_numpy(x).to(device))
    i, j = np.arange(40), np.arange(40)[::-1].copy()
    expected = ((x[i].astype(np.float64) - x[j].astype(np.float64)) ** 2).sum(axis=1)
    assert np.array_equal(squared_distances(data, i, data, j), expected)


@pytest.mark.parametrize(("n", "width"), [(700, 3), (900, 1500), (300, 5000)])
@pytest.mark.parametrize("kind", ["noise", "whole numbers", "copies"])
def test_neighbours_are_the_processors(n: int, width: int, kind: str, device: torch.device) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((n, width)).astype(np.float32)
    if kind == "whole numbers":  # many equal distances
        x = rng.integers(0, 3, (n, width)).astype(np.float32)
    if kind == "copies":
        x[n // 2 :] = x[: n - n // 2]
    expected, rows = nearest_neighbors(x, 3)
    found, found_rows = nearest_neighbors(torch.from_numpy(x).to(device), 3)
    assert found.device.type == device.type
    assert np.array_equal(found.cpu().numpy(), expected)
    assert np.array_equal(found_rows.cpu().numpy(), rows)
    asked = x[:50] + np.float32(0.25)
    expected, rows = nearest_neighbors(x, 2, asked)
    found, found_rows = nearest_neighbors(torch.from_numpy(x).to(device), 2, torch.from_numpy(asked).to(device))
    assert np.array_equal(found.cpu().numpy(), expected)
    assert np.array_equal(found_rows.cpu().numpy(), rows)


def test_layers_are_measured_where_the_network_is(device: torch.device) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()
    images, labels = torch.randn(120, 1, 8, 8), torch.arange(120) % 3
    batches = [(images[:70], labels[:70]), (images[70:], labels[70:])]
    indices = ("separation", "soft_order", "center", "cross_separation", "cross_center")
    splits = {"train": batches, "test": batches[:1]}
    here = layers(network, splits, indices=indices, device="cpu").table
    there = layers(deepcopy(network).to(device), splits, indices=indices, device=device.type).table
    assert here.drop("value", "low", "high").equals(there.drop("value", "low", "high"))
    np.testing.assert_allclose(there["value"].to_numpy(), here["value"].to_numpy(), atol=0.03)  # rounding moves pairs
