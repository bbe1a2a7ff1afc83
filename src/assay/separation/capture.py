"""The activations of chosen layers, streamed to files: one forward pass for as many layers as the storage holds."""

import errno
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from assay.errors import AssayError, nearest, size_text
from assay.models.modes import evaluating
from assay.separation.samples import labels
from assay.system.machine import free_memory

Batches = Iterable[tuple[Tensor, Tensor]]
"""Pairs of inputs and labels (b,), which can be gone through more than once, each time in the same order."""

CHANGES = "its output changes its shape between batches"
_CARD_SHARE = 0.3
"""Of a card's free memory, that activations take at a time: joining the parts of a layer takes its size once more."""


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
    splits: dict[str, Any] = field(default_factory=dict)
    """Of each split the rows, float32 (n, d): a memory map, or a tensor on a card."""
    trouble: str | None = None
    """Why there are none."""


def choose(model: nn.Module, layers: str | Sequence[str]) -> list[str]:
    """The names of the modules that ``layers`` asks for.

    ``"leaves"``: modules without modules inside; ``"blocks"``: the direct children of the network; otherwise patterns
    such as ``"conv*"`` or ``"block1.*"`` on the dotted names. Raises AssayError for a pattern that matches nothing, no
    patterns, and a network without modules inside.
    """
    named = {name: module for name, module in model.named_modules() if name}
    if not named:
        kind = type(model).__name__
        raise AssayError(f"layers: the network, a {kind}, has no layers inside; nn.Sequential(network) makes it one")
    if layers == "leaves":
        return [name for name, module in named.items() if not any(True for _ in module.children())]
    if layers == "blocks":
        return [name for name, _ in model.named_children()]
    patterns = [layers] if isinstance(layers, str) else list(layers)
    if not patterns:
        raise AssayError("layers: expected 'blocks', 'leaves' or patterns on layer names, found none")
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in named):
            raise AssayError(f"layers: no layer is called {pattern!r}; {nearest(pattern, named)}")
    return [name for name in named if any(fnmatchcase(name, pattern) for pattern in patterns)]


def capture(
    model: nn.Module,
    splits: Mapping[str, Batches],
    images: int,
    names: Sequence[str],
    device: torch.device,
    storage: int | None,
) -> Iterator[Activations]:
    """The activations of the layers ``names`` in the order of execution, each released when the next is asked for.

    On a card they stay there, as many layers at a time as fit; else, and where not one does, they go to files.
    ``images`` is how many the splits have together, at least one each. ``storage`` bytes of temporary files are used at
    a time, or as many as the largest layer needs; None is half of what is free. A layer that does not give one tensor
    with a row an image, changes its width between batches, or does not fit on the disk comes with its trouble instead.
    """
    first, _ = next(iter(next(iter(splits.values()))))
    left, refused = trial(model, names, first.to(device))
    yield from refused
    most = free() // 2 if storage is None else storage
    while left:
        group = fitting(left, images, on_card := int(_CARD_SHARE * free_memory(device)))
        if size(group, images) <= on_card:
            left = left[len(group) :]
            yield from held(model, splits, group, device)
            continue
        room = free()
        group = fitting(left, images, min(most, room))
        left = left[len(group) :]
        if size(group, images) > room:
            yield from without_room(group, images)
            continue
        with tempfile.TemporaryDirectory(prefix="assay-layers-") as folder:
            try:
                trouble = write(model, splits, group, device, Path(folder))
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                yield from without_room(group, images)
                continue
            yield from read(group, splits, trouble, Path(folder))


def trial(model: nn.Module, names: Sequence[str], images: Tensor) -> tuple[list[Layer], list[Activations]]:
    """The layers in the order in which one forward pass meets them, and those that cannot be measured."""
    met = first_outputs(model, names, images)
    found, refused = [], []
    for depth, (name, output) in enumerate(met.items(), start=1):
        if isinstance(output, Tensor) and output.ndim >= 2 and output.numel() and len(output) == len(images):
            found.append(Layer(name, depth, output[0].numel()))
        else:
            what = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
            reason = f"its output ({what}) is not one tensor with a row an image"
            refused.append(Activations(Layer(name, depth, 0), trouble=reason))
    refused += [Activations(Layer(n, 0, 0), trouble="the forward pass never calls it") for n in names if n not in met]
    return found, refused


def free() -> int:
    """Bytes that temporary files may take."""
    return shutil.disk_usage(tempfile.gettempdir()).free


def size(layers: Iterable[Layer], images: int) -> int:
    """Bytes of the activations of ``layers``."""
    return sum(layer.width for layer in layers) * images * 4


