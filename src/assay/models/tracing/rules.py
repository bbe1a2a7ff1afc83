"""What each operation of torch does to reach: the largest over whatever its output depends on.

Reach is kept as values that are the larger the farther: a coordinate, or its negative. So every operation is the
largest over what it reads, whatever it computes: all weights count, activations and norms pass on what they get.
An operation that is not known here is taken to mix everything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from assay.models.tracing.windows import NOTHING, adapted, bordered, enlarged, repeated, slid, spread


@dataclass(frozen=True)
class Shaped:
    """The reach of a tensor: of its shape, or 1 in dimensions along which it is the same."""

    reach: Tensor
    shape: tuple[int, ...]

    @property
    def full(self) -> Tensor:
        """In the tensor's shape, without taking its memory."""
        return self.reach.expand(self.shape)


Shapes = Sequence[tuple[int, ...]]
Rule = Callable[[Any, Any, Any, Shapes], Sequence[Tensor]]
"""(operation, arguments with ``Shaped`` in place of tensors, keywords, output shapes) → reach of each output."""

MOST = 2**24
"""Values of one reach; more are taken to be mixed."""
PASSING = ("hardswish", "rsub", "prelu", "_prelu_kernel", "copy", "_to_copy", "native_dropout", "lift_fresh",
           "leaky_relu", "masked_fill", "_unsafe_view")  # fmt: skip
"""Value by value, without torch saying so."""
REARRANGING = ("roll", "flip", "index_select", "index", "gather", "pixel_shuffle", "pixel_unshuffle", "repeat",
               "channel_shuffle", "native_channel_shuffle")  # fmt: skip
NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm")
"""Parts of the names of norms, which pass on what they get."""
ALONG = ("_softmax", "_log_softmax", "_safe_softmax", "cumsum", "cumprod", "sort", "topk")
"""Mixes a dimension and keeps it."""


