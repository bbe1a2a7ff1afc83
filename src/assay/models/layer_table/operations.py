"""What is computed while a network runs: multiply-accumulates with their formulas, and the other operations."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from assay.models.layer_table.window import product

aten = torch.ops.aten

NORM_BY_DATA = 7
"""Of each value: added to the mean, centred, squared and added, scaled, weighted, shifted."""
SOFTMAX = 3
"""Of each value: exponential, added, divided."""
LIKE_POINTWISE = ("hardswish", "rsub", "prelu", "leaky_relu", "cumsum", "cumprod")
MOVES = (
    "clone", "copy", "fill", "lift", "detach", "alias", "dropout", "scalar", "view", "reshape", "resize", "strided",
    "zero", "ones", "full", "empty", "_like", "eye", "arange", "linspace", "triu", "tril", "nonzero",
    "cat", "stack", "split", "transpose", "pad", "roll", "flip", "repeat", "shuffle", "im2col", "upsample_nearest",
    "index", "gather", "scatter", "select", "embedding", "unpool", "one_hot",
)  # fmt: skip
"""Parts of the names of what moves or makes numbers and computes none."""


@dataclass(frozen=True)
class Work:
    """One operation of torch."""

    macs: int
    formula: str
    """Of the multiply-accumulates: ``498·16·3·7``."""
    operations: int
    uncounted: str = ""
    """The name of an operation for which there is no rule."""


class Counting(TorchDispatchMode):
    """Logs the work of every operation that runs inside it.

    MACs are half of what ``torch.utils.flop_counter`` counts, and those of products with a vector. Other operations
    are additions, multiplications, comparisons and evaluations of a function: one for each value of what is computed
    value by value, 2 of batch normalisation, 7 of the other norms, 3 of softmax, window − 1 of max pooling and the
    window of average pooling, one for each value that is reduced, and one for each output of a convolution or matrix
    product with a bias. What has no rule is logged by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Work] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet = func._overloadpacket
        if packet not in flop_registry and func is not torch.ops.prim.device.default:
            with self:
                parts = func.decompose(*args, **kwargs)
                if parts is not NotImplemented:
                    return parts
        out = func(*args, **kwargs)
        macs, formula = 0, ""
        if packet in FORMULAS:
            factors = FORMULAS[packet](args, out)
            macs, formula = math.prod(factors), product(factors)
        elif packet in flop_registry:
            macs = flop_registry[packet](*args, **kwargs, out_val=out) // 2
            formula = f"{macs:,}"
        others = operations(func, args, out)
        is_known = others is not None or macs > 0
        if macs or others or not is_known:
            self.log.append(Work(macs, formula, others or 0, "" if is_known else _name(func)))
        return out


def _convolution(args: Sequence[Any], out: Tensor) -> Sequence[int]:
    """A transposed one computes for each value of its input what another computes for each of its output."""
    image, weight, *_, transposed = args[:7]
    places = (image if transposed else out).shape[2:]
    return [len(image), *places, len(weight), *weight.shape[2:], weight.shape[1]]


FORMULAS: dict[Any, Callable[[Sequence[Any], Tensor], Sequence[int]]] = {
    aten.convolution: _convolution,
    aten._convolution: _convolution,
    aten.mm: lambda args, out: [*out.shape, args[0].shape[-1]],
    aten.addmm: lambda args, out: [*out.shape, args[1].shape[-1]],
    aten.bmm: lambda args, out: [*out.shape, args[0].shape[-1]],
    aten.baddbmm: lambda args, out: [*out.shape, args[1].shape[-1]],
    aten.addbmm: lambda args, out: [len(args[1]), *out.shape, args[1].shape[-1]],
    aten.mv: lambda args, out: args[0].shape,
    aten.addmv: lambda args, out: args[1].shape,
    aten.dot: lambda args, out: args[0].shape,
    aten.vdot: lambda args, out: args[0].shape,
}
"""Operation → the factors of its multiply-accumulates."""


def _name(func: Any) -> str:
    return str(func._schema.name).removeprefix("aten::")


def operations(func: Any, args: Sequence[Any], out: Any) -> int | None:
    """What one operation computes besides multiply-accumulates; None where there is no rule."""
    name = _name(func)
    made: list[Tensor] = [value for value in tree_leaves(out) if isinstance(value, Tensor)]
    is_drawn = torch.Tag.nondeterministic_seeded in func.tags
    if func.is_view or is_drawn or not made or any(part in name for part in MOVES):
        return 0
    if "::" in name:
        return None
    values = int(made[0].numel())
    if name in ("convolution", "_convolution"):
        return values if args[2] is not None else 0
    if name in ("addmm", "baddbmm", "addbmm", "addmv"):
        return values
    if "batch_norm" in name:
        return 2 * values
    if "_norm" in name:
        return NORM_BY_DATA * values
    if "softmax" in name:
        return SOFTMAX * values
    if "pool" in name:
        return _pooling(name, args, made[0])
    if name.startswith("upsample") and "nearest" not in name:
        return int(2 ** (made[0].ndim - 1) - 1) * values
    if torch.Tag.reduction in func.tags:
        return int(args[0].numel())
    return values if torch.Tag.pointwise in func.tags or name.strip("_") in LIKE_POINTWISE else None


def _pooling(name: str, args: Sequence[Any], out: Tensor) -> int:
    """Comparisons of max pooling; additions and a division of average pooling."""
    if "adaptive" in name:
        return int(args[0].numel())
    kernel = args[1] if len(args[1]) > 1 else list(args[1]) * (out.ndim - 2)
    return int(math.prod(kernel) - ("max" in name)) * int(out.numel())
