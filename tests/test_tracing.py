"""Receptive fields and graphs of networks: against those worked out by hand, and against pixels sent through."""

from typing import Any

import pytest
import timm
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from assay.models.tracing import Graph, Untraceable, receptive_fields, trace
from one_dimensional import one_dimensional


def fields(model: nn.Module, shape: tuple[int, ...]) -> dict[str, str]:
    return {name: str(field) for name, field in receptive_fields(model, shape).items()}


def light(name: str) -> nn.Module:
    with torch.device("meta"):
        return torchvision.models.get_model(name)


def test_a_network_in_one_dimension() -> None:
    found = fields(one_dimensional(), (7, 500))
    assert [found[str(n)] for n in (0, 2, 3, 5, 6, 8)] == ["3", "4", "12", "14", "30", "34"]
    assert found["9"] == "34"
    assert found["10"] == "498"  # the last pooling leaves two places out


def test_known_networks() -> None:
    residual = fields(light("resnet18"), (3, 224, 224))
    assert (residual["conv1"], residual["maxpool"], residual["layer4"]) == ("7×7", "11×11", "435×435")
    assert residual["avgpool"] == residual["fc"] == "all"
    assert fields(light("vgg16"), (3, 224, 224))["features.30"] == "212×212"


@pytest.mark.parametrize(("kernel", "rate", "side"), [(3, 2, 5), (3, 6, 13), (3, 12, 25), (3, 18, 37), (5, 3, 13)])
def test_a_dilated_kernel_spans_k_and_k_minus_1_times_rate_minus_1(kernel: int, rate: int, side: int) -> None:
    model = nn.Conv2d(1, 2, kernel, dilation=rate)
    assert fields(model, (1, 64, 64)) == {"Conv2d": f"{side}×{side}"}
    assert side == kernel + (kernel - 1) * (rate - 1)


def test_dilated_convolutions_one_after_the_other() -> None:
    model = nn.Sequential(*(nn.Conv1d(1, 1, 3, dilation=rate) for rate in (1, 2, 4)))
    assert list(fields(model, (1, 64)).values())[:3] == ["3", "7", "15"]


