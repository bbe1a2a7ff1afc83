"""Separation layer by layer: against the indices computed by hand, for awkward networks, and what is said of them."""

from collections.abc import Iterator

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
