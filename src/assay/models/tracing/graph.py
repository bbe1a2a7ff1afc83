"""The paths through a network: its layers, what joins them, and what each of them reaches."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from assay.models.layer_table.counting import tensors
from assay.models.modes import evaluating, watched, without_fused_attention
from assay.models.tracing.reach import Reaching, Untraceable

JOINS = {"add": "+", "add_": "+", "cat": "concatenate", "mul": "×", "mul_": "×", "sub": "−", "bmm": "product",
         "stack": "stack", "maximum": "maximum"}  # fmt: skip
"""Operations that join paths → what the node is called."""
ALONE = {"convolution": "convolution", "mm": "dense", "addmm": "dense", "max_pool2d_with_indices": "max pool",
         "avg_pool2d": "average pool", "_adaptive_avg_pool2d": "average pool", "mean": "mean"}  # fmt: skip
"""Operations that are worth a node where no layer does them."""


@dataclass(frozen=True)
class Node:
    """A layer, or an operation between layers; the first is the input."""

    name: str
    """Of the module; of an operation, of the module around it."""
    kind: str
    shape: tuple[int, ...]
    """Of the output for one image."""
    is_layer: bool


@dataclass(frozen=True)
class Edge:
    """From the output of one node to the input of another, both by place."""

    start: int
    end: int


@dataclass(frozen=True)
class Graph:
    """Nodes in the order of execution, edges between them, and the reach of layers."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    reach: dict[str, tuple[int, ...]]
    """Layer → the largest extent of the input that one of its units depends on, of each dimension; 0 for none."""


@dataclass
class _Tracer:
    """What is known so far."""

    nodes: list[Node]
    edges: list[Edge] = field(default_factory=list)
    reach: dict[str, tuple[int, ...]] = field(default_factory=dict)
    inside: list[str] = field(default_factory=list)
    """Modules that are being computed, from the outermost; a layer ends what is looked at."""
    layers: int = 0

    def node(self, name: str, kind: str, output: Tensor, sources: frozenset[int], whole: bool) -> frozenset[int]:
        """A new one behind ``sources``; it alone."""
        self.nodes.append(Node(name, kind, tuple(output.shape[1:]), whole))
        here = len(self.nodes) - 1
        self.edges += [Edge(start, here) for start in sorted(sources)]
        return frozenset({here})

    def told(self, name: str, read: list[Reaching], made: Reaching) -> None:
        """An operation between layers that joins paths, or is worth a node."""
        if self.layers:
            return
        kind = JOINS.get(name) if len({each.sources for each in read}) > 1 else ALONE.get(name)
        if kind:
            made.sources = self.node(self.inside[-1], kind, made, made.sources, False)


def trace(model: nn.Module, shape: tuple[int, ...]) -> Graph:
    """Follow a blank image of ``shape`` (channels, then up to three dimensions) without computing it.

    Exact for convolutions of all kinds, pooling, interpolation, padding, joins and rearrangements; the largest over
    the units of a layer, all of whose channels count together. The model stays as it was. Raises Untraceable where the
    path depends on the numbers in the picture, or these are complex.
    """
    reference = next(model.parameters(), torch.empty(0))
    reach = []
    for axis, size in enumerate(shape[1:], start=2):
        line = torch.arange(float(size)).reshape([size if n == axis else 1 for n in range(len(shape) + 1)])
        reach += [line, -line]
    tracer = _Tracer([Node("input", "input", shape, False)])
    image = Reaching((1, *shape), reference.dtype, tuple(reach), frozenset({0}), tracer.told)
    try:
        with evaluating(model), without_fused_attention(), _following(model, tracer):
            model(image)
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError, NotImplementedError) as error:
        raise Untraceable(f"it needs numbers, not only shapes ({str(error).splitlines()[0]})") from None
    return Graph(tuple(tracer.nodes), tuple(tracer.edges), tracer.reach)


@contextmanager
def _following(model: nn.Module, tracer: _Tracer) -> Iterator[None]:
    """Hooks that make a node of each layer's call, and are removed at the end."""
    names = {module: name or type(module).__name__ for name, module in model.named_modules()}

    def before(module: nn.Module, _: Any) -> None:
        tracer.inside.append(names[module])
        tracer.layers += _is_node(module)

    def after(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        tracer.inside.pop()
        found = [each for each in tensors(output) if isinstance(each, Reaching)]
        if found:
            tracer.reach[names[module]] = _extent(found[0])
        if not _is_node(module):
            return None
        tracer.layers -= 1
        if tracer.layers or not found:
            return None
        given = frozenset().union(*(each.sources for each in tensors(inputs) if isinstance(each, Reaching)))
        here = tracer.node(names[module], type(module).__name__, found[0], given or found[0].sources, True)
        if output is found[0]:
            return output.beyond(here)
        for each in found:
            each.sources = here
        return None

    with watched(names, before, after):
        yield


def _is_node(module: nn.Module) -> bool:
    """Whether nothing inside the module is a node: attention calls no module for its products."""
    return isinstance(module, nn.MultiheadAttention) or not any(True for _ in module.children())


def _extent(output: Reaching) -> tuple[int, ...]:
    """The largest over the units, of each dimension of the input."""
    pairs = zip(output.reach[::2], output.reach[1::2], strict=True)
    return tuple(max(0, int((far + near).max().clamp(min=-1)) + 1) for far, near in pairs)
