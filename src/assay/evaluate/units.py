"""Which units of a trained network give the same for every image, and how large its inputs are."""

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

from assay.data.batches import ImageData
from assay.diagnosis.course import Units
from assay.models.modes import evaluating, watched

IMAGES = 512
"""Of a split, that are asked about."""
BOUNDED = (nn.Sigmoid, nn.Tanh, nn.Hardsigmoid, nn.Hardtanh, nn.Softsign)
ACTIVATIONS = (*BOUNDED, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish)
SATURATED = 0.01
"""The range of a bounded activation that counts as none."""
ALIKE = 1e-6
"""Likewise of the others, as a share of the largest value."""


def constant_units(network: nn.Module, data: ImageData, split: str, device: torch.device) -> tuple[Units, ...]:
    """Of each activation that is a module, in the order of execution. A unit is a channel of maps, else a feature; it
    is constant where its range over all images and places is nothing. Activations that are functions are not seen."""
    layers: dict[nn.Module, str] = {
        module: name for name, module in network.named_modules() if isinstance(module, ACTIVATIONS)
    }
    ranges: dict[str, list[tuple[Tensor, Tensor]]] = defaultdict(list)

    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim > 1 and output.numel():
            axes = [axis for axis in range(output.ndim) if axis != (1 if output.ndim == 4 else output.ndim - 1)]
            ranges[layers[module]].append((output.float().amin(axes), output.float().amax(axes)))

    with evaluating(network), watched(layers, lambda module, inputs: None, keep):
        for images in _batches(data, split, device):
            network(images)
    kinds = {name: module for module, name in layers.items()}
    return tuple(_units(name, kinds[name], parts) for name, parts in ranges.items() if _fit(parts))


def input_size(data: ImageData, split: str, device: torch.device) -> float:
    """Root mean square of the images as the network sees them."""
    squares = [images.float().square().mean() for images in _batches(data, split, device)]
    return float(torch.stack(squares).mean().sqrt()) if squares else float("nan")


def _batches(data: ImageData, split: str, device: torch.device) -> list[Tensor]:
    """The first images of a split."""
    size, found = min(IMAGES, data.pass_size(device)), []
    for images, _ in data.batches(split, size, device):
        found.append(images)
        if len(found) * size >= IMAGES:
            break
    return found


def _fit(parts: list[tuple[Tensor, Tensor]]) -> bool:
    return len({low.shape for low, _ in parts}) == 1


def _units(name: str, module: nn.Module, parts: list[tuple[Tensor, Tensor]]) -> Units:
    low, high = torch.stack([p[0] for p in parts]).amin(0), torch.stack([p[1] for p in parts]).amax(0)
    most = SATURATED if isinstance(module, BOUNDED) else ALIKE * float(torch.maximum(low.abs(), high.abs()).max())
    return Units(name, type(module).__name__, len(low), int((high - low <= most).sum()))
