"""Separation layer by layer: against the indices computed by hand, for awkward networks, and what is said of them."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from assay.errors import AssayError
from assay.separation import center_index, cross_index, layers, reading, separation_index, soft_order_index

SIDE = 8


class Pairs:
    """Digits in batches, to be gone through any number of times."""

    def __init__(self, start: int, stop: int, batch: int = 100) -> None:
        x, y = load_digits(return_X_y=True)
        self.x, self.y = torch.tensor(x[start:stop], dtype=torch.float32), torch.tensor(y[start:stop])
        self.batch = batch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self.x.split(self.batch), self.y.split(self.batch), strict=True)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 40), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(40, 10))


def value(table: pl.DataFrame, layer: str, index: str, split: str = "all") -> float:
    rows = table.filter((pl.col("layer") == layer) & (pl.col("index") == index) & (pl.col("split") == split))
    return float(rows["value"].item())


def test_raw_digits_have_their_known_values() -> None:
    found = layers(nn.Sequential(nn.Identity()), Pairs(0, 1797), indices=("separation", "center", "soft_order"))
    assert value(found.table, "0", "separation") == pytest.approx(0.988314, abs=1e-6)
    assert value(found.table, "0", "center") == pytest.approx(0.904841, abs=1e-6)
    # scikit-learn's order of ties gives 0.979076; with ties to the lowest index one neighbour of 8,985 differs
    assert value(found.table, "0", "soft_order") == pytest.approx(0.979188, abs=1e-6)


def test_every_layer_has_the_indices_of_its_activations() -> None:
    model, pairs = network(), Pairs(0, 500)
    table = layers(model, pairs, choose_layers="leaves", indices=("separation", "center", "soft_order")).table
    x = pairs.x
    with torch.no_grad():
        for name, layer in model.eval().named_children():
            x = layer(x.clone())
            assert value(table, name, "separation") == float(separation_index(x, pairs.y))
            assert value(table, name, "center") == float(center_index(x, pairs.y))
            assert value(table, name, "soft_order") == float(soft_order_index(x, pairs.y, 5))
    assert table["layer"].unique(maintain_order=True).to_list() == ["0", "1", "2", "3"]


def test_cross_indices_compare_with_the_training_images() -> None:
    train, test = Pairs(0, 400), Pairs(400, 600)
    splits = {"train": train, "test": test}
    table = layers(nn.Sequential(nn.Identity()), splits, indices=("cross_separation", "cross_center")).table
    assert set(table["split"]) == {"test"}
    expected = cross_index(train.x, train.y, test.x, test.y)
    assert value(table, "0", "cross_separation", "test") == float(expected)


def test_the_network_is_left_as_it_was() -> None:
    model = network().train()
    model[3].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    layers(model, Pairs(0, 200))
    assert [m.training for m in model] == [True, True, True, False]
    assert not any(m._forward_hooks for m in model)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_little_storage_means_more_passes_and_the_same_numbers() -> None:
    one, many = (layers(network(), Pairs(0, 300), storage=storage).table for storage in (1 << 30, 1))
    assert one.equals(many)


class Awkward(nn.Module):
    """A layer that gives two tensors, one whose width changes, one never called, and one that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.pair, self.narrow, self.unused, self.twice, self.bad = Pair(), Narrow(), nn.Linear(2, 2), nn.ReLU(), Log()

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.pair(x)
        self.narrow(x)
        self.bad(x)
        return self.twice(a) + self.twice(b)


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, -x


