"""What a network is made of: parameters, multiply-accumulates and bytes, layer by layer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from assay.models.modes import evaluating


@dataclass(frozen=True)
class Layer:
    """What one layer does with one image; of a layer called twice, the sums of both calls."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    """Of the (last) call for one image, without the batch."""
    parameters: int
    macs: int
    """Multiply-accumulates for one image."""
    activation_bytes: int
    """Of the outputs for one image; 0 where the layer hands on the memory of its input (flatten, dropout)."""


@dataclass(frozen=True)
class Summary:
    """A network's layers and totals; printed, it is a table."""

    layers: tuple[Layer, ...]
    """In the order in which they finish; at the end, those whose weights are read without their being called."""
    parameters: int
    trainable_parameters: int
    macs: int
    """Multiply-accumulates of convolutions and matrix products for one image, also of those outside the layers."""
    weight_bytes: int
    """Of parameters and buffers."""
    activation_bytes: int
    """Of all layers' outputs for one image, as if none were freed."""

    def __str__(self) -> str:
        table = Table("layer", "kind", "output", box=SIMPLE)
        for heading in ("parameters", "MACs", "bytes out"):
            table.add_column(heading, justify="right")
        for layer in self.layers:
            counts = (layer.parameters, layer.macs, layer.activation_bytes)
            shape = " × ".join(map(str, layer.output_shape))
            table.add_row(layer.name, layer.kind, shape, *(f"{n:,}" for n in counts))
        table.add_section()
        totals = (self.parameters, self.macs, self.activation_bytes)
        table.add_row("total", "", "", *(f"{n:,}" for n in totals))
        console = Console(file=StringIO(), width=200, color_system=None)
        with console.capture() as capture:
            console.print(table)
        lines = [line.rstrip() for line in capture.get().splitlines()]
        facts = (
            f"{self.trainable_parameters:,} trainable parameters, {self.weight_bytes:,} bytes of weights and buffers"
        )
        return "\n".join([*filter(None, lines), f"  {facts}"])


def summary(model: nn.Module, shape: tuple[int, int, int]) -> Summary:
    """Count what ``model`` does with one image of ``shape`` (channels, height, width).

    A layer is a module without children, or one with parameters of its own. MACs are half of what
    ``torch.utils.flop_counter`` counts: convolutions and matrix products, those of attention too, but no additions of
    biases, no activations, norms or pooling. The pass is in evaluation mode, on a blank image, and the model stays as
    it was. A model on the meta device is counted without any computation.
    """
    reference = next(model.parameters(), torch.empty(0))
    image = torch.zeros(1, *shape, dtype=reference.dtype, device=reference.device)
    counter = FlopCounterMode(display=False)
    calls: list[Layer] = []
    with evaluating(model), _without_fused_attention(), _recording(model, counter, calls), counter:
        model(image)
    parameters = list(model.parameters())
    layers = _merged(calls)
    return Summary(
        layers=layers,
        parameters=sum(p.numel() for p in parameters),
        trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        macs=counter.get_total_flops() // 2,
        weight_bytes=sum(t.numel() * t.element_size() for t in [*parameters, *model.buffers()]),
        activation_bytes=sum(layer.activation_bytes for layer in layers),
    )


@contextmanager
def _recording(model: nn.Module, counter: FlopCounterMode, calls: list[Layer]) -> Iterator[None]:
    """Append to ``calls`` what each layer does itself, through hooks that are removed at the end."""
    names = {module: name or type(module).__name__ for name, module in model.named_modules()}
    layers = [m for m in model.modules() if not list(m.children()) or list(m.parameters(recurse=False))]
    started: dict[nn.Module, tuple[int, int]] = {}

    def before(module: nn.Module, _: Any) -> None:
        started[module] = counter.get_total_flops(), len(calls)

    def after(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        flops, first = started[module]
        inner = calls[first:]
        macs = (counter.get_total_flops() - flops) // 2 - sum(call.macs for call in inner)
        calls.append(_layer(names[module], module, _tensors(inputs), _tensors(output), macs, bool(inner)))

    handles = [hook for m in layers for hook in (m.register_forward_pre_hook(before), m.register_forward_hook(after))]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
    idle = [m for m in layers if m not in started and list(m.parameters(recurse=False))]
    calls.extend(_layer(names[m], m, [], [], 0, False) for m in idle)


def _layer(
    name: str, module: nn.Module, inputs: list[Tensor], outputs: list[Tensor], macs: int, has_inner: bool
) -> Layer:
    """What one call did; an output made by a layer within, or in the memory of an input, is not counted again."""
    given = {_storage(t) for t in inputs}
    made = [] if has_inner else [t for t in outputs if _storage(t) not in given]
    return Layer(
        name=name,
        kind=type(module).__name__,
        output_shape=tuple(outputs[0].shape[1:]) if outputs else (),
        parameters=sum(p.numel() for p in module.parameters(recurse=False)),
        macs=macs,
        activation_bytes=sum(t.numel() * t.element_size() for t in made),
    )


def _storage(tensor: Tensor) -> StorageWeakRef:
    """Equal for tensors in the same memory, on every device."""
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


@contextmanager
def _without_fused_attention() -> Iterator[None]:
    """Let attention take the path whose matrix products are counted, not a fused one."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def _merged(calls: list[Layer]) -> tuple[Layer, ...]:
    """One entry for each layer, however often it was called."""
    merged: dict[str, Layer] = {}
    for call in calls:
        if earlier := merged.get(call.name):
            macs, size = earlier.macs + call.macs, earlier.activation_bytes + call.activation_bytes
            call = replace(call, macs=macs, activation_bytes=size)
        merged[call.name] = call
    return tuple(merged.values())


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for item in value for tensor in _tensors(item)]
