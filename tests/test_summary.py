"""The table of a network's layers, against counts by hand and published ones."""

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

from assay.models import Layer, Summary, build, summary
from assay.models.layer_table import Window
from assay.recipe import Model
from one_dimensional import one_dimensional


def layers(found: Summary) -> dict[str, Layer]:
    return {layer.name: layer for layer in found.layers}


def counts(layer: Layer) -> tuple[int, int, int]:
    return layer.parameters, layer.macs, layer.activation_bytes


def worked_out(formula: str) -> int:
    """The value of a formula."""
    return int(eval(formula.replace(",", "").replace("·", "*") or "0"))


def test_mlp_by_hand() -> None:
    found = summary(build(Model(name="mlp", hidden=[32]), (1, 8, 8), 10), (1, 8, 8))
    assert found.parameters == found.trainable_parameters == 65 * 32 + 33 * 10
    assert found.macs == 64 * 32 + 32 * 10
    assert found.weight_bytes == 4 * found.parameters
    assert found.activation_bytes == 4 * (32 + 32 + 10)
    assert found.layers == (
        Layer("flatten", "Flatten", (1, 8, 8), (64,), None, 0, "", 0, "", 0, 0),
        Layer("dense1", "Linear", (64,), (32,), None, 65 * 32, "32·(64+1)", 64 * 32, "32·64", 32, 128),
        Layer("activation1", "ReLU", (32,), (32,), None, 0, "", 0, "", 32, 128),
        Layer("output", "Linear", (32,), (10,), None, 330, "10·(32+1)", 320, "10·32", 10, 40),
    )


def test_cnn_by_hand() -> None:
    model = build(Model(name="cnn", channels=[16, 32], padding=[1, 0], norm="batch", dense=[64, 32]), (1, 28, 28), 10)
    found = summary(model, (1, 28, 28))
    rows = layers(found)
    assert counts(rows["conv1"]) == (160, 28 * 28 * 16 * 9, 4 * 16 * 28 * 28)
    assert counts(rows["conv2"]) == (4640, 12 * 12 * 32 * 16 * 9, 4 * 32 * 12 * 12)
    assert rows["conv2"].window == Window((3, 3), (1, 1), (0, 0), (1, 1))
    assert rows["norm1"].parameters_formula == "2·16"
    assert rows["norm1"].parameters == 32
    assert rows["pool2"].output_shape == (32, 6, 6)
    assert rows["flatten"].output_shape == (1152,)
    assert found.macs == 112_896 + 663_552 + 1152 * 64 + 64 * 32 + 32 * 10
    buffers = 4 * 2 * (16 + 32) + 2 * 8
    assert found.weight_bytes == 4 * found.parameters + buffers
    assert sum(row.parameters for row in found.layers) == found.parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [
        ("resnet18", 11_689_512, 1_814_073_344),
        ("mobilenet_v2", 3_504_872, 300_774_272),
        ("vit_b_16", 86_567_656, 17_563_828_224),
    ],
)
def test_published_networks(name: str, parameters: int, macs: int) -> None:
    """The counts of torchvision's documentation (1.81, 0.30 and 17.56 billion): grouped convolutions, attention."""
    with torch.device("meta"):
        model = torchvision.models.get_model(name)
    found = summary(model, (3, 224, 224))
    assert (found.parameters, found.macs) == (parameters, macs)
    assert sum(layer.macs for layer in found.layers) == macs
    assert sum(layer.parameters for layer in found.layers) == parameters


def test_the_model_stays_as_it_was() -> None:
    model = build(Model(name="cnn", norm="batch", dropout=0.5), (3, 16, 16), 4)
    model.norm2.eval()
    model.dense1.weight.requires_grad_(False)
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    found = summary(model, (3, 16, 16))
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert found.parameters - found.trainable_parameters == model.dense1.weight.numel()


def test_the_model_stays_as_it_was_when_it_cannot_run() -> None:
    model = build(Model(name="mlp"), (1, 8, 8), 10)
    with pytest.raises(RuntimeError):
        summary(model, (1, 9, 9))
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch.backends.mha.get_fastpath_enabled()


