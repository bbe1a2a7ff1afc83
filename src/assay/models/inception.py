"""Parallel paths of several kernels: the Inception module (Szegedy et al., arXiv:1409.4842), and a small network of it.

As a course has it on CIFAR-10: with batch normalisation 1,361,066 numbers, of which 1,360,298 are trained and 768 are
the running means and variances. It reached an accuracy of 0.741 after 8 epochs there.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn

from assay.errors import AssayError
from assay.models.layers import Dropout
from assay.recipe.section import Expected

Path = PositiveInt | tuple[PositiveInt, PositiveInt]
Paths = Annotated[
    tuple[PositiveInt, Path, Path, PositiveInt | Literal["none"]],
    Expected(
        "channels of four paths: 1×1, two larger kernels each as [reduced by 1×1, channels] or channels "
        "alone, and pooling ('none': without its 1×1), such as [64, [32, 64], [32, 64], 64]"
    ),
]
Kernels = Annotated[tuple[PositiveInt, PositiveInt], Expected("two odd sides such as [3, 5]")]


class Inception(nn.Module):
    """Four paths from the same maps, joined by channels: 1×1, two larger kernels, max pooling 3×3.

    A larger kernel has a 1×1 before it that reduces the channels where its path is a pair; pooling has a 1×1 behind it
    unless that is 'none', and then gives all channels that come in. Every convolution keeps height and width, and has a
    ReLU behind it.
    """

    def __init__(self, inputs: int, paths: Paths, kernels: tuple[int, int] = (3, 5)) -> None:
        super().__init__()
        if any(kernel % 2 == 0 for kernel in kernels):
            raise AssayError(f"kernels: found {list(kernels)}, expected odd sides, so that all paths have one size")
        alone, near, far, pooled = paths
        self.alone = _steps([(inputs, alone, 1)])
        self.near, self.far = (
            _steps([(inputs, path, kernel)] if isinstance(path, int) else [(inputs, path[0], 1), (*path, kernel)])
            for path, kernel in zip((near, far), kernels, strict=True)
        )
        projected = _steps([] if pooled == "none" else [(inputs, pooled, 1)])
        self.pooled = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), *projected)
        larger = (path if isinstance(path, int) else path[1] for path in (near, far))
        self.channels = alone + sum(larger) + (inputs if pooled == "none" else pooled)
        """That leave it."""

    def forward(self, maps: Float[Tensor, "batch inputs rows columns"]) -> Float[Tensor, "batch channels rows columns"]:
        """The same height and width."""
        return torch.cat([path(maps) for path in (self.alone, self.near, self.far, self.pooled)], dim=1)


def _steps(convolutions: Sequence[tuple[int, int, int]]) -> nn.Sequential:
    """(inputs, channels, kernel) of each."""
    return nn.Sequential(
        *(
            layer
            for inputs, channels, kernel in convolutions
            for layer in (nn.Conv2d(inputs, channels, kernel, padding=kernel // 2), nn.ReLU())
        )
    )


def inception(
    shape: tuple[int, int, int],
    outputs: int,
    *,
    paths: Paths = (64, (32, 64), (32, 64), 64),
    kernels: Kernels = (3, 5),
    norm: Literal["none", "batch"] = "batch",
    dropout: Dropout = 0.5,
) -> nn.Module:
    """Images of ``shape`` (channels, height, width) → ``outputs`` logits.

    3×3 convolutions of 32, 64 and 32 channels, 2×2 pooling, the module of ``paths``, 3×3 convolutions of 128 and 256
    channels with ``norm`` and ``dropout`` behind each, and a dense layer on all of these. Raises AssayError for even
    ``kernels`` and images below 2×2 pixels.
    """
    if min(shape[1:]) < 2:
        raise AssayError(f"model 'inception': images of {shape[1]}×{shape[2]} are too small to pool by 2×2")
    try:
        module = Inception(32, paths, kernels)
    except AssayError as error:
        raise AssayError(f"model.{error}") from None
    return nn.Sequential(
        OrderedDict(
            [
                *_convolutions([shape[0], 32, 64, 32], first=1),
                ("pool", nn.MaxPool2d(2)),
                ("inception", module),
                *_convolutions([module.channels, 128, 256], first=4, norm=norm, dropout=dropout),
                ("flatten", nn.Flatten()),
                ("output", nn.Linear(256 * (shape[1] // 2) * (shape[2] // 2), outputs)),
            ]
        )
    )


def _convolutions(
    channels: Sequence[int], first: int, norm: Literal["none", "batch"] = "none", dropout: float = 0.0
) -> Iterator[tuple[str, nn.Module]]:
    """3×3 with ReLU, numbered from ``first``."""
    for number, (before, after) in enumerate(pairwise(channels), start=first):
        yield f"conv{number}", nn.Conv2d(before, after, 3, padding=1)
        if norm == "batch":
            yield f"norm{number}", nn.BatchNorm2d(after)
        yield f"activation{number}", nn.ReLU()
        if dropout:
            yield f"dropout{number}", nn.Dropout(dropout)
