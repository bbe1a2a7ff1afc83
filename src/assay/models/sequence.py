"""A network without code: a list of layers, one after the other, in one, two or three dimensions."""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Annotated, Any

from torch import nn

from assay.errors import AssayError
from assay.models.sequence_layers import flat, made
from assay.recipe.section import Expected


def sequence(
    shape: tuple[int, ...],
    outputs: int,
    *,
    layers: Annotated[
        Sequence[str | dict[str, Any]],
        Expected("a list of layers: flatten, or pairs such as {dense: 128} or {conv2d: {filters: 16}}"),
    ],
) -> nn.Module:
    """Images of ``shape`` (channels, then one to three dimensions) → ``outputs`` logits, through ``layers`` in order.

    A dense layer with the outputs follows the last of them. Layers are called by their kind and number: ``conv1``,
    ``max_pool1``, ``dense1``. Raises AssayError for a layer that is not known, options that it does not have, and a
    shape that it cannot take: the layer's place and what comes in.
    """
    counts: Counter[str] = Counter()
    found: OrderedDict[str, nn.Module] = OrderedDict()
    now = tuple(shape)
    for place, entry in enumerate(layers, start=1):
        kind, layer, now = made(entry, now, f"model.layers, layer {place}")
        kind = kind[:-2] if kind[-1] == "d" and kind[-2].isdigit() else kind
        counts[kind] += 1
        found[f"{kind}{counts[kind]}"] = layer
    try:
        found["output"] = nn.Linear(flat(now), outputs)
    except AssayError as error:
        raise AssayError(f"model.layers: the dense layer of the outputs, which follows the last one, {error}") from None
    return nn.Sequential(found)