class Unusual(nn.Module):
    """A layer called twice, a weight outside any layer, a layer whose weight is only read, a product by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Linear(6, 6)
        self.read = nn.Linear(6, 2, bias=False)
        self.scale = nn.Parameter(torch.ones(6))

    def forward(self, x: Tensor) -> Tensor:
        x = self.twice(self.twice(x.flatten(1))) * self.scale
        return functional.linear(x, self.read.weight)


def test_what_is_outside_the_layers_is_counted_once() -> None:
    found = summary(Unusual(), (1, 2, 3))
    rows = layers(found)
    assert counts(rows["twice"]) == (42, 2 * 36, 2 * 24)
    assert rows["twice"].macs_formula == "6·6 + 6·6"
    assert counts(rows["Unusual"]) == (6, 12, 0)
    assert (rows["Unusual"].macs_formula, rows["Unusual"].operations) == ("2·6", 6)
    assert counts(rows["read"]) == (12, 0, 0)
    assert (found.parameters, found.macs) == (60, 84)


def test_memory_handed_on_is_not_counted() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Identity(), nn.Flatten())
    assert summary(model, (1, 4, 4)).activation_bytes == 4 * 2 * 16


def test_a_network_on_the_meta_device_counts_the_same() -> None:
    with torch.device("meta"):
        light = build(Model(name="cnn", norm="batch", dropout=0.5), (3, 16, 16), 4)
    assert summary(light, (3, 16, 16)) == summary(
        build(Model(name="cnn", norm="batch", dropout=0.5), (3, 16, 16), 4), (3, 16, 16)
    )


def test_half_precision_weights_take_half_the_bytes() -> None:
    model = build(Model(name="mlp", hidden=[8]), (1, 4, 4), 2)
    full, half = summary(model, (1, 4, 4)), summary(model.bfloat16(), (1, 4, 4))
    assert (half.weight_bytes, half.activation_bytes) == (full.weight_bytes // 2, full.activation_bytes // 2)


def test_prints_as_a_table() -> None:
    lines = str(summary(build(Model(name="mlp", hidden=[100]), (1, 28, 28), 10), (1, 28, 28))).splitlines()
    assert lines[0].split() == (
        ["layer", "kind", "input", "output", "window", "parameters", "MACs", "operations", "bytes", "out"]
    )
    assert any(line.split() == ["dense1", "Linear", "784", "100", "78,500", "78,400", "100", "400"] for line in lines)
    assert any(line.split() == ["total", "79,510", "79,400", "210", "840"] for line in lines)
    assert lines[-1].strip() == "79,510 trainable parameters, 318,040 bytes of weights and buffers"


def test_running_statistics_are_told_apart_from_what_is_trained() -> None:
    found = summary(nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.Flatten()), (3, 4, 4))
    assert (found.parameters, found.statistics) == (8 * 4 + 16, 16)
    assert found.facts.startswith("48 trainable parameters, 16 running statistics of norms, 64 numbers in all, ")


# ---------------------------------------------------------------------------- one, two and three dimensions


def test_a_network_in_one_dimension_is_exact_in_every_cell() -> None:
    found = summary(one_dimensional(), (7, 500))
    assert [(each.output_shape, each.parameters, each.macs) for each in found.layers if each.kind != "ReLU"] == [
        ((16, 498), 352, 167_328),
        ((16, 249), 0, 0),
        ((32, 245), 2_592, 627_200),
        ((32, 122), 0, 0),
        ((64, 118), 10_304, 1_208_320),
        ((64, 59), 0, 0),
        ((3776,), 0, 0),
        ((128,), 483_456, 483_328),
        ((5,), 645, 640),
    ]
    assert (found.parameters, found.macs) == (497_349, 2_486_816)
    assert found.layers[0].input_shape == (7, 500)
    assert (found.layers[0].parameters_formula, found.layers[0].macs_formula) == ("16·(3·7+1)", "498·16·3·7")


@pytest.mark.parametrize(
    ("layer", "shape", "parameters", "formula", "macs", "macs_formula"),
    [
        (nn.Conv3d(1, 4, 3), (1, 8, 8, 8), 112, "4·(3·3·3+1)", 23_328, "6·6·6·4·3·3·3"),
        (nn.Conv2d(4, 8, 3, groups=2), (4, 5, 5), 152, "8·(3·3·2+1)", 1_296, "3·3·8·3·3·2"),
        (nn.Conv2d(4, 4, 3, groups=4, bias=False), (4, 5, 5), 36, "4·3·3", 324, "3·3·4·3·3"),
        (nn.Conv2d(2, 3, 3, dilation=2), (2, 9, 9), 57, "3·(3·3·2+1)", 1_350, "5·5·3·3·3·2"),
        (nn.ConvTranspose2d(2, 3, 4, stride=2), (2, 5, 6), 99, "2·4·4·3+3", 2_880, "5·6·2·4·4·3"),
        (nn.ConvTranspose1d(4, 6, 3, groups=2, bias=False), (4, 5), 36, "4·3·3", 180, "5·4·3·3"),
    ],
)
def test_convolutions_of_all_kinds(
    layer: nn.Module, shape: tuple[int, ...], parameters: int, formula: str, macs: int, macs_formula: str
) -> None:
    (row,) = summary(layer, shape).layers
    assert (row.parameters, row.macs) == (parameters, macs)
    assert (row.parameters_formula, row.macs_formula) == (formula, macs_formula)
    assert worked_out(formula) == parameters == sum(p.numel() for p in layer.parameters())
    assert worked_out(macs_formula) == macs


class Functional(nn.Module):
    """A convolution called as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8, 3, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(functional.conv2d(x, self.weight))


