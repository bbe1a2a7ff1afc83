"""The activations of chosen layers, streamed to files: one forward pass for as many layers as the storage holds."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from assay.errors import AssayError, nearest
from assay.models.modes import evaluating

Batches = Iterable[tuple[Tensor, Tensor]]
"""Pairs of inputs and labels (b,), which can be gone through more than once, each time in the same order."""


@dataclass(frozen=True)
class Layer:
    """One layer whose output is a batch of numbers."""

    name: str
    depth: int
    """Place in the order of execution, from 1."""
    width: int
    """Numbers per image."""


@dataclass
class Activations:
    """What one layer gives for every image of every split."""

    layer: Layer
    splits: dict[str, Float32[np.ndarray, "n d"]] = field(default_factory=dict)
    trouble: str | None = None
    """Why there are none."""


def choose(model: nn.Module, layers: str | Sequence[str]) -> list[str]:
    """The names of the modules that ``layers`` asks for.

    ``"leaves"``: modules without modules inside; ``"blocks"``: the direct children of the network; otherwise patterns
    such as ``"conv*"`` or ``"block1.*"`` on the dotted names. Raises AssayError for a pattern that matches nothing.
    """
    named = {name: module for name, module in model.named_modules() if name}
    if layers == "leaves":
        return [name for name, module in named.items() if not any(True for _ in module.children())]
    if layers == "blocks":
        return [name for name, _ in model.named_children()]
    patterns = [layers] if isinstance(layers, str) else list(layers)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in named):
            raise AssayError(f"layers: no layer is called {pattern!r}; {nearest(pattern, named)}")
    return [name for name in named if any(fnmatchcase(name, pattern) for pattern in patterns)]


def capture(
    model: nn.Module, splits: Mapping[str, Batches], names: Sequence[str], device: torch.device, storage: int
) -> Iterator[Activations]:
    """The activations of the layers ``names`` in the order of execution, each released when the next is asked for.

    ``storage`` bytes of temporary files are used at a time, or as many as the largest layer needs. A layer that does
    not give one tensor with a row an image, or changes its width between batches, comes with its trouble instead.
    Raises AssayError when the disk cannot hold the largest layer.
    """
    images = sum(len(labels) for batches in splits.values() for _, labels in batches)
    first = next(iter(next(iter(splits.values()))), None)
    if first is None:
        raise AssayError("separation: there are no images to measure the layers on")
    found, refused = trial(model, names, first[0].to(device))
    yield from refused
    room = shutil.disk_usage(tempfile.gettempdir()).free
    for group in grouped(found, images, storage):
        needed = sum(layer.width for layer in group) * images * 4
        if needed > room:
            raise AssayError(
                f"separation: layer '{group[0].name}' needs {needed / 1e9:.1f} GB of temporary files and "
                f"{tempfile.gettempdir()} has {room / 1e9:.1f} GB; measure fewer images"
            )
        with tempfile.TemporaryDirectory(prefix="assay-layers-") as folder:
            yield from streamed(model, splits, group, device, Path(folder))


def trial(model: nn.Module, names: Sequence[str], images: Tensor) -> tuple[list[Layer], list[Activations]]:
    """The layers in the order in which one forward pass meets them, and those that cannot be measured."""
    met = first_outputs(model, names, images)
    found, refused = [], []
    for depth, (name, output) in enumerate(met.items(), start=1):
        if isinstance(output, Tensor) and output.ndim >= 2 and len(output) == len(images):
            found.append(Layer(name, depth, output[0].numel()))
        else:
            what = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
            reason = f"its output ({what}) is not one tensor with a row an image"
            refused.append(Activations(Layer(name, depth, 0), trouble=reason))
    refused += [Activations(Layer(n, 0, 0), trouble="the forward pass never calls it") for n in names if n not in met]
    return found, refused


def grouped(layers: Sequence[Layer], images: int, storage: int) -> Iterator[list[Layer]]:
    """Neighbouring layers that fit in ``storage`` bytes together; a layer that does not fit stands alone."""
    group: list[Layer] = []
    for layer in layers:
        if group and sum(each.width for each in [*group, layer]) * images * 4 > storage:
            yield group
            group = []
        group.append(layer)
    if group:
        yield group


def streamed(
    model: nn.Module, splits: Mapping[str, Batches], group: Sequence[Layer], device: torch.device, folder: Path
) -> Iterator[Activations]:
    """One forward pass over every split; then the layers of the group, one after the other."""
    trouble: dict[str, str] = {}
    paths = {(layer.name, split): folder / f"{n}-{split}.f32" for n, layer in enumerate(group) for split in splits}
    for split, batches in splits.items():
        with ExitStack() as files:
            writers = {layer.name: files.enter_context(open(paths[layer.name, split], "wb")) for layer in group}
            for images, _ in batches:
                met = first_outputs(model, list(writers), images.to(device))
                for layer in group:
                    output = met.get(layer.name)
                    if isinstance(output, Tensor) and output.numel() == len(images) * layer.width:
                        writers[layer.name].write(output.float().cpu().contiguous().numpy().tobytes())
                    else:
                        trouble[layer.name] = "its output changes its shape between batches"
    for layer in group:
        yield Activations(layer, {} if layer.name in trouble else opened(layer, splits, paths), trouble.get(layer.name))
        for split in splits:
            paths[layer.name, split].unlink()


def opened(
    layer: Layer, splits: Iterable[str], paths: Mapping[tuple[str, str], Path]
) -> dict[str, Float32[np.ndarray, "n d"]]:
    """The files of one layer as memory maps."""
    return {s: np.memmap(paths[layer.name, s], np.float32, "r").reshape(-1, layer.width) for s in splits}


@torch.no_grad()
def first_outputs(model: nn.Module, names: Sequence[str], images: Tensor) -> dict[str, Any]:
    """What each of the named modules first gives in one forward pass, in evaluation mode, in the order of the calls.

    Tensors are copied, since a layer that works in place would change the output of the one before it. The pass ends
    with the last of the modules: what comes after it is not computed.
    """
    met: dict[str, Any] = {}

    def keep(name: str, output: Any) -> None:
        if name not in met:
            met[name] = output.detach().clone() if isinstance(output, Tensor) else output
            if len(met) == len(names):
                raise _AllMet

    modules = dict(model.named_modules())
    with ExitStack() as hooks, evaluating(model):
        for name in names:
            hook = modules[name].register_forward_hook(lambda _m, _i, output, name=name: keep(name, output))  # type: ignore[misc]
            hooks.callback(hook.remove)
        with suppress(_AllMet):
            model(images)
    return met


class _AllMet(Exception):
    """Ends a forward pass that has nothing more to give."""


def labels_of(batches: Batches) -> Int64[np.ndarray, " n"]:
    """The labels of a split, in order."""
    return np.concatenate([np.zeros(0, np.int64), *(np.asarray(labels, dtype=np.int64) for _, labels in batches)])
