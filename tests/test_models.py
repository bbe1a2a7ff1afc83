"""Networks by name: what they are made of, and what a wrong argument is told."""

import subprocess
import sys
from collections import OrderedDict
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from assay import seeds
from assay.errors import AssayError
from assay.models import MODELS, build
from assay.models.catalogue import DETECTORS, SEGMENTERS, try_out
from assay.recipe import Model

GRAY = (1, 28, 28)


def make(name: str, shape: tuple[int, int, int] = GRAY, outputs: int = 10, seed: int = 0, **arguments: Any) -> Any:
    with seeds.scoped(seed, "initialisation"):
        return build(Model(name=name, **arguments), shape, outputs)


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", ["assay.models", "assay.evaluate"])
def test_listing_names_does_not_import_torch(name: str) -> None:
    code = f"import sys, {name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---------------------------------------------------------------------------------- every model keeps these


@pytest.mark.parametrize("name", [name for name in MODELS if name not in (*SEGMENTERS, *DETECTORS, "sequence")])
class TestEveryModel:
    def test_gives_one_row_of_logits_for_each_image(self, name: str) -> None:
        model = make(name, (3, 32, 28), 7)
        assert model(torch.zeros(4, 3, 32, 28)).shape == (4, 7)

    def test_trains_all_its_parameters(self, name: str) -> None:
        model = make(name, GRAY, 3)
        functional.cross_entropy(model(torch.randn(8, 1, 28, 28)), torch.arange(8) % 3).backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())

    def test_has_weights_that_follow_the_seed(self, name: str) -> None:
        one, same, other = (list(make(name, seed=s).parameters()) for s in (1, 1, 2))
        assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
        assert not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))

    def test_is_tried_out_without_a_draw(self, name: str) -> None:
        before = torch.get_rng_state()
        try_out(Model(name=name), GRAY, 10)
        assert torch.equal(before, torch.get_rng_state())

    def test_names_an_unknown_argument(self, name: str) -> None:
        with pytest.raises(AssayError, match=f"model '{name}' has no argument 'nrom'; did you mean 'norm'?"):
            try_out(Model(name=name, nrom="none"), GRAY, 10)


# --------------------------------------------------------------------------------------- known networks


def test_cnn_without_pooling() -> None:
    model = make("cnn", channels=[16, 32], padding=[1, 0], pool="none", dense=[64, 32])
    assert model.dense1.in_features == 21_632
    assert count(model) == (16 * 9 + 16) + (32 * 16 * 9 + 32) + (21_632 * 64 + 64) + (64 * 32 + 32) + (32 * 10 + 10)


def test_cnn_with_pooling_and_batch_norm() -> None:
    model = make("cnn", channels=[16, 32], padding=[1, 0], pool="max", norm="batch", dense=[64, 32])
    assert model.dense1.in_features == 1_152
    assert count(model) == 160 + 4_640 + 2 * (16 + 32) + (1_152 * 64 + 64) + 2_080 + 330


def test_cnn_with_one_logit_on_large_gray_images() -> None:
    model = make("cnn", (1, 256, 256), 1, channels=[16, 32, 64], padding="valid", pool="max", dense=[64])
    assert count(model) == 3_709_825


def test_cnn_with_kernels_of_many_sizes_and_average_pooling() -> None:
    arguments = {"channels": [16, 32, 64, 128], "kernels": [3, 5, 7, 7], "padding": "same", "pool": "average"}
    model = make("cnn", (3, 128, 128), 5, dense=[256], **arguments)
    assert count(model) == 2_613_925


def test_mlp_counts() -> None:
    assert count(make("mlp", hidden=[100, 50])) == 785 * 100 + 101 * 50 + 51 * 10
    assert count(make("mlp", hidden=[])) == 785 * 10
    for norm in ("batch", "layer"):
        assert count(make("mlp", hidden=[100, 50], norm=norm)) == 785 * 100 + 101 * 50 + 51 * 10 + 2 * 150


