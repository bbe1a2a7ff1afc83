"""Networks without code, and the network of parallel kernels: shapes, exact counts, and what a mistake is told."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from assay.errors import AssayError
from assay.models import build, summary
from assay.models.catalogue import try_out
from assay.models.inception import Inception
from assay.recipe import Model
from assay.recipe.study import load_study

COURSE: list[Any] = [
    {"conv1d": {"filters": 16, "kernel": 3}}, "relu", {"max_pool1d": 2},
    {"conv1d": {"filters": 32, "kernel": 5}}, "relu", {"max_pool1d": 2},
    {"conv1d": {"filters": 64, "kernel": 5}}, "relu", {"max_pool1d": 2},
    "flatten", {"dense": 128}, "relu",
]  # fmt: skip


def sequence(*layers: Any, shape: tuple[int, ...] = (3, 8, 8), outputs: int = 5) -> Any:
    return build(Model(name="sequence", layers=list(layers)), shape, outputs)


def test_the_network_of_a_course_in_one_dimension() -> None:
    model = sequence(*COURSE, shape=(7, 500))
    found = summary(model, (7, 500))
    assert (found.parameters, found.macs) == (497_349, 2_486_816)
    assert [row.name for row in found.layers] == [
        "conv1", "relu1", "max_pool1", "conv2", "relu2", "max_pool2", "conv3", "relu3", "max_pool3", "flatten1",
        "dense1", "relu4", "output",
    ]  # fmt: skip
    assert model(torch.zeros(2, 7, 500)).shape == (2, 5)


@pytest.mark.parametrize(
    ("layers", "shape", "after"),
    [
        ([{"conv2d": {"filters": 4, "kernel": [3, 5], "stride": [2, 1], "padding": [1, 0]}}], (3, 9, 9), (4, 5, 5)),
        ([{"conv2d": {"filters": 4, "padding": "same", "dilation": 3}}], (3, 9, 9), (4, 9, 9)),
        ([{"conv2d": {"filters": 6, "groups": 3, "bias": False}}], (3, 9, 8), (6, 7, 6)),
        ([{"transposed_conv2d": {"filters": 2, "kernel": 3}}], (3, 4, 5), (2, 9, 11)),
        ([{"average_pool2d": {"kernel": 3, "stride": 2, "padding": 1}}], (3, 9, 9), (3, 5, 5)),
        ([{"conv3d": {"filters": 2}}, {"max_pool3d": 2}], (1, 8, 8, 8), (2, 3, 3, 3)),
        (["batch_norm", "gelu", {"dropout": 0.2}], (3, 4, 4), (3, 4, 4)),
        ([{"inception": {"paths": [4, [2, 8], 6, "none"]}}], (3, 5, 5), (4 + 8 + 6 + 3, 5, 5)),
    ],
)
def test_every_layer_leaves_the_shape_that_torch_gives(layers: Any, shape: tuple[int, ...], after: Any) -> None:
    model = sequence(*layers, "flatten", shape=shape)
    body = model[: len(layers)]
    assert body(torch.zeros(2, *shape)).shape[1:] == after
    assert model(torch.zeros(2, *shape)).shape == (2, 5)


def test_the_mean_over_places_stands_before_a_dense_layer() -> None:
    assert sequence({"conv2d": {"filters": 4}}, "average", {"dense": 6})(torch.zeros(1, 3, 8, 8)).shape == (1, 5)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (["flaten"], "model.layers, layer 1: unknown layer 'flaten'; did you mean 'flatten'?"),
        (
            [{"conv2d": {"filters": 4, "stride": 0}}],
            "model.layers, layer 1 (conv2d): stride: found 0, expected more than 0",
        ),
        (
            ["relu", {"conv2d": {"filters": 4, "kernel": 11, "padding": 1}}],
            "model.layers, layer 2 (conv2d): the kernel spans 11×11, more than the 10×10 that come in "
            "(padding included)",
        ),
        (
            [{"conv2d": {"filters": 4, "kernel": 5, "dilation": 2}}],
            "model.layers, layer 1 (conv2d): the kernel spans 9×9, more than the 8×8 that come in (padding included)",
        ),
        (
            [{"max_pool2d": 9}],
            "model.layers, layer 1 (max_pool2d): the kernel spans 9×9, more than the 8×8 that come in "
            "(padding included)",
        ),
        (
            [{"conv1d": {"filters": 4}}],
            "model.layers, layer 1 (conv1d): needs channels and one dimension, and 3×8×8 comes in, two dimensions",
        ),
        (
            [{"dense": 4}],
            "model.layers, layer 1 (dense): takes a row of numbers, and 3×8×8 comes in; put flatten or average before "
            "it",
        ),
        (
            [{"conv2d": {"filters": 4, "groups": 2}}],
            "model.layers, layer 1 (conv2d): 2 groups do not divide the 3 channels of what comes in",
        ),
        (
            [{"conv2d": {"filters": 4, "kernel": [3, 3, 3]}}],
            "model.layers, layer 1 (conv2d): found 3 numbers, 3×3×3, expected one for each of two dimensions",
        ),
        (
            [{"conv2d": {"filters": 4, "kernal": 3}}],
            "model.layers, layer 1 (conv2d): unknown key 'kernal'; did you mean 'kernel'?",
        ),
        (
            [{"dense": 4, "relu": None}],
            "model.layers, layer 1: found 2 keys, expected one layer: its name, or a pair such as dense: 128",
        ),
        (
            [],
            "model.layers: the dense layer of the outputs, which follows the last one, takes a row of numbers, and "
            "3×8×8 comes in; put flatten or average before it",
        ),
        (
            [{"inception": {"paths": [4, 4, 4, 4], "kernels": [2, 5]}}],
            "model.layers, layer 1 (inception): kernels: found [2, 5], expected odd sides, so that all paths have one "
            "size",
        ),
        (
            [{"conv2d": {"filters": 1, "kernel": 1}}, {"conv2d": {"filters": 4, "groups": 2}}],
            "model.layers, layer 2 (conv2d): 2 groups do not divide the 1 channel of what comes in",
        ),
        (
            [{"conv2d": {"kernle": 3}}],
            "model.layers, layer 1 (conv2d): the key 'filters' is missing; "
            "unknown key 'kernle'; did you mean 'kernel'?",
        ),
        (
            ["flatten", "average"],
            "model.layers, layer 2 (average): takes the mean over places, and 192 comes in, without any",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_before_training(layers: Any, said: str) -> None:
    with pytest.raises(AssayError) as caught:
        try_out(Model(name="sequence", layers=layers), (3, 8, 8), 5)
    assert str(caught.value).splitlines()[0].removeprefix("the network does not fit images of (3, 8, 8): ") == said


def test_other_networks_take_two_dimensions_only() -> None:
    with pytest.raises(AssayError, match="model 'cnn' takes channels, height and width, found a shape of 2 numbers"):
        build(Model(name="cnn"), (7, 500), 5)


# ------------------------------------------------------------------------------------------- inception


def test_the_network_of_parallel_kernels_has_the_numbers_of_the_course() -> None:
    model = build(Model(name="inception"), (3, 32, 32), 10)
    trained = sum(p.numel() for p in model.parameters())
    running = sum(b.numel() for name, b in model.named_buffers() if "running" in name)
    assert (trained, trained + running) == (1_360_298, 1_361_066)
    plain = build(Model(name="inception", norm="none", dropout=0.0), (3, 32, 32), 10)
    assert sum(p.numel() for p in plain.parameters()) == 1_360_298 - 2 * (128 + 256)


@pytest.mark.parametrize(
    ("paths", "parameters", "macs", "channels"),
    [((64, 128, 32, "none"), 387_296, 303_464_448, 416), ((64, (96, 128), (16, 32), 32), 163_696, 128_049_152, 256)],
)
def test_a_module_of_googlenet_without_and_with_reductions(
    paths: Any, parameters: int, macs: int, channels: int
) -> None:
    module = Inception(192, paths)
    found = summary(module, (192, 28, 28))
    assert (found.parameters, found.macs, module.channels) == (parameters, macs, channels)


def test_a_reduction_by_1_by_1_saves_nine_of_ten_products() -> None:
    direct = summary(nn.Conv2d(192, 32, 5, padding=2), (192, 28, 28))
    reduced = summary(nn.Sequential(nn.Conv2d(192, 16, 1), nn.Conv2d(16, 32, 5, padding=2)), (192, 28, 28))
    assert (direct.macs, direct.parameters) == (120_422_400, 153_632)
    assert (reduced.macs, reduced.parameters) == (12_443_648, 15_920)


def test_kernels_of_the_module_are_arguments() -> None:
    model = build(Model(name="inception", kernels=[5, 7], paths=[8, [4, 8], 8, "none"]), (1, 28, 28), 3)
    assert [m.kernel_size for m in model.inception.modules() if isinstance(m, nn.Conv2d)] == [
        (1, 1), (1, 1), (5, 5), (7, 7),
    ]  # fmt: skip
    with pytest.raises(AssayError, match=r"^model\.kernels: found \[2, 3\], expected odd sides"):
        build(Model(name="inception", kernels=[2, 3]), (1, 28, 28), 3)
    with pytest.raises(AssayError, match=r"^model\.paths: found \[8, 8\], expected channels of four paths"):
        build(Model(name="inception", paths=[8, 8]), (1, 28, 28), 3)


def test_what_1x1_saves_in_the_shipped_study() -> None:
    study = load_study(Path(__file__).parents[1] / "studies" / "cifar10" / "one-by-one.yaml")
    networks = {name: build(variant.recipe.model, (3, 32, 32), 10) for name, variant in study.plan.items()}
    found = {name: summary(network, (3, 32, 32)) for name, network in networks.items()}
    inside = {name: [row for row in it.layers if row.kind == "Conv2d"][1:] for name, it in found.items()}
    counts = {name: (sum(row.parameters for row in it), sum(row.macs for row in it)) for name, it in inside.items()}
    assert counts["5×5"] == (153_632, 120_422_400)
    assert counts["5×5 behind 1×1"] == (15_920, 12_443_648)
    assert {inside[name][0].input_shape for name in ("5×5", "5×5 behind 1×1")} == {(192, 28, 28)}
    assert (counts["3×3 twice"][0], counts["1×1 twice"][0]) == (46_144, 4_161)
    assert {inside[name][0].input_shape for name in ("3×3 twice", "1×1 twice")} == {(128, 32, 32)}
