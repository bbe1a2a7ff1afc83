"""One place of a picture in a network's convolution: the numbers there, forward and backward."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.errors import AssayError, nearest
from assay.models.modes import evaluating
from assay.tools.worked.matrices import sizes

Image = Float[Tensor, "channels height width"]


@dataclass(frozen=True)
class Following:
    """A layer that gets the convolution's output, or what became of it, in the same size."""

    name: str
    kind: str
    output: Tensor
    """(filters, height, width)."""


@dataclass
class Pass:
    """What one forward and backward pass leaves at a convolution."""

    inputs: Tensor = field(default_factory=lambda: torch.empty(0))
    """(channels, height, width)."""
    outputs: Tensor = field(default_factory=lambda: torch.empty(0))
    """(filters, height, width)."""
    d_inputs: Tensor = field(default_factory=lambda: torch.empty(0))
    d_outputs: Tensor = field(default_factory=lambda: torch.empty(0))
    """Gradients of the winning class's logit."""
    following: list[Following] = field(default_factory=list)
    winner: int = 0


def convolution_called(model: nn.Module, layer: str) -> nn.Conv2d:
    """The convolution of this name. AssayError for another layer, and for a name that is none."""
    modules = {name: module for name, module in model.named_modules() if name}
    fitting = [name for name, module in modules.items() if isinstance(module, nn.Conv2d)]
    if layer not in modules:
        raise AssayError(f"--layer: no layer is called {layer!r}; {nearest(layer, fitting or modules)}")
    found = modules[layer]
    if not isinstance(found, nn.Conv2d):
        hint = nearest(layer, fitting) if fitting else "the network has none"
        raise AssayError(f"--layer: {layer} is a {type(found).__name__}, expected a convolution of pictures; {hint}")
    if found.padding_mode != "zeros":
        raise AssayError(f"--layer: {layer} pads by {found.padding_mode}, expected zeros")
    return found


def run_through(
    model: nn.Module, layer: nn.Conv2d, name: str, image: Image, at: tuple[int, int] = (0, 0), classes: int = 2
) -> Pass:
    """The layer's input, output and what follows, and the gradients of the winning class's logit there.

    Of a network that answers each pixel, the logit at ``at`` of the image. One logit for two classes is that of the
    second, and its negative that of the first. In evaluation mode, with the weights in double precision if the model
    is; of a layer that is called more than once, its first call.
    """
    found = Pass()
    with ExitStack() as hooks, evaluating(model), torch.enable_grad():
        for handle in _hooks(model, layer, found):
            hooks.callback(handle.remove)
        outputs = model(image[None].clone().requires_grad_())[0]
        y, x = scaled(at, outputs.shape[1:], image.shape[1:]) if outputs.ndim == 3 else (0, 0)
        logits = outputs[:, y, x] if outputs.ndim == 3 else outputs
        both = torch.cat([-logits, logits]) if len(logits) < classes else logits
        found.winner = int(both.argmax())
        if not found.outputs.numel():
            raise AssayError(f"--layer: the forward pass never calls {name}")
        both[found.winner].backward()
    model.zero_grad(set_to_none=True)
    return found


def _hooks(model: nn.Module, layer: nn.Conv2d, found: Pass) -> Iterator[Any]:
    """That note what passes; a tensor that is changed in place later was noted before."""
    chain: list[Tensor] = []

    def before(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        if not found.inputs.numel():
            found.inputs = inputs[0][0].detach().clone()
            inputs[0].register_hook(lambda gradient: setattr(found, "d_inputs", gradient[0].detach().clone()))

    def after(_: nn.Module, __: Any, output: Tensor) -> None:
        if not found.outputs.numel():
            found.outputs = output[0].detach().clone()
            output.register_hook(lambda gradient: setattr(found, "d_outputs", gradient[0].detach().clone()))
            chain.append(output)

    def follow(name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        same = isinstance(output, Tensor) and bool(chain) and output.shape[1:] == found.outputs.shape
        if same and module is not layer and inputs and inputs[0] is chain[-1]:
            found.following.append(Following(name, type(module).__name__, output[0].detach().clone()))
            chain.append(output)

    for name, module in model.named_modules():
        if not list(module.children()):
            yield module.register_forward_hook(lambda m, i, o, name=name: follow(name, m, i, o))
    yield layer.register_forward_pre_hook(before)
    yield layer.register_forward_hook(after)


def parse_place(text: str, height: int, width: int) -> tuple[int, int]:
    """``12,7``: row and column from 0. AssayError for all else, and for a place outside of the picture."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(part.lstrip("-").isdecimal() for part in parts):
        raise AssayError(f"--at: expected row and column from 0, as 12,7, found {text!r}")
    y, x = map(int, parts)
    if not (0 <= y < height and 0 <= x < width):
        raise AssayError(
            f"--at: {y},{x} lies outside of the picture, which the network sees in {sizes((height, width))} pixels; "
            f"expected up to {height - 1},{width - 1}"
        )
    return y, x


def scaled(at: tuple[int, int], size: Sequence[int], picture: Sequence[int]) -> tuple[int, int]:
    """The place of a layer's output that lies over a place of the picture."""
    (y, x), (rows, columns), (height, width) = at, size, picture
    return y * rows // height, x * columns // width