def test_layers_read_well() -> None:
    model = make("cnn", channels=[4], norm="batch", dense=[8], dropout=0.5, conv_dropout=0.2)
    assert [name for name, _ in model.named_children()] == [
        *("conv1", "norm1", "activation1", "pool1", "dropout1", "flatten"),
        *("dense1", "dense_activation1", "dense_dropout1", "output"),
    ]
    mlp = make("mlp", hidden=[8, 4], norm="layer", dropout=0.5)
    layers = [f"{kind}{i}" for i in (1, 2) for kind in ("dense", "norm", "activation", "dropout")]
    assert [name for name, _ in mlp.named_children()] == ["flatten", *layers, "output"]


@pytest.mark.parametrize("name", ["mlp", "cnn"])
@pytest.mark.parametrize(
    ("activation", "at_minus_one"),
    [("relu", 0), ("tanh", -0.7616), ("sigmoid", 0.2689), ("elu", -0.6321), ("gelu", -0.1587)],
)
def test_activations(name: str, activation: str, at_minus_one: float) -> None:
    layer = make(name, activation=activation).activation1
    assert layer(torch.tensor(-1.0)).item() == pytest.approx(at_minus_one, abs=1e-4)


@pytest.mark.parametrize(("pool", "expected"), [("max", 4.0), ("average", 2.5)])
def test_pooling_takes_two_by_two_pixels(pool: str, expected: float) -> None:
    layer = make("cnn", pool=pool).pool1
    assert layer(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).tolist() == [[[[expected]]]]


def test_dropout_is_off_in_evaluation_and_drops_whole_maps_after_convolutions() -> None:
    model = make("cnn", channels=[64], dropout=0.5, conv_dropout=0.5)
    maps = model.dropout1(torch.ones(8, 64, 3, 3)).flatten(2)
    assert all(torch.equal(m.min(), m.max()) for m in maps.flatten(0, 1))
    assert 0.3 < (maps == 0).float().mean() < 0.7
    values = model.dense_dropout1(torch.ones(64, 64))
    assert 0.4 < (values == 0).float().mean() < 0.6
    model.eval()
    images = torch.randn(2, *GRAY)
    assert torch.equal(model(images), model(images))


# ------------------------------------------------------------------------------------ two ways to write one


