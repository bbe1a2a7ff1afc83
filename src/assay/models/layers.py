"""What the networks of assay share: the types of their arguments, activations, and a stack of dense layers."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field, PositiveInt
from torch import nn

from assay.recipe.section import Expected

Activation = Literal["relu", "tanh", "sigmoid", "elu", "gelu"]
Dropout = Annotated[float, Field(ge=0, lt=1), Expected("a probability, at least 0 and below 1")]
Sizes = Annotated[Sequence[PositiveInt], Expected("a list of whole numbers above 0")]

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "gelu": nn.GELU,
}

DenseNorm = Literal["none", "batch", "layer"]
DENSE_NORMS: dict[DenseNorm, type[nn.BatchNorm1d] | type[nn.LayerNorm]] = {
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
}


def dense_layers(
    inputs: int,
    sizes: Sequence[int],
    activation: Activation,
    dropout: float,
    norm: DenseNorm = "none",
    prefix: str = "",
) -> Iterator[tuple[str, nn.Module]]:
    """Named layers, for each size: ``dense1``, then ``norm1``, ``activation1``, ``dropout1`` behind ``prefix``."""
    for number, (before, after) in enumerate(zip([inputs, *sizes], sizes, strict=False), start=1):
        yield f"dense{number}", nn.Linear(before, after)
        if norm != "none":
            yield f"{prefix}norm{number}", DENSE_NORMS[norm](after)
        yield f"{prefix}activation{number}", ACTIVATIONS[activation]()
        if dropout:
            yield f"{prefix}dropout{number}", nn.Dropout(dropout)
