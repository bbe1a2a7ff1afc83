"""A tensor without numbers that knows how far it reaches into the input of a network, and whence it comes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from assay.errors import AssayError
from assay.models.tracing.rules import Shaped, reached

DEPENDENT = ("_local_scalar_dense", "is_nonzero", "nonzero", "equal", "masked_select", "item", "_unique2", "unique_dim")


class Untraceable(AssayError):
    """A network whose paths cannot be followed without numbers, and why, in one sentence."""


class Reaching(Tensor):
    """What stands for a tensor: its shape, and for each dimension of the input how far it reaches in two directions.

    ``reach`` alternates the largest coordinate and the negative of the smallest one. ``sources`` are the nodes it
    comes from. Whenever an operation is computed, ``told`` gets its name, its arguments and its output.
    """

    reach: tuple[Tensor, ...]
    sources: frozenset[int]
    told: Callable[[str, "list[Reaching]", "Reaching"], None]
    is_part: bool = False
    """Whether it shows the memory of another tensor."""

    @staticmethod
    def __new__(
        cls: type["Reaching"],
        shape: tuple[int, ...],
        dtype: torch.dtype,
        reach: tuple[Tensor, ...],
        sources: frozenset[int],
        told: Callable[..., None],
    ) -> "Reaching":
        """Without memory of its own."""
        made: Reaching = Tensor._make_wrapper_subclass(cls, shape, dtype=dtype)  # type: ignore[attr-defined]
        made.reach, made.sources, made.told = reach, sources, told
        return made

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"Reaching({tuple(self.shape)})"

    def beyond(self, sources: frozenset[int]) -> "Reaching":
        """The same from other nodes."""
        return Reaching(tuple(self.shape), self.dtype, self.reach, sources, self.told)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Shapes by torch on no device, reach by the rules."""
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        if name in DEPENDENT:
            raise Untraceable("its path depends on the numbers in the picture")
        if name == "copy_" and getattr(args[0], "is_part", False):
            raise Untraceable("it writes into a part of a tensor")
        read = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, Reaching)]
        outs, form = tree_flatten(_shaped(func, args, kwargs))
        tensors = [each for each in outs if isinstance(each, Tensor)]
        if any(each.is_complex() for each in tensors):
            raise Untraceable("it computes with complex numbers")
        if not tensors:
            return tree_unflatten(outs, form)
        shapes = [tuple(each.shape) for each in tensors]
        ways = [reached(func, _way(args, n), _way(kwargs, n), shapes) for n in range(len(read[0].reach))]
        sources = frozenset().union(*(each.sources for each in read))
        made = [
            Reaching(shape, each.dtype, tuple(way[n] for way in ways), sources, read[0].told)
            for n, (shape, each) in enumerate(zip(shapes, tensors, strict=True))
        ]
        for each in made:
            each.is_part = func.is_view
        read[0].told(name, read, made[0])
        if func._schema.is_mutable and isinstance(args[0], Reaching):
            args[0].reach, args[0].sources = made[0].reach, made[0].sources
            return args[0]
        rest = iter(made)
        return tree_unflatten([next(rest) if isinstance(each, Tensor) else each for each in outs], form)


def _shaped(func: Any, args: Any, kwargs: Any) -> Any:
    """What the operation gives on no device; a dense layer takes any number of inputs."""
    if func is torch.ops.aten.addmm.default:
        return torch.empty(args[1].shape[0], args[2].shape[1], dtype=args[1].dtype, device="meta")
    if func is torch.ops.aten.mm.default:
        return torch.empty(args[0].shape[0], args[1].shape[1], dtype=args[0].dtype, device="meta")
    kwargs = {key: value for key, value in kwargs.items() if key != "device"}
    return func(*tree_map(_meta, args), **tree_map(_meta, kwargs))


def _meta(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")


def _way(args: Any, n: int) -> Any:
    return tree_map(lambda each: Shaped(each.reach[n], tuple(each.shape)) if isinstance(each, Reaching) else each, args)
