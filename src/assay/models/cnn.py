"""A plain convolutional network: convolutions, then dense layers."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import NonNegativeInt, PositiveInt
from torch import nn

from assay.errors import AssayError
from assay.models.layers import ACTIVATIONS, Activation, Dropout, Sizes, dense_layers
from assay.recipe.section import Expected

Padding = Literal["same", "valid"] | NonNegativeInt
Pool = Literal["max", "average", "none"]
Norm = Literal["none", "batch"]

POOLS: dict[Pool, type[nn.MaxPool2d] | type[nn.AvgPool2d]] = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


def cnn(
    shape: tuple[int, int, int],
    outputs: int,
    *,
    channels: Sizes = (32, 64),
    kernels: Annotated[
        PositiveInt | Sequence[PositiveInt],
        Expected("a side in pixels, or a list with one for each convolution"),
    ] = 3,
    padding: Annotated[
        Padding | Sequence[Padding],
        Expected("'same', 'valid', a number of pixels, or a list with one for each convolution"),
    ] = "same",
    pool: Pool = "max",
    norm: Norm = "none",
    activation: Activation = "relu",
    dense: Sizes = (64,),
    dropout: Dropout = 0.0,
    conv_dropout: Dropout = 0.0,
) -> nn.Module:
    """Images of ``shape`` (channels, height, width) → ``outputs`` logits.

    For each of ``channels``: convolution (stride 1), norm, activation, 2×2 pooling, and dropout of whole feature maps
    (``conv_dropout``; Tompson et al., arXiv:1411.4280). Then dense layers of ``dense``, each followed by
    activation and ``dropout``. Raises AssayError where a list has not one entry for each convolution, or where a layer
    leaves nothing of the image.
    """
    kernel_list = _each(kernels, len(channels), "kernels")
    padding_list = _each(padding, len(channels), "padding")
    sides = _sides(shape, kernel_list, padding_list, pool != "none")
    features = [shape[0], *channels][-1] * sides[0] * sides[1]
    return nn.Sequential(
        OrderedDict(
            [
                *_convolutions(shape[0], channels, kernel_list, padding_list, pool, norm, activation, conv_dropout),
                ("flatten", nn.Flatten()),
                *dense_layers(features, dense, activation, dropout, prefix="dense_"),
                ("output", nn.Linear([features, *dense][-1], outputs)),
            ]
        )
    )


def _convolutions(
    inputs: int,
    channels: Sequence[int],
    kernels: Sequence[int],
    padding: Sequence[Padding],
    pool: Pool,
    norm: Norm,
    activation: Activation,
    dropout: float,
) -> Iterator[tuple[str, nn.Module]]:
    pairs = zip([inputs, *channels], channels, strict=False)
    for number, ((before, after), kernel, pad) in enumerate(zip(pairs, kernels, padding, strict=True), start=1):
        yield f"conv{number}", nn.Conv2d(before, after, kernel, padding=pad)
        if norm == "batch":
            yield f"norm{number}", nn.BatchNorm2d(after)
        yield f"activation{number}", ACTIVATIONS[activation]()
        if pool != "none":
            yield f"pool{number}", POOLS[pool](2)
        if dropout:
            yield f"dropout{number}", nn.Dropout2d(dropout)


def _each(value: Any, count: int, argument: str) -> list[Any]:
    """One value for each convolution."""
    if isinstance(value, int | str):
        return [value] * count
    if len(value) != count:
        raise AssayError(f"model.{argument}: found {len(value)} values, expected {count}, one for each of the channels")
    return list(value)


def _sides(
    shape: tuple[int, int, int], kernels: Sequence[int], padding: Sequence[Padding], pooled: bool
) -> tuple[int, int]:
    """Height and width that reach the dense part, found without building anything."""
    height, width = shape[1:]
    for number, (kernel, pad) in enumerate(zip(kernels, padding, strict=True), start=1):
        shrink = 0 if pad == "same" else kernel - 1 - 2 * (0 if pad == "valid" else int(pad))
        steps = [(f"conv{number} (kernel {kernel}, padding {pad})", height - shrink, width - shrink)]
        if pooled:
            steps.append((f"pool{number} (2×2)", (height - shrink) // 2, (width - shrink) // 2))
        for layer, new_height, new_width in steps:
            if min(new_height, new_width) < 1:
                raise AssayError(
                    f"model 'cnn': {layer} gets {height}×{width} pixels and leaves none; "
                    f"images of {shape[1]}×{shape[2]} are too small for this network"
                )
            height, width = new_height, new_width
    return height, width
