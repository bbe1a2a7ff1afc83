"""DeepLab: a class for every pixel by atrous convolution, part by part as its papers came to it.

A network that classifies images halves its maps five times, and what it says of an image is too coarse for its pixels.
Atrous convolution undoes the last halvings without a new weight: where a layer steps by one pixel instead of two, the
layers behind it leave one pixel out between those they look at, so that each sees what it saw, at four places for one
(Chen et al., arXiv:1606.00915). ``output_stride`` says how many pixels of the image one of the last map stands for.

Atrous spatial pyramid pooling (``aspp``) looks at the last map at several rates at once, and at its mean (Chen et al.,
arXiv:1706.05587). The decoder (``decoder``) adds what the second stage saw at a quarter of the image's size, where
edges still are, before the logits (DeepLabV3+, Chen et al., arXiv:1802.02611). The logits are interpolated bilinearly.

Parameters at 3 channels → 11 outputs: 3,960,939 by default, 3,831,275 without the decoder, 2,960,235 without the
pyramid, 2,830,571 without both. The output stride changes none of them.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from assay.models.segmenter import Images, Logits, Segmenter
from assay.recipe.section import Expected

Maps = Float[Tensor, "batch _ _ _"]
Rates = Annotated[
    Literal["none"] | Annotated[Sequence[PositiveInt], Field(min_length=1)],
    Expected("none, or a list of rates such as [6, 12, 18]"),
]
BLOCKS = 2
"""In each of the four stages."""
STAGES = 4


def deeplab(
    shape: tuple[int, int, int],
    outputs: int,
    *,
    width: PositiveInt = 32,
    output_stride: Literal[8, 16, 32] = 16,
    aspp: Rates = (6, 12, 18),
    decoder: bool = True,
) -> nn.Module:
    """Images of ``shape`` (channels, height, width) → ``outputs`` logits for every pixel.

    The encoder is a small residual network whose four stages have 1, 2, 4 and 8 times ``width`` channels. ``aspp``
    counts its rates in pixels of the last map: those of the paper are for output stride 16, and twice as far apart for
    8. Any size of images will do.
    """
    return DeepLab(shape[0], outputs, width, output_stride, () if aspp == "none" else tuple(aspp), decoder)


class DeepLab(Segmenter):
    """Encoder, pyramid, decoder where there is one, and a 1×1 convolution for the logits."""

    encoder_name = "encoder"
    output_names = ("output",)

    def __init__(
        self, channels: int, outputs: int, width: int, output_stride: int, rates: Sequence[int], decoder: bool
    ) -> None:
        super().__init__()
        self.multiple = output_stride
        self.encoder = encoder(channels, width, output_stride)
        self.aspp = Pyramid(8 * width, 4 * width, rates) if rates else convolution(8 * width, 4 * width, 1)
        self.decoder = Decoder(width, 4 * width, 2 * width) if decoder else None
        self.output = nn.Conv2d(2 * width if decoder else 4 * width, outputs, 1)

    def encode(self, images: Images) -> list[Maps]:
        """The maps at a quarter of the size, and the last ones, at 1/``output_stride`` of it."""
        early = self.encoder[:2](images)
        return [early, self.encoder[2:](early)]

    def decode(self, maps: Sequence[Maps]) -> Logits:
        """Logits at a quarter of the size, or without a decoder at 1/``output_stride`` of it."""
        early, last = maps
        found = self.aspp(last)
        if self.decoder is not None:
            found = self.decoder(early, found)
        logits: Tensor = self.output(found)
        return logits


def encoder(channels: int, width: int, output_stride: int) -> nn.Sequential:
    """A stem and four stages, each of half the size before it, until one pixel stands for ``output_stride``.

    From there on a stage does not step by two: all behind the place of that step looks twice as far apart.
    """
    stages: list[tuple[str, nn.Module]] = [("stem", convolution(channels, width, 3, stride=2))]
    reduction, rate, before = 2, 1, width
    for number in range(STAGES):
        after = width * 2**number
        halves = reduction < output_stride
        first = Residual(before, after, stride=2 if halves else 1, rate=rate, next_rate=rate if halves else 2 * rate)
        reduction, rate, before = (2 * reduction, rate, after) if halves else (reduction, 2 * rate, after)
        blocks = [first, *(Residual(after, after, 1, rate, rate) for _ in range(BLOCKS - 1))]
        stages.append((f"stage{number + 1}", nn.Sequential(*blocks)))
    return nn.Sequential(OrderedDict(stages))


class Residual(nn.Module):
    """The input plus what two 3×3 convolutions make of it (He et al., arXiv:1512.03385)."""

    def __init__(self, before: int, after: int, stride: int, rate: int, next_rate: int) -> None:
        super().__init__()
        self.first = convolution(before, after, 3, stride, rate)
        self.second = convolution(after, after, 3, 1, next_rate, activation=False)
        same = before == after and stride == 1
        self.shortcut = nn.Identity() if same else convolution(before, after, 1, stride, activation=False)

    def forward(self, x: Maps) -> Maps:
        """Maps of ``after`` channels, smaller by the stride."""
        return functional.relu(self.shortcut(x) + self.second(self.first(x)))


class Pyramid(nn.Module):
    """Atrous spatial pyramid pooling: a 1×1 convolution, a 3×3 one at each rate, the mean of the map; then all in one.

    At a rate as large as the map, only the middle of a 3×3 kernel meets it: the mean is there to see all.
    """

    def __init__(self, before: int, after: int, rates: Sequence[int]) -> None:
        super().__init__()
        near = convolution(before, after, 1)
        self.branches = nn.ModuleList([near, *(convolution(before, after, 3, rate=rate) for rate in rates)])
        self.mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), convolution(before, after, 1))
        self.project = convolution(after * (len(rates) + 2), after, 1)

    def forward(self, x: Maps) -> Maps:
        """Maps of ``after`` channels at the same size."""
        everywhere = self.mean(x).expand(-1, -1, *x.shape[2:])
        projected: Tensor = self.project(torch.cat([*(branch(x) for branch in self.branches), everywhere], dim=1))
        return projected


class Decoder(nn.Module):
    """What the pyramid found, interpolated to early maps and refined beside them."""

    def __init__(self, early: int, found: int, after: int) -> None:
        super().__init__()
        self.reduce = convolution(early, early, 1)
        self.refine = nn.Sequential(convolution(early + found, after, 3), convolution(after, after, 3))

    def forward(self, early: Maps, found: Maps) -> Maps:
        """Maps of ``after`` channels at the size of the early ones."""
        there = functional.interpolate(found, early.shape[2:], mode="bilinear", align_corners=False)
        refined: Tensor = self.refine(torch.cat([self.reduce(early), there], dim=1))
        return refined


def convolution(
    before: int, after: int, kernel: int, stride: int = 1, rate: int = 1, activation: bool = True
) -> nn.Sequential:
    """A convolution, atrous where ``rate`` is above 1, with batch norm and ReLU; it keeps the size, up to its stride.

    The kernel's weights lie ``rate`` pixels apart: a kernel of 3 at rate 2 is one of 5 with zeros in between.
    """
    padding = rate * (kernel // 2)
    layers: list[tuple[str, nn.Module]] = [
        ("conv", nn.Conv2d(before, after, kernel, stride, padding, dilation=rate, bias=False)),
        ("norm", nn.BatchNorm2d(after)),
    ]
    return nn.Sequential(OrderedDict([*layers, ("relu", nn.ReLU())] if activation else layers))