def fitting(layers: Sequence[Layer], images: int, storage: int) -> list[Layer]:
    """The first of ``layers`` that fit in ``storage`` bytes together; where not even one does, that one."""
    together = sum(total <= storage for total in accumulate(size([layer], images) for layer in layers))
    return list(layers[: max(1, together)])


def without_room(group: Sequence[Layer], images: int) -> Iterator[Activations]:
    """Layers that the disk cannot hold."""
    needed, found = size_text(size(group, images)), size_text(free())
    room = f"{needed} of temporary files are needed and {tempfile.gettempdir()} has {found}"
    for layer in group:
        yield Activations(layer, trouble=f"{room}; measure fewer images or set TMPDIR to another disk")


def held(
    model: nn.Module, splits: Mapping[str, Batches], group: Sequence[Layer], device: torch.device
) -> Iterator[Activations]:
    """The layers of the group, one after the other, after one forward pass over every split, where it is computed."""
    found = {layer.name: Activations(layer) for layer in group}
    for split, batches in splits.items():
        parts: dict[str, list[Tensor]] = {layer.name: [] for layer in group}
        for images, _ in batches:
            met = first_outputs(model, list(parts), images.to(device))
            for layer in group:
                if fits(met.get(layer.name), layer, len(images)):
                    parts[layer.name].append(met[layer.name].float().flatten(1))
                else:
                    found[layer.name].trouble = CHANGES
        for name, rows in parts.items():
            if not found[name].trouble:
                found[name].splits[split] = torch.cat(rows)
            rows.clear()
    for layer in group:
        yield found.pop(layer.name)


def fits(output: Any, layer: Layer, images: int) -> bool:
    """Whether a layer gives what it gave at first."""
    return isinstance(output, Tensor) and output.numel() == images * layer.width


def write(
    model: nn.Module, splits: Mapping[str, Batches], group: Sequence[Layer], device: torch.device, folder: Path
) -> dict[str, str]:
    """One forward pass over every split, into a file for every layer and split; the trouble that layers had."""
    trouble: dict[str, str] = {}
    for split, batches in splits.items():
        with ExitStack() as files:
            writers = {
                layer.name: files.enter_context(open(file(folder, n, split), "wb")) for n, layer in enumerate(group)
            }
            for images, _ in batches:
                met = first_outputs(model, list(writers), images.to(device))
                for layer in group:
                    if fits(met.get(layer.name), layer, len(images)):
                        rows = met[layer.name].float().cpu().contiguous()
                        writers[layer.name].write(rows.numpy().tobytes())
                    else:
                        trouble[layer.name] = CHANGES
    return trouble


def read(
    group: Sequence[Layer], splits: Iterable[str], trouble: Mapping[str, str], folder: Path
) -> Iterator[Activations]:
    """The layers of the group, one after the other, as memory maps of their files, which are deleted after use."""
    for n, layer in enumerate(group):
        paths = {split: file(folder, n, split) for split in splits}
        if layer.name in trouble:
            yield Activations(layer, trouble=trouble[layer.name])
        else:
            maps = {s: np.memmap(path, np.float32, "r").reshape(-1, layer.width) for s, path in paths.items()}
            yield Activations(layer, maps)
        for path in paths.values():
            path.unlink()


def file(folder: Path, layer: int, split: str) -> Path:
    """Where the activations of a layer of the group are written."""
    return folder / f"{layer}-{split}.f32"


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


def labels_of(batches: Batches, split: str) -> Int64[np.ndarray, " n"]:
    """The labels of a split, in order.

    Raises AssayError for batches that can be gone through only once, without images, or whose labels are not one whole
    number an image.
    """
    found = [
        labels(theirs, len(images), f"labels of {split} images", "a batch") for images, theirs in _again(batches, split)
    ]
    joined: Int64[np.ndarray, " n"] = _joined(found, split)
    return joined


def targets_of(batches: Batches, split: str) -> Float64[np.ndarray, "n targets"]:
    """The numbers of a split, in order: a row an image. AssayError as of ``labels_of``, and for no numbers."""
    found = [theirs.detach().cpu().double().numpy() for _, theirs in _again(batches, split)]
    joined: Float64[np.ndarray, "n targets"] = _joined([part.reshape(len(part), -1) for part in found], split)
    return joined


def _again(batches: Batches, split: str) -> Batches:
    if isinstance(batches, Iterator):
        raise AssayError(
            f"{split} images: expected a list of batches or a DataLoader, since layers goes through them repeatedly, "
            "found an iterator, which ends"
        )
    return batches


def _joined(parts: list[Any], split: str) -> Any:
    if not sum(map(len, parts)):
        raise AssayError(f"separation: there are no images in the split {split!r}")
    return np.concatenate(parts)
