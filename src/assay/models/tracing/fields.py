"""Receptive fields: how much of the input a unit of each layer depends on."""

from dataclasses import dataclass

from torch import nn

from assay.models.layer_table.window import times
from assay.models.tracing.graph import Graph, trace
from assay.models.tracing.reach import Untraceable

LARGE = (2048, 4096)
"""Sides of images in which the fields of all but the deepest networks have room."""


@dataclass(frozen=True)
class Field:
    """The receptive field of a layer's units."""

    sides: tuple[int, ...]
    """Of each dimension, in pixels; may be larger than the image, whose border then cuts it."""
    is_whole: bool
    """Whether it is the whole image however large that is, as after global pooling or attention."""

    def __str__(self) -> str:
        return "all" if self.is_whole else times(self.sides)


def receptive_fields(model: nn.Module, shape: tuple[int, ...], graph: Graph | None = None) -> dict[str, Field]:
    """The field of each module that was called, by name, for images of ``shape``.

    Measured in images so large that their borders cut nothing, where the network takes them; a field that grows with
    the image counts as it is in ``shape``. ``graph`` is the trace at ``shape``, if there is one already. Raises
    Untraceable as ``trace`` does.
    """
    own = (graph or trace(model, shape)).reach
    small, large = (_reach(model, (shape[0], *(max(side, n) for n in shape[1:]))) for side in LARGE)
    return {name: _field(sides, shape, small.get(name), large.get(name)) for name, sides in own.items()}


def _reach(model: nn.Module, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Nothing where the network does not take images of that size."""
    try:
        return trace(model, shape).reach
    except (RuntimeError, AssertionError, ValueError, IndexError, Untraceable):
        return {}


def _field(
    own: tuple[int, ...], shape: tuple[int, ...], small: tuple[int, ...] | None, large: tuple[int, ...] | None
) -> Field:
    """What two large images agree on; else what the own one says, the whole where that is all of it."""
    if small is not None and small == large and any(small):
        return Field(small, False)
    return Field(own, own == tuple(shape[1:]))
