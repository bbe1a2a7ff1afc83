"""The table of a network's layers, against counts by hand and published ones."""

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

from assay.models import Layer, Summary, build, summary
from assay.recipe import Model


def layers(found: Summary) -> dict[str, Layer]:
    return {layer.name: layer for layer in found.layers}


def test_mlp_by_hand() -> None:
    found = summary(build(Model(name="mlp", hidden=[32]), (1, 8, 8), 10), (1, 8, 8))
    assert found.parameters == found.trainable_parameters == 65 * 32 + 33 * 10
    assert found.macs == 64 * 32 + 32 * 10
    assert found.weight_bytes == 4 * found.parameters
    assert found.activation_bytes == 4 * (32 + 32 + 10)
    assert found.layers == (
        Layer("flatten", "Flatten", (64,), 0, 0, 0),
        Layer("dense1", "Linear", (32,), 65 * 32, 64 * 32, 128),
        Layer("activation1", "ReLU", (32,), 0, 0, 128),
        Layer("output", "Linear", (10,), 330, 320, 40),
    )


def test_cnn_by_hand() -> None:
    model = build(Model(name="cnn", channels=[16, 32], padding=[1, 0], norm="batch", dense=[64, 32]), (1, 28, 28), 10)
    found = summary(model, (1, 28, 28))
    rows = layers(found)
    assert rows["conv1"] == Layer("conv1", "Conv2d", (16, 28, 28), 160, 28 * 28 * 16 * 9, 4 * 16 * 28 * 28)
    assert rows["conv2"] == Layer("conv2", "Conv2d", (32, 12, 12), 4640, 12 * 12 * 32 * 16 * 9, 4 * 32 * 12 * 12)
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
    assert rows["twice"] == Layer("twice", "Linear", (6,), 42, 2 * 36, 2 * 24)
    assert rows["Unusual"] == Layer("Unusual", "Unusual", (2,), 6, 12, 0)
    assert rows["read"] == Layer("read", "Linear", (), 12, 0, 0)
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
    assert lines[0].split() == ["layer", "kind", "output", "parameters", "MACs", "bytes", "out"]
    assert any(line.split() == ["dense1", "Linear", "100", "78,500", "78,400", "400"] for line in lines)
    assert any(line.split() == ["total", "79,510", "79,400", "840"] for line in lines)
    assert lines[-1].strip() == "79,510 trainable parameters, 318,040 bytes of weights and buffers"