class HandWritten(nn.Module):
    """The pooled network of the studies, the way a notebook writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3)
        self.norm2 = nn.BatchNorm2d(32)
        self.dense1 = nn.Linear(1152, 64)
        self.dense2 = nn.Linear(64, 32)
        self.output = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.norm1(self.conv1(x))), 2)
        x = functional.max_pool2d(functional.relu(self.norm2(self.conv2(x))), 2)
        x = functional.relu(self.dense1(x.flatten(1)))
        return self.output(functional.relu(self.dense2(x)))


def losses_over_steps(model: nn.Module, steps: int = 5) -> list[float]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    generator = seeds.torch_generator(0, "order")
    losses = []
    for _ in range(steps):
        images = torch.randn(16, *GRAY, generator=generator)
        labels = torch.randint(10, (16,), generator=generator)
        loss = functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_sequential_and_hand_written_forward_are_one_network() -> None:
    ours = make("cnn", channels=[16, 32], padding=[1, 0], norm="batch", dense=[64, 32])
    with seeds.scoped(0, "initialisation"):
        hand_written = HandWritten()
    assert isinstance(ours, nn.Sequential)
    mine, theirs = OrderedDict(ours.named_parameters()), OrderedDict(hand_written.named_parameters())
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    found = losses_over_steps(ours)
    assert found == losses_over_steps(hand_written)
    assert len(set(found)) == 5
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


# -------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ({"name": "cmn"}, "unknown model 'cmn'; did you mean 'cnn'?"),
        ({"name": "cnn", "chanels": [8]}, "model 'cnn' has no argument 'chanels'; did you mean 'channels'?"),
        ({"name": "cnn", "shape": [1, 2, 3]}, "model 'cnn' has no argument 'shape'; "),
        ({"name": "mlp", "dropout": 1.5}, "model.dropout: found 1.5, expected a probability, at least 0 and below 1"),
        ({"name": "mlp", "dropout": 1}, "model.dropout: found 1, "),
        ({"name": "mlp", "dropout": -0.1}, "model.dropout: found -0.1, "),
        ({"name": "mlp", "dropout": float("nan")}, "model.dropout: found nan, "),
        ({"name": "mlp", "dropout": "much"}, "model.dropout: found 'much', expected a probability, "),
        ({"name": "cnn", "conv_dropout": 2}, "model.conv_dropout: found 2, expected a probability, "),
        ({"name": "mlp", "activation": "rellu"}, "model.activation: found 'rellu'; did you mean 'relu'"),
        ({"name": "mlp", "norm": "group"}, "model.norm: found 'group'; expected one of: batch, layer, none"),
        ({"name": "cnn", "pool": "avg"}, "model.pool: found 'avg'; did you mean 'average'?"),
        ({"name": "mlp", "hidden": 100}, "model.hidden: found 100, expected a list of whole numbers above 0"),
        ({"name": "mlp", "hidden": [0]}, "model.hidden: found [0], expected a list of whole numbers above 0"),
        ({"name": "mlp", "hidden": [2.5]}, "model.hidden: found [2.5], expected a list of whole numbers above 0"),
        ({"name": "mlp", "hidden": [True]}, "model.hidden: found [True], expected a list of whole numbers above 0"),
        ({"name": "mlp", "hidden": ["8"]}, "model.hidden: found ['8'], expected a list of whole numbers above 0"),
        ({"name": "mlp", "dropout": "0.5"}, "model.dropout: found '0.5', expected a probability, "),
        ({"name": "mlp", "hidden": None}, "model.hidden: found None, "),
        ({"name": "cnn", "kernels": 0}, "model.kernels: found 0, expected a side in pixels, or a list"),
        ({"name": "cnn", "padding": "sam"}, "model.padding: found 'sam', expected 'same', 'valid', a number of pixels"),
        ({"name": "cnn", "padding": -1}, "model.padding: found -1, "),
        ({"name": "cnn", "kernels": {"a": 1}}, "model.kernels: found keys and values, "),
    ],
)
def test_a_wrong_argument_is_told_before_training(model: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AssayError) as error:
        try_out(Model(**model), GRAY, 10)
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)
    with pytest.raises(AssayError):
        build(Model(**model), GRAY, 10)


@pytest.mark.parametrize("argument", ["kernels", "padding"])
def test_a_list_has_one_entry_for_each_convolution(argument: str) -> None:
    with pytest.raises(AssayError, match=f"model.{argument}: found 3 values, expected 2, one for each of the channels"):
        try_out(Model(name="cnn", channels=[4, 8], **{argument: [1, 1, 1]}), GRAY, 10)


def test_a_network_that_shrinks_to_nothing_names_the_layer_and_the_size() -> None:
    too_deep = Model(name="cnn", channels=[4] * 5)
    try_out(too_deep, (1, 32, 32), 10)
    with pytest.raises(AssayError, match=r"'cnn': pool5 \(2×2\) gets 1×1 pixels and leaves none; images of 28×28 are"):
        try_out(too_deep, GRAY, 10)
    with pytest.raises(AssayError, match=r"conv2 \(kernel 9, padding 0\) gets 12×8 pixels and leaves none"):
        build(Model(name="cnn", kernels=[5, 9], padding=0), (1, 28, 20), 10)


def fits(sides: tuple[int, int], layers: list[tuple[int, int, Any]], pool: str) -> bool:
    """Whether torch itself runs these convolutions."""
    images, inputs = torch.zeros(1, 2, *sides), 2
    for channels, kernel, padding in layers:
        try:
            images = nn.Conv2d(inputs, channels, kernel, padding=padding)(images)
            images = images if pool == "none" else functional.max_pool2d(images, 2)
        except RuntimeError:
            return False
        inputs = channels
    return True


@settings(max_examples=60, deadline=None)
@given(
    layers=st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 6), st.sampled_from(["same", "valid", 0, 1, 2])), max_size=4
    ),
    pool=st.sampled_from(["max", "average", "none"]),
    sides=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_a_cnn_is_refused_where_torch_cannot_run_it(
    layers: list[tuple[int, int, Any]], pool: str, sides: tuple[int, int]
) -> None:
    channels, kernels, padding = ([layer[i] for layer in layers] for i in range(3))
    model, shape = Model(name="cnn", channels=channels, kernels=kernels, padding=padding, pool=pool), (2, *sides)
    if fits(sides, layers, pool):
        assert build(model, shape, 4)(torch.zeros(2, *shape)).shape == (2, 4)
    else:
        with pytest.raises(AssayError, match="leaves none"):
            build(model, shape, 4)


# --------------------------------------------------------------------------------------------------- resnet9


def test_resnet9_has_the_parameters_of_its_layers() -> None:
    convolutions = [(3, 64), (64, 128), (128, 128), (128, 128), (128, 256), (256, 512), (512, 512), (512, 512)]
    expected = sum(9 * before * after + 2 * after for before, after in convolutions) + 512 * 10
    assert count(make("resnet9", (3, 32, 32))) == expected == 6_573_120


def test_resnet9_without_its_residual_pairs_norms_and_with_other_scale() -> None:
    plain = make("resnet9", (3, 32, 32), skip=False, norm="none")
    assert (
        count(plain)
        == sum(9 * before * after + after for before, after in [(3, 64), (64, 128), (128, 256), (256, 512)]) + 512 * 10
    )
    images = torch.randn(2, 3, 32, 32)
    scaled = make("resnet9", (3, 32, 32), skip=False, norm="none", scale=0.25)
    torch.testing.assert_close(scaled(images), 2 * plain(images))


def test_resnet9_refuses_images_of_which_nothing_is_left() -> None:
    with pytest.raises(AssayError, match="images of 7×32 are too small; 8×8 is the least"):
        make("resnet9", (3, 7, 32))


# ------------------------------------------------------------------------------------------------- elu_resnet


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        ({}, 1_710_794),
        ({"norm": "batch"}, 1_713_034),
        ({"norm": "group"}, 1_713_034),
        ({"norm": "layer"}, 2_087_626),
        ({"skip": False}, 1_710_794),
        ({"conv4": "1x1"}, 1_645_258),
        ({"paths": 2}, 2_964_810),
        ({"paths": 4}, 5_472_842),
    ],
)
def test_the_residual_family_has_its_published_sizes(arguments: dict[str, Any], parameters: int) -> None:
    assert count(make("elu_resnet", (3, 32, 32), **arguments)) == parameters


def test_a_block_without_skip_is_its_branch_and_with_skip_adds_the_input() -> None:
    with_skip, without = (make("elu_resnet", (3, 32, 32), skip=skip).block1_1 for skip in (True, False))
    x = torch.randn(2, 64, 16, 16)
    branch = without.branches[0](x)
    torch.testing.assert_close(without(x), functional.elu(branch))
    torch.testing.assert_close(with_skip(x), functional.elu(branch + x))


def test_a_branch_is_two_convolutions_with_an_elu_between() -> None:
    model = make("elu_resnet", (3, 32, 32))
    branch, x = model.block1_1.branches[0], torch.randn(2, 64, 16, 16)
    torch.testing.assert_close(branch(x), branch.conv2(functional.elu(branch.conv1(x))))
    assert sum(isinstance(module, nn.ELU) for module in model.modules()) == 4 + 2 * 2


def test_paths_are_summed() -> None:
    block = make("elu_resnet", (3, 32, 32), paths=2).block2_1
    x = torch.randn(2, 256, 4, 4)
    torch.testing.assert_close(block(x), functional.elu(block.branches[0](x) + block.branches[1](x) + x))


def test_softmax_in_the_network_gives_probabilities() -> None:
    rows = make("elu_resnet", (3, 32, 32), softmax=True)(torch.randn(3, 3, 32, 32))
    torch.testing.assert_close(rows.sum(1), torch.ones(3))


def test_images_too_small_for_the_residual_network_are_refused() -> None:
    with pytest.raises(AssayError, match="images of 20×20 are too small"):
        make("elu_resnet", (3, 20, 20))
