"""The layers that a network without code may have: what each is told, and what it leaves of a shape."""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import NonNegativeInt, PositiveInt
from torch import nn

from assay.errors import AssayError, amount, unknown
from assay.models.inception import Inception, Paths
from assay.models.layer_table.window import times
from assay.models.layers import ACTIVATIONS, Dropout
from assay.recipe.section import Expected, Section
from assay.recipe.validation import mistakes

Shape = tuple[int, ...]
"""Channels, then the dimensions; after ``flatten`` one number."""
Side = PositiveInt | tuple[PositiveInt, ...]
Padding = Literal["same", "valid"] | NonNegativeInt | tuple[NonNegativeInt, ...]
CONVOLUTIONS: tuple[Any, ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED: tuple[Any, ...] = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
MAX_POOLS: tuple[Any, ...] = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
AVERAGE_POOLS: tuple[Any, ...] = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
BATCH_NORMS: tuple[Any, ...] = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
AVERAGES: tuple[Any, ...] = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
DIMENSIONS = ("", "one dimension", "two dimensions", "three dimensions")


class Convolution(Section):
    """``{conv2d: {filters: 16, kernel: 3}}``; a number, or a list with one for each dimension."""

    filters: PositiveInt
    kernel: Side = 3
    stride: Side = 1
    padding: Padding = "valid"
    dilation: Side = 1
    groups: PositiveInt = 1
    bias: bool = True


class Transposed(Section):
    """``{transposed_conv2d: {filters: 16, kernel: 2, stride: 2}}``."""

    filters: PositiveInt
    kernel: Side = 2
    stride: Side = 2
    padding: NonNegativeInt | tuple[NonNegativeInt, ...] = 0
    groups: PositiveInt = 1
    bias: bool = True


class Pool(Section):
    """``{max_pool2d: 2}``: the stride is the kernel unless it is told."""

    kernel: Side = 2
    stride: Side | None = None
    padding: NonNegativeInt | tuple[NonNegativeInt, ...] = 0


class Dense(Section):
    """``{dense: 128}``."""

    units: PositiveInt
    bias: bool = True


class Dropping(Section):
    """``{dropout: 0.5}``."""

    share: Dropout = 0.5


class Nothing(Section):
    """``flatten``: takes no options."""


class Branches(Section):
    """``{inception: {paths: [64, [32, 64], [32, 64], 64]}}``."""

    paths: Paths
    kernels: Annotated[tuple[PositiveInt, PositiveInt], Expected("two sides")] = (3, 5)


Options = Any
Make = Callable[[Options, Shape], tuple[nn.Module, Shape]]
"""(options, shape that comes in) → the layer and the shape that leaves it; AssayError says what is wrong."""


def made(entry: str | Mapping[str, Any], shape: Shape, where: str) -> tuple[str, nn.Module, Shape]:
    """The kind of layer, the layer, and what it leaves of ``shape``. Raises AssayError, whose text begins ``where``."""
    if isinstance(entry, str):
        entry = {entry: {}}
    if len(entry) != 1:
        raise AssayError(
            f"{where}: found {len(entry)} keys, expected one layer: its name, or a pair such as dense: 128"
        )
    ((name, told),) = entry.items()
    if name not in LAYERS:
        raise AssayError(f"{where}: {unknown('layer', name, LAYERS)}")
    kind, make = LAYERS[name]
    values = told if isinstance(told, Mapping) else {} if told is None else {next(iter(kind.model_fields), name): told}
    if wrong := mistakes(kind, dict(values)):
        raise AssayError(f"{where} ({name}): {'; '.join(wrong)}")
    options = kind.model_validate(values)
    needed = int(name[-2]) if name[-1] == "d" and name[-2].isdigit() else None
    found = len(shape) - 1
    if needed not in (None, found):
        comes = DIMENSIONS[found] or "numbers"
        raise AssayError(
            f"{where} ({name}): needs channels and {DIMENSIONS[needed or 0]}, and {times(shape)} comes in, {comes}"
        )
    try:
        return name, *make(options, shape)
    except AssayError as error:
        raise AssayError(f"{where} ({name}): {error}") from None


def _convolution(told: Convolution, shape: Shape) -> tuple[nn.Module, Shape]:
    dims = len(shape) - 1
    kernel, stride, dilation = (_each(value, dims) for value in (told.kernel, told.stride, told.dilation))
    _check_groups(told.groups, shape[0], told.filters)
    if told.padding == "same" and max(stride) > 1:
        raise AssayError(f"padding 'same' needs stride 1, found {times(stride)}")
    padding = told.padding if isinstance(told.padding, str) else _each(told.padding, dims)
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if padding == "same":
        sides = shape[1:]
    else:
        sides = _slid(shape[1:], spans, stride, (0,) * dims if padding == "valid" else padding)
    layer = CONVOLUTIONS[dims - 1](
        shape[0], told.filters, kernel, stride, padding, dilation, groups=told.groups, bias=told.bias
    )
    return layer, (told.filters, *sides)


def _transposed(told: Transposed, shape: Shape) -> tuple[nn.Module, Shape]:
    dims = len(shape) - 1
    kernel, stride, padding = (_each(value, dims) for value in (told.kernel, told.stride, told.padding))
    _check_groups(told.groups, shape[0], told.filters)
    sides = tuple((n - 1) * s - 2 * p + k for n, s, p, k in zip(shape[1:], stride, padding, kernel, strict=True))
    if min(sides) < 1:
        raise AssayError(f"padding {times(padding)} leaves nothing of {times(shape)} with kernel {times(kernel)}")
    layer = TRANSPOSED[dims - 1](shape[0], told.filters, kernel, stride, padding, groups=told.groups, bias=told.bias)
    return layer, (told.filters, *sides)


def _check_groups(groups: int, given: int, filters: int) -> None:
    for count, what in ((given, f"{amount(given, 'channel')} of what comes in"), (filters, amount(filters, "filter"))):
        if count % groups:
            raise AssayError(f"{groups} groups do not divide the {what}")


def _pool(kinds: tuple[Any, ...]) -> Make:
    def make(told: Pool, shape: Shape) -> tuple[nn.Module, Shape]:
        dims = len(shape) - 1
        kernel, padding = _each(told.kernel, dims), _each(told.padding, dims)
        stride = kernel if told.stride is None else _each(told.stride, dims)
        if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
            raise AssayError(f"padding {times(padding)} is more than half of the kernel {times(kernel)}")
        sides = _slid(shape[1:], kernel, stride, padding)
        return kinds[dims - 1](kernel, stride, padding), (shape[0], *sides)

    return make


def _slid(sides: Shape, spans: Any, stride: Shape, padding: Shape) -> Shape:
    """What windows that span so much leave."""
    padded = [n + 2 * p for n, p in zip(sides, padding, strict=True)]
    if any(span > n for span, n in zip(spans, padded, strict=True)):
        raise AssayError(
            f"the kernel spans {times(spans)}, more than the {times(padded)} that come in (padding included)"
        )
    return tuple((n - span) // s + 1 for n, span, s in zip(padded, spans, stride, strict=True))


def _each(value: Any, dims: int) -> Shape:
    many = (value,) * dims if isinstance(value, int) else tuple(value)
    if len(many) != dims:
        raise AssayError(
            f"found {amount(len(many), 'number')}, {times(many)}, expected one for each of {DIMENSIONS[dims]}"
        )
    return many


def _dense(told: Dense, shape: Shape) -> tuple[nn.Module, Shape]:
    return nn.Linear(flat(shape), told.units, bias=told.bias), (told.units,)


def flat(shape: Shape) -> int:
    """The number of features; AssayError where they still have places."""
    if len(shape) != 1:
        raise AssayError(f"takes a row of numbers, and {times(shape)} comes in; put flatten or average before it")
    return shape[0]


def _flatten(told: Nothing, shape: Shape) -> tuple[nn.Module, Shape]:
    return nn.Flatten(), (math.prod(shape),)


def _average(told: Nothing, shape: Shape) -> tuple[nn.Module, Shape]:
    if len(shape) == 1:
        raise AssayError(f"takes the mean over places, and {times(shape)} comes in, without any")
    return nn.Sequential(AVERAGES[len(shape) - 2](1), nn.Flatten()), shape[:1]


def _batch_norm(told: Nothing, shape: Shape) -> tuple[nn.Module, Shape]:
    return BATCH_NORMS[max(0, len(shape) - 2)](shape[0]), shape


def _value_by_value(kind: type[nn.Module]) -> Make:
    return lambda told, shape: (kind(), shape)


def _inception(told: Branches, shape: Shape) -> tuple[nn.Module, Shape]:
    if len(shape) != 3:
        raise AssayError(f"needs channels and two dimensions, and {times(shape)} comes in")
    layer = Inception(shape[0], told.paths, told.kernels)
    return layer, (layer.channels, *shape[1:])


LAYERS: dict[str, tuple[type[Section], Make]] = {
    **{f"conv{n}d": (Convolution, _convolution) for n in (1, 2, 3)},
    **{f"transposed_conv{n}d": (Transposed, _transposed) for n in (1, 2, 3)},
    **{f"max_pool{n}d": (Pool, _pool(MAX_POOLS)) for n in (1, 2, 3)},
    **{f"average_pool{n}d": (Pool, _pool(AVERAGE_POOLS)) for n in (1, 2, 3)},
    "average": (Nothing, _average),
    "flatten": (Nothing, _flatten),
    "dense": (Dense, _dense),
    "batch_norm": (Nothing, _batch_norm),
    "dropout": (Dropping, lambda told, shape: (nn.Dropout(told.share), shape)),
    "inception": (Branches, _inception),
    **{name: (Nothing, _value_by_value(kind)) for name, kind in ACTIVATIONS.items()},
}
"""Name → (its options, how it is made)."""