class Narrow(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if len(x) == 100 else x[:, :5]


class Log(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.log()


def test_what_cannot_be_measured_is_skipped_with_a_reason_and_the_rest_is_measured() -> None:
    found = layers(Awkward(), Pairs(0, 250), indices=("separation",))
    reasons = dict(found.skipped)
    assert set(found.table["layer"]) == {"twice"}
    assert "its output (tuple) is not one tensor with a row an image" in reasons["pair"]
    assert "changes its shape between batches" in reasons["narrow"]
    assert "never calls it" in reasons["unused"]
    assert "finite" in reasons["bad"]
    first = float(separation_index(Pairs(0, 250).x, Pairs(0, 250).y))
    assert value(found.table, "twice", "separation") == first


def test_a_pattern_that_matches_nothing_names_the_nearest_layer() -> None:
    model = nn.Sequential()
    model.add_module("conv1", nn.Identity())
    with pytest.raises(AssayError, match=r"no layer is called 'cnov1'; did you mean 'conv1'\?"):
        layers(model, Pairs(0, 50), choose_layers=["cnov1"])
    assert set(layers(model, Pairs(0, 50), choose_layers="conv*").table["layer"]) == {"conv1"}


def test_an_unknown_index_and_an_empty_split_are_refused() -> None:
    with pytest.raises(AssayError, match="unknown index 'separaton'; did you mean 'separation'"):
        layers(network(), Pairs(0, 50), indices=("separaton",))
    with pytest.raises(AssayError, match="there are no images"):
        layers(network(), [])
    with pytest.raises(AssayError, match="a split called 'train', and there is none"):
        layers(network(), Pairs(0, 50), indices=("cross_center",))


def test_the_reading_names_the_peak_and_the_layers_that_lower_it() -> None:
    values = [("conv1", 0.5), ("conv2", 0.7), ("pool", 0.6), ("output", 0.595)]
    rows = [
        {"layer": n, "depth": d, "split": "test", "index": "separation", "value": v, "low": v - 0.01, "high": v + 0.01}
        for d, (n, v) in enumerate(values)
    ]
    text = reading(pl.DataFrame(rows))
    assert text == "On the test images separation is highest after conv2 (0.700); lowered by pool by 0.100."


def test_images_in_any_shape_are_flattened() -> None:
    model = nn.Sequential(nn.Unflatten(1, (1, SIDE, SIDE)), nn.Conv2d(1, 3, 3))
    table = layers(model, Pairs(0, 120)).table
    assert table["width"].unique().sort().to_list() == [64, 108]
    assert table["value"].is_finite().all()


class Forbidden(nn.Module):
    """Fails where anybody calls it."""

    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("what comes after the last layer wanted was computed")


def test_the_forward_pass_ends_with_the_last_layer_wanted() -> None:
    found = layers(nn.Sequential(network(), Forbidden()), Pairs(0, 200), choose_layers=["0.0", "0.3"])
    assert found.table["layer"].unique(maintain_order=True).to_list() == ["0.0", "0.3"]
    assert not found.skipped


# ---------------------------------------------------------------------------- what cannot be measured is left out alone


def identity() -> nn.Sequential:
    return nn.Sequential(nn.Identity())


def test_an_order_above_the_number_of_images_leaves_the_other_orders_and_indices() -> None:
    splits = {"train": Pairs(0, 200), "test": Pairs(200, 300)}
    found = layers(identity(), splits, indices=("separation", "soft_order", "anti", "center"), orders=(5, 150))
    reason = "k: expected 1 to 99 neighbours among the 100 rows of test images, found 150"
    assert found.skipped == [("0", reason)]
    assert found.table.group_by("split", maintain_order=True).len().rows() == [("train", 6), ("test", 4)]
    assert value(found.table, "0", "separation", "test") == float(separation_index(splits["test"].x, splits["test"].y))


def test_a_split_of_one_image_can_still_be_compared_with_the_training_images() -> None:
    splits = {"train": Pairs(0, 200), "validation": Pairs(200, 201)}
    found = layers(identity(), splits, indices=("separation", "center", "cross_separation", "cross_center"))
    assert found.skipped == [("0", "validation images: expected at least 2 samples, found 1")]
    measured = found.table.group_by("split", maintain_order=True).agg("index").rows()
    assert measured == [
        ("train", ["separation", "center"]),
        ("validation", ["cross_separation", "cross_center"]),
    ]


@pytest.mark.parametrize(("torn", "left"), [("test", {"train"}), ("train", {"test"})])
def test_a_value_that_is_not_finite_costs_its_split_alone(torn: str, left: set[str]) -> None:
    splits = {"train": Pairs(0, 200), "test": Pairs(200, 300)}
    splits[torn].x[17, 3] = torch.inf
    found = layers(identity(), splits, indices=("separation", "center", "cross_separation", "cross_center"))
    [(layer, reason)] = found.skipped
    assert (layer, reason.split(";")[0]) == ("0", f"{torn} images: row 17 of {len(splits[torn].x)} is not finite")
    assert set(found.table["split"]) == left


def test_a_layer_too_large_for_the_disk_is_skipped_and_the_rest_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = nn.Sequential(nn.Linear(64, 20), nn.Linear(20, 3000), nn.Linear(3000, 10))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=500_000))
    for storage in (None, 1 << 40):
        found = layers(wide, Pairs(0, 100), storage=storage)
        [(layer, reason)] = found.skipped
        assert layer == "1"
        assert reason.startswith("1.2 MB of temporary files are needed and ")
        assert reason.endswith(" has 500 kB; measure fewer images or set TMPDIR to another disk")
        assert set(found.table["layer"]) == {"0", "2"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_fills_up_costs_the_layers_being_written(monkeypatch: pytest.MonkeyPatch) -> None:
    places = iter([Path("/dev/full")])
    monkeypatch.setattr("assay.separation.capture.open", lambda p, mode: next(places, p).open(mode), raising=False)
    found = layers(network(), Pairs(0, 100), storage=1)
    assert [layer for layer, _ in found.skipped] == ["0"]
    assert "of temporary files are needed" in found.skipped[0][1]
    assert set(found.table["layer"]) == {"1", "2", "3"}


# ----------------------------------------------------------------------------------------- what is refused at the top

ROWS, LABELS = torch.randn(4, 3), torch.tensor([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("batches", "sentence"),
    [
        ({}, "there are no images to measure the layers on"),
        ({"train": [(ROWS, LABELS)], "test": []}, "there are no images in the split 'test'"),
        ([(ROWS, torch.eye(4, 2).long())], r"labels of all images: .* found shape \(4, 2\)"),
        ([(ROWS, LABELS[:3])], r"labels of all images: expected one label for each of the 4 rows of a batch"),
        ([(ROWS, LABELS / 2)], "labels of all images: expected whole numbers as labels, found float32"),
        (iter([(ROWS, LABELS)]), "all images: expected a list of batches or a DataLoader, .* an iterator, which ends"),
    ],
)
def test_batches_that_cannot_be_measured_are_refused(batches: Any, sentence: str) -> None:
    with pytest.raises(AssayError, match=sentence):
        layers(identity(), batches)


@pytest.mark.parametrize("orders", [(1.5,), ("3",), (True,), (0,), 5, "35"])
def test_orders_that_are_no_whole_numbers_are_refused(orders: Any, unchecked: None) -> None:
    with pytest.raises(AssayError, match="orders: expected whole numbers from 1, such as"):
        layers(identity(), [(ROWS, LABELS)], orders=orders)


def test_a_network_without_layers_and_no_layers_asked_for_are_refused() -> None:
    with pytest.raises(AssayError, match="layers: the network, a Linear, has no layers inside"):
        layers(nn.Linear(3, 3), [(ROWS, LABELS)])
    with pytest.raises(AssayError, match="layers: expected 'blocks', 'leaves' or patterns on layer names, found none"):
        layers(identity(), [(ROWS, LABELS)], choose_layers=[])
