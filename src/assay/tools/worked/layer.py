"""What every layer gives: its arrays forward, those of its gradients backward, and the same by torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from assay.language.script import phrase
from assay.tools.worked.expressions import Arrays, Definition, Numbers, Shape
from assay.tools.worked.windows import Window

Backward = Callable[[str, Arrays], list[Definition]]
"""From the name of the gradient of the output, and all numbers so far: the gradients, that of the input last."""
Naming = Callable[[str], str]
"""``F`` of this layer, told apart from those of others."""


def of_input(name: str) -> str:
    """The title of the gradient of a layer's input."""
    return phrase("Gradient of the input: {array}", array=f"d{name}")


def of_bias(name: str) -> str:
    """The title of the gradient of a bias."""
    return phrase("Gradient of the bias: {array}", array=f"d{name}")


@dataclass(frozen=True)
class Kernel:
    """What a convolution moves over its input."""

    name: str
    shape: Shape
    """(filters, channels of a group, axes…)."""
    window: Window
    groups: int


@dataclass(frozen=True)
class Layer:
    """One layer at its place in the row."""

    kind: str
    given: Mapping[str, Numbers]
    """Its parameters."""
    forward: tuple[Definition, ...]
    """The output last."""
    backward: Backward
    by_torch: Callable[[Tensor, Mapping[str, Tensor]], Tensor]
    """The output for an input and all parameters by name."""
    kernel: Kernel | None = None
    """Of a convolution."""

    @property
    def output(self) -> str:
        """The name of its output."""
        return self.forward[-1].name

    @property
    def shape(self) -> Shape:
        """Of its output."""
        return self.forward[-1].shape


@dataclass(frozen=True)
class Before:
    """What a layer is built on."""

    name: str
    shape: Shape
    """(batch, channels, axes…) or (batch, features)."""
    naming: Naming = field(repr=False)
    where: str
    """The layer's key in the file."""