def reached(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    """The reach of each output, whose shapes are given."""
    name = func._schema.name.removeprefix("aten::")
    rule = RULES.get(name.rstrip("_")) or _kind(func, name.rstrip("_"))
    found = rule(func, args, kwargs, shapes)
    if not all(map(_fits, found, shapes)):
        found = _mixed(func, args, kwargs, shapes)
    return [_shrunk(each) for each in found]


def _fits(reach: Tensor, shape: Sequence[int]) -> bool:
    return reach.ndim == len(shape) and all(n in (1, size) for n, size in zip(reach.shape, shape, strict=True))


def _kind(func: Any, name: str) -> Rule:
    if func.is_view or name in REARRANGING:
        return _rearranged
    if name.endswith("_like") or name.startswith("new_") or name in ("fill", "zero", "bernoulli"):
        return lambda func, args, kwargs, shapes: [torch.full([1] * len(shape), NOTHING) for shape in shapes]
    if name in ALONG:
        return _along
    if torch.Tag.reduction in func.tags:
        return _reduced
    if torch.Tag.pointwise in func.tags or name in PASSING or any(norm in name for norm in NORMS):
        return _pointwise
    return _mixed


def _shrunk(reach: Tensor) -> Tensor:
    """1 in the dimensions along which the memory says that it is the same."""
    for dim, (size, stride) in enumerate(zip(reach.shape, reach.stride(), strict=True)):
        if size > 1 and stride == 0:
            reach = reach.narrow(dim, 0, 1)
    return reach


def given(args: Any) -> list[Shaped]:
    """All that have reach, however deep in lists."""
    if isinstance(args, Shaped):
        return [args]
    return [found for each in args for found in given(each)] if isinstance(args, list | tuple) else []


def _mixed(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    everything = max(float(each.reach.max()) for each in given([args, list(kwargs.values())]))
    return [torch.full([1] * len(shape), everything) for shape in shapes]


def _pointwise(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    """Of those that broadcast to the output; of several outputs (statistics of norms), the first."""
    ndim = len(shapes[0])
    found = [each.reach.reshape((1,) * (ndim - each.reach.ndim) + each.reach.shape) for each in given(args)]
    return [reduce(torch.maximum, found), *(torch.full([1] * len(shape), NOTHING) for shape in shapes[1:])]


def _rearranged(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    tensors = [each.full if isinstance(each, Shaped) else each for each in args]
    out = func(*tensors, **kwargs)
    return [out] if isinstance(out, Tensor) else list(out)


def _reshaped(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    reach, shape = args[0].reach, shapes[0]
    if reach.numel() == 1:
        return [reach.reshape([1] * len(shape))]
    if args[0].full.numel() > MOST and not _is_viewable(args[0].full, shape):
        return _mixed(func, args, kwargs, shapes)
    return [args[0].full.reshape(shape)]


def _is_viewable(values: Tensor, shape: Sequence[int]) -> bool:
    try:
        values.view(shape)
    except RuntimeError:
        return False
    return True


def _named(func: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments by their names."""
    return {**{each.name: value for each, value in zip(func._schema.arguments, args, strict=False)}, **kwargs}


def _dims(func: Any, args: Any, kwargs: Any) -> list[int]:
    """The dimensions that an operation goes along: all where it names none."""
    dims = _named(func, args, kwargs).get("dim")
    return [dims] if isinstance(dims, int) else list(dims or range(len(args[0].shape)))


def _along(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    return [args[0].reach.amax(_dims(func, args, kwargs), keepdim=True)] * len(shapes)


def _reduced(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    keep = len(shapes[0]) == len(args[0].shape)
    return [args[0].reach.amax(_dims(func, args, kwargs), keepdim=keep)] * len(shapes)


def _joined(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    (shape,), parts = shapes, args[0]
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % len(shape)
    reaches = []
    for part in parts:
        own = part.shape if isinstance(part, Shaped) else tuple(part.shape)
        if own != (0,):
            reach = part.reach if isinstance(part, Shaped) else torch.full([1] * len(shape), NOTHING)
            reaches.append((reach, own[dim]))
    common = [max(sizes) for sizes in zip(*(reach.shape for reach, _ in reaches), strict=True)]
    return [torch.cat([reach.expand([*common[:dim], n, *common[dim + 1 :]]) for reach, n in reaches], dim)]


def _stacked(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    dim = (args[1] if len(args) > 1 else 0) % len(shapes[0])
    parts = [
        Shaped(each.reach.unsqueeze(dim), (*each.shape[:dim], 1, *each.shape[dim:]))
        if isinstance(each, Shaped)
        else each.unsqueeze(dim)
        for each in args[0]
    ]
    return _joined(func, [parts, dim], {}, shapes)


def _convolved(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    """All channels of a group go into each of its outputs."""
    image, weight, _, stride, padding, dilation, transposed, _, groups = args[:9]
    if not isinstance(image, Shaped) or isinstance(weight, Shaped):
        return _mixed(func, args, kwargs, shapes)
    reach = image.reach
    if groups > 1 and reach.shape[1] > 1:
        reach = reach.unflatten(1, (groups, -1)).amax(2).repeat_interleave(shapes[0][1] // groups, dim=1)
    else:
        reach = reach.amax(1, keepdim=True)
    dims = len(shapes[0]) - 2
    stride, padding, dilation = (list(each) * (dims if len(each) == 1 else 1) for each in (stride, padding, dilation))
    for axis in range(dims):
        size, kernel = shapes[0][axis + 2], weight.shape[axis + 2]
        slide = spread if transposed else slid
        reach = slide(reach, axis + 2, size, kernel, stride[axis], padding[axis], dilation=dilation[axis])
    return [reach]


def _pooled(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    """Max pooling has a dilation, average pooling something else in its place."""
    named = _named(func, args, kwargs)
    reach, shape = args[0].reach, shapes[0]
    dims = len(named["kernel_size"]) if len(named["kernel_size"]) > 1 else int(func._schema.name.split("pool")[1][0])
    kernel = list(named["kernel_size"]) * (dims // len(named["kernel_size"]))
    for n, axis in enumerate(range(len(shape) - dims, len(shape))):
        stride, padding, dilation = (
            _nth(named.get(key), n, usual) for key, usual in (("stride", kernel[n]), ("padding", 0), ("dilation", 1))
        )
        reach = slid(reach, axis, shape[axis], kernel[n], stride, padding, dilation)
    return [reach, *(torch.full([1] * len(each), NOTHING) for each in shapes[1:])]


def _nth(values: Sequence[int] | None, n: int, usual: int) -> int:
    return values[n if len(values) > 1 else 0] if values else usual


def _adapted(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    reach, shape = args[0].reach, shapes[0]
    for axis in range(len(shape) - len(args[1]), len(shape)):
        reach = adapted(reach, axis, shape[axis])
    return [reach, *(torch.full([1] * len(each), NOTHING) for each in shapes[1:])]


def _upsampled(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    name, reach = func._schema.name, args[0].reach
    if "_aa" in name:
        return _mixed(func, args, kwargs, shapes)
    for axis in range(2, len(shapes[0])):
        size = shapes[0][axis]
        if "nearest" in name:
            reach = repeated(reach, axis, size)
        else:
            taps = range(-1, 3) if "cubic" in name else range(2)
            reach = enlarged(reach, axis, size, taps, corners=bool(args[2]))
    return [reach]


def _padded(mode: str) -> Rule:
    def rule(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
        reach, pads = args[0].reach, args[1]
        for n in range(len(pads) // 2):
            reach = bordered(reach, reach.ndim - 1 - n, pads[2 * n], pads[2 * n + 1], mode)
        return [reach]

    return rule


def _multiplied(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    """The rows of the left and the columns of the right matrix, and what is added."""
    *added, left, right = args
    found = [each.reach.reshape((1,) * (len(shapes[0]) - each.reach.ndim) + each.reach.shape) for each in given(added)]
    if isinstance(left, Shaped):
        found.append(left.reach.amax(-1, keepdim=True))
    if isinstance(right, Shaped):
        found.append(right.reach.amax(-2, keepdim=True))
    return [reduce(torch.maximum, found)]


def _attended(func: Any, args: Any, kwargs: Any, shapes: Shapes) -> list[Tensor]:
    """Every query meets all keys and values."""
    query, key, value = args[:3]
    found = [query.reach.amax(-1, keepdim=True), *(each.reach.amax((-2, -1), keepdim=True) for each in (key, value))]
    return [reduce(torch.maximum, found), *(torch.full([1] * len(each), NOTHING) for each in shapes[1:])]


RULES: dict[str, Rule] = {
    "convolution": _convolved,
    "cat": _joined,
    "stack": _stacked,
    "linalg_vector_norm": _reduced,
    **dict.fromkeys(("mm", "addmm", "bmm", "baddbmm", "mv"), _multiplied),
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "flatten"), _reshaped),
    **{f"{kind}_pool{n}d{ending}": _pooled for kind in ("max", "avg") for n in (1, 2, 3)
       for ending in ("", "_with_indices")},
    **{f"{under}adaptive_{kind}_pool{n}d": _adapted for under in ("", "_") for kind in ("max", "avg")
       for n in (1, 2, 3)},
    **dict.fromkeys(
        ("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_linear1d", "upsample_bilinear2d",
         "upsample_trilinear3d", "upsample_bicubic2d"),
        _upsampled,
    ),
    "constant_pad_nd": _padded("constant"),
    **{f"{kind}_pad{n}d": _padded(mode) for kind, mode in (("reflection", "reflect"), ("replication", "edge"))
       for n in (1, 2, 3)},
    **{f"_scaled_dot_product_{kind}": _attended for kind in
       ("flash_attention", "flash_attention_for_cpu", "efficient_attention", "cudnn_attention")},
}  # fmt: skip
"""Operation → its rule; the rest by what torch says of it."""
