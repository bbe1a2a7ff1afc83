"""What a layer is set to, and how many parameters that takes, as a formula."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

POOLS = {nn.MaxPool1d: 1, nn.MaxPool2d: 2, nn.MaxPool3d: 3, nn.AvgPool1d: 1, nn.AvgPool2d: 2, nn.AvgPool3d: 3}
"""Kind of pooling → its dimensions."""


@dataclass(frozen=True)
class Window:
    """How a convolution or a pooling goes over its input: a number for each dimension."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    """In front; 'same' padding of an even kernel has one more behind."""
    dilation: tuple[int, ...]
    groups: int = 1

    def __str__(self) -> str:
        said = [times(self.kernel)]
        for word, values, usual in (
            ("stride", self.stride, 1),
            ("padding", self.padding, 0),
            ("dilation", self.dilation, 1),
        ):
            if any(value != usual for value in values):
                said.append(f"{word} {values[0] if len(set(values)) == 1 else times(values)}")
        return ", ".join([*said, *([f"groups {self.groups}"] if self.groups > 1 else [])])


def window(module: nn.Module) -> Window | None:
    """The window of a convolution or a pooling; None of a layer without one."""
    if isinstance(module, _ConvNd):
        return window_of(module)
    dimensions = next((n for kind, n in POOLS.items() if isinstance(module, kind)), 0)
    if dimensions:
        values: list[Any] = [module.kernel_size, module.stride, module.padding, getattr(module, "dilation", 1)]
        kernel, stride, padding, rate = (each(value, dimensions) for value in values)
        return Window(kernel, stride, padding, rate)
    return None


def window_of(convolution: _ConvNd) -> Window:
    """The window of a convolution; ``same`` is half of what the kernel spans beyond 1, ``valid`` nothing."""
    kernel, dilation, padding = convolution.kernel_size, convolution.dilation, convolution.padding
    if isinstance(padding, str):
        halves = [d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)]
        padding = tuple(half if padding == "same" else 0 for half in halves)
    return Window(tuple(kernel), tuple(convolution.stride), tuple(padding), tuple(dilation), convolution.groups)


def each(value: int | tuple[int, ...] | list[int], dimensions: int) -> tuple[int, ...]:
    """One value a dimension."""
    many = (value,) if isinstance(value, int) else tuple(value)
    return many * dimensions if len(many) == 1 else many


def times(values: Iterable[int]) -> str:
    """``7×7``."""
    return "×".join(map(str, values))


def product(factors: Iterable[int]) -> str:
    """``112·112·64``, without ones; ``1`` where nothing is left."""
    return "·".join(f"{n:,}" for n in factors if n != 1) or "1"


def parameters_formula(module: nn.Module) -> str:
    """What the parameters of the layer itself are counted by: ``16·(3·7+1)``; empty where it has none."""
    own = dict(module.named_parameters(recurse=False))
    if not own:
        return ""
    bias = "+1" if own.get("bias") is not None else ""
    if isinstance(module, _ConvNd) and own.keys() <= {"weight", "bias"}:
        given, made = module.in_channels, module.out_channels
        per_channel = f"{product([*module.kernel_size, given // module.groups])}{bias}"
        if isinstance(module, _ConvTransposeNd):
            return f"{product([given, *module.kernel_size, made // module.groups])}{f'+{made:,}' if bias else ''}"
        return f"{made:,}·({per_channel})" if bias else product([made, *module.kernel_size, given // module.groups])
    if isinstance(module, nn.Linear) and own.keys() <= {"weight", "bias"}:
        return f"{module.out_features:,}·({module.in_features:,}{bias})" if bias else product(own["weight"].shape)
    if isinstance(module, _BatchNorm | nn.LayerNorm | nn.GroupNorm) and own.keys() == {"weight", "bias"}:
        return f"2·{product(own['weight'].shape)}"
    return " + ".join(product(each.shape) for each in own.values())
