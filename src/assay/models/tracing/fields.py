"""Receptive fields: how much of the input a unit of each layer depends on."""

from dataclasses import dataclass

from torch import nn

from assay.language.speech import say
from assay.models.layer_table.window import times
from assay.models.tracing.graph import Graph, trace
from assay.models.tracing.reach import Untraceable

LARGE = (2048, 256)
"""Sides of images in which fields have room, each held against twice that: first those of all but the deepest networks;
then, for layers behind a flattening, which has a place for each value, smaller ones."""


@dataclass(frozen=True)
class Field:
    """The receptive field of a layer's units."""

    sides: tuple[int, ...]
    """Of each dimension, in pixels; may be larger than the image, whose border then cuts it."""
    is_whole: bool
    """Whether it is the whole image however large that is, as after global pooling or attention."""

    def __str__(self) -> str:
        return say("all") if self.is_whole else times(self.sides)


def receptive_fields(model: nn.Module, shape: tuple[int, ...], graph: Graph | None = None) -> dict[str, Field]:
    """The field of each module that was called, by name, for images of ``shape``.

    Measured in images so large that their borders cut nothing, where the network takes them; a field that grows with
    the image counts as it is in ``shape``. ``graph`` is the trace at ``shape``, if there is one already. Raises
    Untraceable as ``trace`` does.
    """
    own = (graph or trace(model, shape)).reach
    found: dict[str, Field] = {}
    for side in LARGE:
        small, large = (_reach(model, (shape[0], *(scale * max(side, n) for n in shape[1:]))) for scale in (1, 2))
        agreed = {name: Field(sides, False) for name, sides in small.items() if any(sides) and large.get(name) == sides}
        found = agreed | found
    return {name: found.get(name, Field(sides, sides == tuple(shape[1:]))) for name, sides in own.items()}


def _reach(model: nn.Module, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Nothing where the network does not take images of that size."""
    try:
        return trace(model, shape).reach
    except (RuntimeError, AssertionError, ValueError, IndexError, Untraceable):
        return {}
