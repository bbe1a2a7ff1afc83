"""Counts what a network is made of, in one pass with a blank image."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from assay.models.layer_table.operations import Counting, Work
from assay.models.layer_table.rows import Layer, Summary
from assay.models.layer_table.window import parameters_formula, window
from assay.models.modes import evaluating, watched, without_fused_attention, without_fused_recurrence

STATISTICS = ("running_mean", "running_var")
"""Buffers of norms."""


def summary(model: nn.Module, shape: tuple[int, ...]) -> Summary:
    """Count what ``model`` does with one image of ``shape``: channels, then one, two or three dimensions.

    A layer is a module without children, or one with parameters of its own; a module that computes between its
    children (a sum of two paths, products of attention) has a row too. MACs are half of what
    ``torch.utils.flop_counter`` counts: convolutions and matrix products, those of attention too, but no additions of
    biases, no activations, norms or pooling, which are the other operations. The pass is in evaluation mode, on a
    blank image, and the model stays as it was. A model on the meta device is counted without any computation.
    """
    reference = next(model.parameters(), torch.empty(0))
    image = torch.zeros(1, *shape, dtype=reference.dtype, device=reference.device)
    counter = Counting()
    calls: list[Layer] = []
    plain = ExitStack()
    for way in (evaluating(model), without_fused_attention(), without_fused_recurrence(model)):
        plain.enter_context(way)
    with plain, _recording(model, counter.log, calls), counter:
        model(image)
    parameters = list(model.parameters())
    layers = _merged(calls)
    return Summary(
        layers=layers,
        parameters=sum(p.numel() for p in parameters),
        trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        statistics=sum(each.numel() for name, each in model.named_buffers() if name.endswith(STATISTICS)),
        macs=sum(layer.macs for layer in layers),
        operations=sum(layer.operations for layer in layers),
        weight_bytes=sum(t.numel() * t.element_size() for t in [*parameters, *model.buffers()]),
        activation_bytes=sum(layer.activation_bytes for layer in layers),
    )


def is_layer(module: nn.Module) -> bool:
    """Whether the module is one without children, or has parameters of its own."""
    return not any(True for _ in module.children()) or any(True for _ in module.parameters(recurse=False))


@contextmanager
def _recording(model: nn.Module, log: list[Work], calls: list[Layer]) -> Iterator[None]:
    """Append to ``calls`` what each module does itself, through hooks that are removed at the end.

    A module that finishes takes its work out of the log, so that what is left there is that of the modules around it.
    """
    names = {module: name or type(module).__name__ for name, module in model.named_modules()}
    started: dict[nn.Module, tuple[int, int]] = {}

    def before(module: nn.Module, _: Any) -> None:
        started[module] = len(log), len(calls)

    def after(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        begun, first = started[module]
        own = log[begun:]
        del log[begun:]
        if own or is_layer(module):
            has_inner = len(calls) > first or not is_layer(module)
            calls.append(_layer(names[module], module, tensors(inputs), tensors(output), own, has_inner))

    with watched(names, before, after):
        yield
    idle = [m for m in names if m not in started and any(True for _ in m.parameters(recurse=False))]
    calls.extend(_layer(names[m], m, [], [], [], False) for m in idle)


def _layer(
    name: str, module: nn.Module, inputs: list[Tensor], outputs: list[Tensor], work: list[Work], has_inner: bool
) -> Layer:
    """What one call did; an output made by a layer within, or in the memory of an input, is not counted again."""
    given = {_storage(t) for t in inputs}
    made = [] if has_inner else [t for t in outputs if _storage(t) not in given]
    return Layer(
        name=name,
        kind=type(module).__name__,
        input_shape=tuple(inputs[0].shape[1:]) if inputs else (),
        output_shape=tuple(outputs[0].shape[1:]) if outputs else (),
        window=window(module),
        parameters=sum(p.numel() for p in module.parameters(recurse=False)),
        parameters_formula=parameters_formula(module),
        macs=sum(each.macs for each in work),
        macs_formula=_sum([each.formula for each in work if each.macs]),
        operations=sum(each.operations for each in work),
        activation_bytes=sum(t.numel() * t.element_size() for t in made),
        uncounted=tuple(dict.fromkeys(each.uncounted for each in work if each.uncounted)),
    )


def _sum(formulas: list[str]) -> str:
    """Of products; one that comes again, as in every step of a recurrent layer, stands once: ``50·64·16``."""
    return " + ".join(f"{n:,}·{formula}" if n > 1 else formula for formula, n in Counter(formulas).items())


def _storage(tensor: Tensor) -> StorageWeakRef:
    """Equal for tensors in the same memory, on every device."""
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


def _merged(calls: list[Layer]) -> tuple[Layer, ...]:
    """One entry for each layer, however often it was called."""
    merged: dict[str, Layer] = {}
    for call in calls:
        if earlier := merged.get(call.name):
            call = replace(
                call,
                macs=earlier.macs + call.macs,
                macs_formula=" + ".join(filter(None, (earlier.macs_formula, call.macs_formula))),
                operations=earlier.operations + call.operations,
                activation_bytes=earlier.activation_bytes + call.activation_bytes,
                uncounted=tuple(dict.fromkeys(earlier.uncounted + call.uncounted)),
            )
        merged[call.name] = call
    return tuple(merged.values())


def tensors(value: Any) -> list[Tensor]:
    """Those in a value, however deep in lists and dictionaries."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for item in value for tensor in tensors(item)]