def test_what_is_flattened_keeps_its_field_in_images_smaller_than_that() -> None:
    convolutions = [nn.Conv2d(1, 32, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.MaxPool2d(2)]
    found = fields(nn.Sequential(*convolutions, nn.Flatten(), nn.ReLU(), nn.Linear(256, 10)), (1, 8, 8))
    assert [found[str(n)] for n in range(7)] == ["3×3", "4×4", "8×8", "10×10", "10×10", "10×10", "all"]


def test_a_long_wave_is_seen_whole_however_long() -> None:
    model = nn.Sequential(nn.Conv1d(1, 1, 3, padding=1), nn.AdaptiveAvgPool1d(1))
    assert fields(model, (1, 9000))["1"] == "all"


def test_three_dimensions_each_have_their_own() -> None:
    model = nn.Sequential(nn.Conv3d(1, 4, (1, 3, 5)), nn.MaxPool3d(2), nn.Conv3d(4, 2, 3))
    assert list(fields(model, (1, 20, 20, 20)).values())[:3] == ["1×3×5", "2×4×6", "6×8×10"]


class Paths(nn.Module):
    """Two paths that are joined, and one around both."""

    def __init__(self) -> None:
        super().__init__()
        self.near = nn.Conv2d(3, 4, 3, padding=1)
        self.far = nn.Conv2d(3, 4, 7, padding=3)
        self.last = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([self.near(x), self.far(x)], 1)
        return functional.relu(self.last(joined)) + joined


def test_paths_join_where_they_are_joined() -> None:
    found = trace(Paths(), (3, 16, 16))
    names = [f"{node.name}:{node.kind}" for node in found.nodes]
    assert names == ["input:input", "near:Conv2d", "far:Conv2d", "Paths:concatenate", "last:Conv2d", "Paths:+"]
    assert arrows(found) == {(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (3, 5), (4, 5)}
    assert [node.shape for node in found.nodes] == [(3, 16, 16), *[(4, 16, 16)] * 2, *[(8, 16, 16)] * 3]
    assert fields(Paths(), (3, 16, 16)) == {"near": "3×3", "far": "7×7", "last": "9×9", "Paths": "9×9"}


def arrows(graph: Graph) -> set[tuple[int, int]]:
    return {(edge.start, edge.end) for edge in graph.edges}


def test_a_layer_that_hands_on_its_input_leaves_the_path_around_it_alone() -> None:
    class Skipped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dropped = nn.Dropout(0.5)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.dropped(x)

    assert arrows(trace(Skipped(), (1, 4, 4))) == {(0, 1), (0, 2), (1, 2)}


def test_every_skip_of_a_residual_network_is_in_its_graph() -> None:
    found = trace(light("resnet18"), (3, 224, 224))
    sums = [n for n, node in enumerate(found.nodes) if node.kind == "+"]
    assert len(sums) == 8
    assert all(sum(edge.end == n for edge in found.edges) == 2 for n in sums)


def test_attention_and_squeezing_see_the_whole_picture() -> None:
    tiny = fields(timm.create_model("vit_tiny_patch16_224"), (3, 224, 224))
    assert (tiny["patch_embed.proj"], tiny["blocks.0.norm1"], tiny["blocks.0.attn"]) == ("16×16", "16×16", "all")

    class Squeezed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * x.mean((2, 3), keepdim=True).sigmoid()

    assert fields(Squeezed(), (3, 32, 32)) == {"Squeezed": "all"}


def test_a_norm_over_the_picture_by_its_dimensions() -> None:
    class Measured(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / x.norm(p=2, dim=3, keepdim=True)

    assert fields(Measured(), (3, 8, 6)) == {"Measured": "1×6"}


# ------------------------------------------------------------------------------ against single pixels

STEPS: dict[str, Any] = {
    "conv": lambda k, s, p, d: nn.Conv2d(2, 2, k, s, p, d, bias=False),
    "grouped": lambda k, s, p, d: nn.Conv2d(2, 2, k, s, p, d, groups=2, bias=False),
    "transposed": lambda k, s, p, d: nn.ConvTranspose2d(2, 2, k, s, min(p, k - 1), dilation=d, bias=False),
    "average": lambda k, s, p, d: nn.AvgPool2d(k, s, min(p, k // 2), ceil_mode=bool(d - 1)),
    "adaptive": lambda k, s, p, d: nn.AdaptiveAvgPool2d((k + 2, s + 2)),
    "bilinear": lambda k, s, p, d: nn.Upsample(scale_factor=s, mode="bilinear"),
    "nearest": lambda k, s, p, d: nn.Upsample(scale_factor=s, mode="nearest"),
    "padded": lambda k, s, p, d: nn.ZeroPad2d((p, s, 0, p)),
    "reflected": lambda k, s, p, d: nn.ReflectionPad2d((p, 1, s, 0)),
    "shuffled": lambda k, s, p, d: nn.Sequential(nn.Conv2d(2, 8, k, padding=p, bias=False), nn.PixelShuffle(2)),
}
numbers = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), numbers), min_size=1, max_size=3), st.booleans())
def test_reach_is_from_where_single_pixels_come_through_positive_weights(
    steps: list[tuple[str, tuple[int, int, int, int]]], around: bool
) -> None:
    layers = nn.Sequential(*(STEPS[name](*numbers) for name, numbers in steps)).double()
    for parameter in layers.parameters():
        nn.init.ones_(parameter)
    model = Around(layers) if around else layers
    places = torch.eye(8 * 7, dtype=torch.float64).reshape(-1, 1, 8, 7).expand(-1, 2, -1, -1)
    try:
        touched = (model(places) > 0).reshape(8, 7, -1)
    except RuntimeError:
        return
    largest = [max(map(extent, touched.any(other).T)) for other in (1, 0)]
    assert trace(model, (2, 8, 7)).reach[type(model).__name__] == tuple(largest)


def extent(touched: Tensor) -> int:
    """From the first to the last."""
    places = touched.nonzero()
    return int(places[-1] - places[0]) + 1 if len(places) else 0


class Around(nn.Module):
    """Layers with a path around them, in the output's size."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return torch.cat([y, functional.adaptive_avg_pool2d(x, y.shape[2:])], 1)


# ----------------------------------------------------------------------------- what cannot be followed


def test_a_path_that_depends_on_the_picture_is_refused() -> None:
    class Chosen(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(Untraceable, match=r"^its path depends on the numbers in the picture$"):
        trace(Chosen(), (1, 4, 4))


def test_complex_numbers_are_refused() -> None:
    class Waves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.fft.fft2(x).abs()

    with pytest.raises(Untraceable, match=r"^it computes with complex numbers$"):
        trace(Waves(), (1, 4, 4))


def test_writing_into_a_part_is_refused() -> None:
    class Written(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.clone()
            y[:, :, 0] = x[:, :, 1]
            return y

    with pytest.raises(Untraceable, match="writes into a part"):
        trace(Written(), (1, 4, 4))


def test_the_model_stays_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Dropout(0.5))
    model[1].eval()
    receptive_fields(model, (1, 8, 8))
    assert [module.training for module in model.modules()] == [True, True, False]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
