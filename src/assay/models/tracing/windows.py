"""What goes over one dimension in windows: the largest value that each window holds."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

NOTHING = -math.inf
"""The reach of what does not depend on the input."""


def along(values: Tensor, dim: int, change: Callable[[Tensor], Tensor]) -> Tensor:
    """``change`` of the dimension, as the last one; one that is the same everywhere stays as it is."""
    return values if values.shape[dim] == 1 else change(values.movedim(dim, -1)).movedim(-1, dim)


def slid(values: Tensor, dim: int, size: int, kernel: int, stride: int, padding: int = 0, dilation: int = 1) -> Tensor:
    """The largest in each of ``size`` windows; what is padded holds nothing."""

    def change(line: Tensor) -> Tensor:
        reach = (kernel - 1) * dilation + 1
        behind = max(0, (size - 1) * stride + reach - padding - line.shape[-1])
        padded = functional.pad(line, (padding, behind), value=NOTHING)
        return padded.unfold(-1, reach, stride)[..., :size, ::dilation].amax(-1)

    return along(values, dim, change)


def spread(values: Tensor, dim: int, size: int, kernel: int, stride: int, padding: int, dilation: int) -> Tensor:
    """The same of a transposed convolution: each value goes into ``kernel`` places, ``stride`` apart from the next."""

    def change(line: Tensor) -> Tensor:
        apart = line.new_full((*line.shape[:-1], (line.shape[-1] - 1) * stride + 1), NOTHING)
        apart[..., ::stride] = line
        reach = (kernel - 1) * dilation
        return slid(apart, -1, size, kernel, 1, reach - padding, dilation) if reach >= padding else apart[..., :size]

    return along(values, dim, change)


def adapted(values: Tensor, dim: int, size: int) -> Tensor:
    """The largest in each window of an adaptive pooling to ``size``."""

    def change(line: Tensor) -> Tensor:
        n = line.shape[-1]
        ends = [(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]
        return torch.stack([line[..., a:b].amax(-1) for a, b in ends], -1)

    return along(values, dim, change)


def enlarged(values: Tensor, dim: int, size: int, taps: range, corners: bool) -> Tensor:
    """The largest of the neighbours that interpolation to ``size`` weighs: ``taps`` places from the one below."""

    def change(line: Tensor) -> Tensor:
        n, places = line.shape[-1], torch.arange(size, dtype=torch.float64)
        source = places * ((n - 1) / max(1, size - 1)) if corners else (places + 0.5) * (n / size) - 0.5
        below = source.floor()
        between = source > below
        near = [line[..., (below + tap * between).clamp(0, n - 1).long()] for tap in taps]
        return torch.stack(near).amax(0)

    return along(values, dim, change)


def repeated(values: Tensor, dim: int, size: int) -> Tensor:
    """Each place as the nearest one below, as interpolation to ``size`` by the nearest takes it."""
    return along(values, dim, lambda line: line[..., torch.arange(size) * line.shape[-1] // size])


def bordered(values: Tensor, dim: int, before: int, after: int, mode: str) -> Tensor:
    """Padded by nothing (``constant``), or by places inside (``reflect``, ``edge``, ``wrap``); cropped below 0."""

    def change(line: Tensor) -> Tensor:
        places = np.arange(line.shape[-1])[max(0, -before) : line.shape[-1] - max(0, -after)]
        pads = (max(0, before), max(0, after))
        if mode == "constant":
            return functional.pad(line[..., torch.from_numpy(places)], pads, value=NOTHING)
        return line[..., torch.from_numpy(np.pad(places, pads, mode=mode))]  # type: ignore[call-overload]

    return along(values, dim, change)
