"""The trunk of YOLOv5: a cross stage partial backbone, and a neck that hands its maps down and up again.

Half of the channels of a stage go around its residual blocks (CSPNet, Wang et al., arXiv:1911.11929); three poolings in
a row see what a pyramid of 5, 9 and 13 pixels does (He et al., arXiv:1406.4729); the neck is a feature pyramid (Lin et
al., arXiv:1612.03144) with a second way up (PANet, Liu et al., arXiv:1803.01534).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Maps = Float[Tensor, "batch _ _ _"]
STRIDES = (8, 16, 32)
"""Pixels of the image that one of each map stands for."""


def convolution(before: int, after: int, side: int = 1, stride: int = 1, padding: int | None = None) -> nn.Sequential:
    """A convolution without bias, batch norm, SiLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, side, stride, side // 2 if padding is None else padding, bias=False),
        nn.BatchNorm2d(after, eps=1e-3, momentum=0.03),
        nn.SiLU(),
    )


class Bottleneck(nn.Module):
    """A 1×1 and a 3×3 convolution, and the input added where it ``adds``."""

    def __init__(self, channels: int, adds: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(convolution(channels, channels), convolution(channels, channels, 3))
        self.adds = adds

    def forward(self, x: Maps) -> Maps:
        """Maps of the input's shape."""
        found: Tensor = self.layers(x)
        return x + found if self.adds else found


class CrossStage(nn.Module):
    """Half the channels through ``repeats`` bottlenecks, half around them, and both joined by a 1×1 convolution."""

    def __init__(self, before: int, after: int, repeats: int, adds: bool) -> None:
        super().__init__()
        half = after // 2
        self.through = nn.Sequential(convolution(before, half), *(Bottleneck(half, adds) for _ in range(repeats)))
        self.around = convolution(before, half)
        self.join = convolution(2 * half, after)

    def forward(self, x: Maps) -> Maps:
        """Maps of ``after`` channels at the same size."""
        joined: Tensor = self.join(torch.cat([self.through(x), self.around(x)], dim=1))
        return joined


class Pyramid(nn.Module):
    """The maps, and what one, two and three 5×5 poolings in a row make of them, side by side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = convolution(channels, channels // 2)
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)
        self.join = convolution(4 * (channels // 2), channels)

    def forward(self, x: Maps) -> Maps:
        """Maps of the input's shape."""
        near: Tensor = self.reduce(x)
        middle = self.pool(near)
        far = self.pool(middle)
        joined: Tensor = self.join(torch.cat([near, middle, far, self.pool(far)], dim=1))
        return joined


class Backbone(nn.Module):
    """A stem and four stages, each of half the size before it."""

    def __init__(self, channels: int, widths: Sequence[int], repeats: Sequence[int]) -> None:
        super().__init__()
        self.stem = convolution(channels, widths[0], 6, stride=2, padding=2)
        self.stages = nn.ModuleList(
            nn.Sequential(convolution(before, after, 3, stride=2), CrossStage(after, after, count, adds=True))
            for before, after, count in zip(widths, widths[1:], repeats, strict=False)
        )
        self.pyramid = Pyramid(widths[-1])

    def forward(self, images: Maps) -> list[Maps]:
        """The maps at ``STRIDES``."""
        found = [self.stem(images)]
        for stage in self.stages:
            found.append(stage(found[-1]))
        return [*found[-3:-1], self.pyramid(found[-1])]


class Neck(nn.Module):
    """Coarse maps handed down to fine ones, and these up again: every map that leaves knows of all that came."""

    def __init__(self, before: Sequence[int], after: Sequence[int], repeats: int) -> None:
        super().__init__()

        def stage(before: int, after: int) -> CrossStage:
            return CrossStage(before, after, repeats, adds=False)

        fine, middle, coarse = after
        self.narrow5, self.narrow4 = convolution(before[2], middle), convolution(middle, fine)
        self.down4, self.down3 = stage(middle + before[1], middle), stage(fine + before[0], fine)
        self.halve3, self.halve4 = convolution(fine, fine, 3, stride=2), convolution(middle, middle, 3, stride=2)
        self.up4, self.up5 = stage(2 * fine, middle), stage(2 * middle, coarse)

    def forward(self, maps: Sequence[Maps]) -> list[Maps]:
        """Maps of the channels ``after`` at the sizes of those that came."""
        narrow5 = self.narrow5(maps[2])
        narrow4 = self.narrow4(self.down4(_beside(_doubled(narrow5), maps[1])))
        found3 = self.down3(_beside(_doubled(narrow4), maps[0]))
        found4 = self.up4(_beside(self.halve3(found3), narrow4))
        return [found3, found4, self.up5(_beside(self.halve4(found4), narrow5))]


def _doubled(maps: Maps) -> Maps:
    return functional.interpolate(maps, scale_factor=2.0, mode="nearest")


def _beside(one: Maps, other: Maps) -> Maps:
    return torch.cat([one, other], dim=1)
