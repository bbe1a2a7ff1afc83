"""The residual network with ELU on which the separation of layers was first shown for CIFAR-10 (32×32×3 → 10 classes).

Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units", arXiv:1511.07289, for the
activation; He et al., arXiv:1512.03385, for the block. Parameters at 32×32×3 → 10: 1,710,794 plain.
"""

from collections import OrderedDict
from typing import Literal

from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn

from assay.errors import AssayError

Norm = Literal["none", "batch", "group", "layer"]
Maps = Float[Tensor, "batch channels height width"]

BLOCK_GROUPS, GROUPS = 4, 32
"""Groups of a group norm in a block and outside."""


class Residual(nn.Module):
    """Sum of ``paths`` branches conv-norm-ELU-conv-norm, plus the input when ``skip``, then ELU."""

    def __init__(self, channels: int, side: tuple[int, int], norm: Norm, paths: int, skip: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                OrderedDict(
                    [
                        ("conv1", nn.Conv2d(channels, channels, 3, padding=1)),
                        *norm_layer(norm, "norm1", channels, side, BLOCK_GROUPS),
                        ("elu1", nn.ELU()),
                        ("conv2", nn.Conv2d(channels, channels, 3, padding=1)),
                        *norm_layer(norm, "norm2", channels, side, BLOCK_GROUPS),
                    ]
                )
            )
            for _ in range(paths)
        )
        self.skip = skip
        self.elu = nn.ELU()

    def forward(self, x: Maps) -> Maps:
        """The block's output, of the input's shape."""
        total = sum(branch(x) for branch in self.branches)
        return self.elu(total + x if self.skip else total)  # type: ignore[no-any-return]


def elu_resnet(
    shape: tuple[int, int, int],
    outputs: int,
    *,
    norm: Norm = "none",
    skip: bool = True,
    conv4: Literal["3x3", "1x1"] = "3x3",
    paths: PositiveInt = 1,
    blocks: PositiveInt = 1,
    softmax: bool = False,
) -> nn.Module:
    """Images of ``shape`` (channels, height, width) → ``outputs`` logits.

    ``norm`` follows each convolution; ``layer`` is over channels × height × width. ``conv4: 1x1`` puts a 1×1
    convolution with padding 1 in place of the last 3×3 before the second block. ``paths`` branches are summed in each
    block; ``blocks`` stand in a row in place of one. ``softmax: true`` puts a softmax before the loss, a common
    mistake, so that a study can show what it costs. Raises AssayError for images too small for the poolings.
    """
    height, width = shape[1:]
    halves = [(height >> n, width >> n) for n in range(4)]
    last = halves[3] if conv4 == "3x3" else ((halves[2][0] + 2) // 2, (halves[2][1] + 2) // 2)
    if min(last) < 3:
        raise AssayError(
            f"model 'elu_resnet': images of {height}×{width} are too small for this network; "
            f"24×24 is the least ('conv4: 1x1' needs 16×16)"
        )
    kernel, wide = (3, halves[2]) if conv4 == "3x3" else (1, (halves[2][0] + 2, halves[2][1] + 2))
    pooled = ((last[0] - 3) // 2 + 1) * ((last[1] - 3) // 2 + 1)
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(shape[0], 32, 3, padding=1)),
        *norm_layer(norm, "norm1", 32, halves[0], GROUPS),
        ("elu1", nn.ELU()),
        ("conv2", nn.Conv2d(32, 64, 3, padding=1)),
        *norm_layer(norm, "norm2", 64, halves[0], GROUPS),
        ("elu2", nn.ELU()),
        ("pool1", nn.MaxPool2d(2)),
        *((f"block1_{n}", Residual(64, halves[1], norm, paths, skip)) for n in range(1, blocks + 1)),
        ("conv3", nn.Conv2d(64, 128, 3, padding=1)),
        *norm_layer(norm, "norm3", 128, halves[1], GROUPS),
        ("elu3", nn.ELU()),
        ("pool2", nn.MaxPool2d(2)),
        ("conv4", nn.Conv2d(128, 256, kernel, padding=1)),
        *norm_layer(norm, "norm4", 256, wide, GROUPS),
        ("elu4", nn.ELU()),
        ("pool3", nn.MaxPool2d(2)),
        *((f"block2_{n}", Residual(256, last, norm, paths, skip)) for n in range(1, blocks + 1)),
        ("average_pool", nn.AvgPool2d(3, stride=2)),
        ("flatten", nn.Flatten()),
        ("dense1", nn.Linear(256 * pooled, 256)),
        ("output", nn.Linear(256, outputs)),
    ]
    return nn.Sequential(OrderedDict([*layers, ("softmax", nn.Softmax(dim=1))] if softmax else layers))


def norm_layer(norm: Norm, name: str, channels: int, side: tuple[int, int], groups: int) -> list[tuple[str, nn.Module]]:
    """The named norm after a convolution with ``channels`` maps of ``side`` (height, width), or nothing."""
    match norm:
        case "none":
            return []
        case "batch":
            return [(name, nn.BatchNorm2d(channels))]
        case "group":
            return [(name, nn.GroupNorm(groups, channels))]
        case "layer":
            return [(name, nn.LayerNorm([channels, *side]))]