def test_a_convolution_called_as_a_function_counts() -> None:
    (row,) = summary(Functional(), (3, 32, 32)).layers
    assert (row.parameters, row.macs, row.macs_formula) == (216, 194_400, "30·30·8·3·3·3")
    assert row.operations == 30 * 30 * 8


def test_a_transformer_layer_counts_projections_products_and_dense_layers() -> None:
    length, width, inner = 64, 48, 96
    layer = nn.TransformerEncoderLayer(width, 4, inner, batch_first=True)
    found = summary(nn.Sequential(nn.Flatten(2), Swap(), layer), (width, 8, 8))
    by_hand = length * (4 * width * width + 2 * width * inner) + 2 * length * length * width
    assert found.macs == by_hand
    assert found.parameters == 4 * (width * width + width) + 2 * width * inner + inner + width + 4 * width
    assert [worked_out(row.macs_formula) for row in found.layers] == [row.macs for row in found.layers]


class Swap(nn.Module):
    """Channels behind places."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


def test_attention_of_a_small_transformer_as_by_hand() -> None:
    tiny = timm.create_model("vit_tiny_patch16_224").eval()
    found = summary(tiny, (3, 224, 224))
    block = 197 * 12 * 192 * 192 + 2 * 197 * 197 * 192
    assert found.macs == 196 * 192 * 768 + 12 * block + 192 * 1000 == 1_253_683_200
    assert layers(found)["blocks.0.attn"].macs_formula == "3·197·197·64 + 3·197·64·197"


def test_every_formula_gives_its_number() -> None:
    for name in ("mobilenet_v2", "densenet121", "vit_b_16"):
        with torch.device("meta"):
            model = torchvision.models.get_model(name)
        for row in summary(model, (3, 224, 224)).layers:
            assert worked_out(row.parameters_formula) == row.parameters, row
            assert worked_out(row.macs_formula) == row.macs, row


def test_other_operations_by_hand() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Hardswish(),
        nn.LayerNorm([2, 2, 2]), nn.Flatten(), nn.Linear(8, 3, bias=False), nn.Softmax(1),
    )  # fmt: skip
    found = [row.operations for row in summary(model, (1, 8, 8)).layers]
    assert found == [128, 2 * 128, 128, 3 * 32, 4 * 8, 8, 7 * 8, 0, 0, 3 * 3]


def test_a_sum_of_two_paths_is_an_operation_of_the_block() -> None:
    with torch.device("meta"):
        model = torchvision.models.resnet18()
    block = layers(summary(model, (3, 224, 224)))["layer1.0"]
    assert (block.kind, block.macs, block.operations) == ("BasicBlock", 0, 64 * 56 * 56)


# ---------------------------------------------------------------------------- recurrence, and what has no rule


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers_count_every_step_direction_and_layer(kind: type[nn.RNNBase], gates: int) -> None:
    inputs, hidden, steps = 7, 16, 50
    (row,) = summary(kind(inputs, hidden, 2, batch_first=True, bidirectional=True), (steps, inputs)).layers
    first, second = gates * hidden * (inputs + hidden), gates * hidden * (2 * hidden + hidden)
    assert row.macs == steps * 2 * (first + second) == worked_out(row.macs_formula)
    assert row.operations > 0
    assert torch.backends.mkldnn.enabled
    assert torch.backends.cudnn.enabled


def test_the_formula_of_a_recurrent_layer_has_its_steps_as_a_factor() -> None:
    (row,) = summary(nn.LSTM(7, 16, batch_first=True), (50, 7)).layers
    assert row.macs_formula == "50·64·7 + 50·64·16"


class Fourier(nn.Module):
    """A layer, and an operation between layers for which there is no rule."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft2(self.layer(x)).real


def test_an_operation_without_a_rule_is_told_in_its_row_and_below_the_sum() -> None:
    found = summary(Fourier(), (3, 8, 8))
    assert layers(found)["Fourier"].uncounted == ("_fft_c2c",)
    assert layers(found)["layer"].uncounted == ()
    assert found.uncounted == "Not counted, so that the totals are too low: _fft_c2c (Fourier)."
    lines = str(found).splitlines()
    assert any(line.split()[:1] == ["Fourier"] and "not counted: _fft_c2c" in line for line in lines)
    assert lines[-1].strip() == found.uncounted


def test_products_with_a_vector_count() -> None:
    class Vector(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.dot(x[0, 0] @ torch.ones(6), torch.ones(4))

    found = summary(Vector(), (1, 4, 6))
    assert (found.macs, found.layers[0].macs_formula, found.uncounted) == (4 * 6 + 4, "4·6 + 4", "")


def test_all_of_shipped_networks_is_counted() -> None:
    for name in ("mobilenet_v2", "vit_b_16", "swin_t"):
        with torch.device("meta"):
            model = torchvision.models.get_model(name)
        assert summary(model, (3, 224, 224)).uncounted == ""
