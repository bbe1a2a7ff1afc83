"""A nine-layer residual network that learns CIFAR-10 in seconds on a card.

In the manner of David Page's entry to DAWNBench (2018, "How to train your ResNet"): 3×3 convolutions, each with batch
norm and CELU, a residual pair after the first and the third pooling, a maximum over what is left of the image, one
dense layer without bias, and logits scaled down. Parameters at 32×32×3 → 10: 6,573,120.
"""

from collections import OrderedDict
from typing import Literal

from jaxtyping import Float
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from assay.errors import AssayError

Maps = Float[Tensor, "batch channels height width"]
Norm = Literal["none", "batch", "group"]
ALPHA, GROUPS = 0.3, 32
"""Of CELU, and of a group norm."""


class Residual(nn.Module):
    """The input plus what two convolutions make of it."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.first, self.second = (convolution(channels, channels, norm) for _ in range(2))

    def forward(self, x: Maps) -> Maps:
        """Maps of the same shape."""
        out: Tensor = x + self.second(self.first(x))
        return out


class Scaled(nn.Module):
    """Times a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Numbers of the same shape."""
        return x * self.factor


def resnet9(
    shape: tuple[int, int, int],
    outputs: int,
    *,
    width: PositiveInt = 64,
    norm: Norm = "batch",
    skip: bool = True,
    scale: PositiveFloat = 0.125,
) -> nn.Module:
    """Images of ``shape`` (channels, height, width) → ``outputs`` logits.

    ``width`` is that of the first convolution, doubled by each of the next three (a multiple of 32 under a group
    norm); without ``skip`` the residual pairs are left out; logits are times ``scale``. Raises AssayError for images
    under 8×8, of which the poolings leave nothing.
    """
    if min(shape[1:]) < 8:
        raise AssayError(f"model 'resnet9': images of {shape[1]}×{shape[2]} are too small; 8×8 is the least")
    layers: list[tuple[str, nn.Module]] = [
        ("stem", convolution(shape[0], width, norm)),
        ("stage1", convolution(width, 2 * width, norm, pool=True)),
        *([("residual1", Residual(2 * width, norm))] if skip else []),
        ("stage2", convolution(2 * width, 4 * width, norm, pool=True)),
        ("stage3", convolution(4 * width, 8 * width, norm, pool=True)),
        *([("residual3", Residual(8 * width, norm))] if skip else []),
        ("maximum", nn.MaxPool2d((shape[1] // 8, shape[2] // 8))),
        ("flatten", nn.Flatten()),
        ("output", nn.Linear(8 * width, outputs, bias=False)),
        ("scale", Scaled(scale)),
    ]
    return nn.Sequential(OrderedDict(layers))


def convolution(before: int, after: int, norm: Norm, pool: bool = False) -> nn.Sequential:
    """A 3×3 convolution, a pooling where asked, the norm, CELU."""
    layers: list[tuple[str, nn.Module]] = [("conv", nn.Conv2d(before, after, 3, padding=1, bias=norm == "none"))]
    if pool:
        layers.append(("pool", nn.MaxPool2d(2)))
    if norm != "none":
        layers.append(("norm", nn.BatchNorm2d(after) if norm == "batch" else nn.GroupNorm(GROUPS, after)))
    return nn.Sequential(OrderedDict([*layers, ("celu", nn.CELU(ALPHA))]))
