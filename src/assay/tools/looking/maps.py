"""The numbers behind the pictures: the channels of a layer by activity, and the Grad-CAM of a class."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from assay.errors import AssayError, nearest
from assay.models.modes import evaluating
from assay.separation.capture import first_outputs

MOST = 64
"""Channels shown of a layer."""
EXPECTED = "(1, channels, height, width)"

Image = Float[Tensor, "channels height width"]


@dataclass(frozen=True)
class Channel:
    """One channel of a layer's output for one picture."""

    number: int
    """From 0."""
    activity: float
    """Mean absolute activation."""
    low: float
    high: float
    pixels: UInt8[np.ndarray, "height width"]
    """The activations between ``low`` (0) and ``high`` (255); all 0 where they are equal."""


@dataclass(frozen=True)
class Maps:
    """The most active channels of one layer, the most active first."""

    layer: str
    shape: tuple[int, int, int]
    """Channels, height, width."""
    channels: list[Channel]

    @property
    def more(self) -> int:
        """Channels that are not among those shown."""
        return self.shape[0] - len(self.channels)


@dataclass(frozen=True)
class Unshown:
    """A layer without maps, and why."""

    layer: str
    reason: str


def layer_maps(model: nn.Module, names: Sequence[str], image: Image) -> tuple[list[Maps], list[Unshown]]:
    """The channels of the layers ``names`` for one picture, in the order of execution, and the layers without maps.

    One forward pass in evaluation mode; of a layer that is called more than once, its first output.
    """
    outputs = first_outputs(model, names, image[None].clone())
    maps, unshown = [], []
    for name, output in outputs.items():
        if reason := why_not(output):
            unshown.append(Unshown(name, reason))
        else:
            maps.append(Maps(name, tuple(output.shape[1:]), by_activity(output[0].float().cpu())))
    unshown += [Unshown(name, "the forward pass never calls it") for name in names if name not in outputs]
    return maps, unshown


def why_not(output: Any) -> str | None:
    """Why a layer's output for one picture is not a set of maps; None where it is."""
    if not isinstance(output, Tensor):
        return f"its output is a {type(output).__name__}, expected a tensor {EXPECTED}"
    if output.ndim != 4 or len(output) != 1 or not output.numel():
        return f"its output has the shape {tuple(output.shape)}, expected {EXPECTED}"
    if not output.is_floating_point():
        return f"its output is of {str(output.dtype).removeprefix('torch.')}, expected floating-point numbers"
    return None if output.isfinite().all() else "its output is not finite"


def by_activity(output: Float[Tensor, "channels height width"], most: int = MOST) -> list[Channel]:
    """The ``most`` channels with the largest mean absolute activation, of equals the first."""
    activity = output.abs().mean(dim=(1, 2))
    order = activity.sort(descending=True, stable=True).indices[:most]
    low, high = output.amin(dim=(1, 2)), output.amax(dim=(1, 2))
    return [
        Channel(n, float(activity[n]), float(low[n]), float(high[n]), scaled(output[n]).numpy()) for n in order.tolist()
    ]


def scaled(values: Float[Tensor, "height width"]) -> UInt8[Tensor, "height width"]:
    """From the smallest value (0) to the largest (255); all 0 where they are equal."""
    low, high = values.double().aminmax()
    span = float(high - low)
    return ((values.double() - low) * (255 / span if span else 0)).round().to(torch.uint8)


def cam_layer(model: nn.Module, image: Image, asked: str | None = None) -> str | None:
    """The layer for Grad-CAM: the one asked for, else the convolution called last whose maps exceed a single pixel.

    None where nothing was asked for and there is no such convolution. Raises AssayError for a name that is no layer of
    the network, and for a layer that has no maps.
    """
    modules = {name: module for name, module in model.named_modules() if name}
    if asked is not None and asked not in modules:
        raise AssayError(f"--cam: no layer is called {asked!r}; {nearest(asked, modules)}")
    convolutions = [name for name, module in modules.items() if isinstance(module, nn.Conv2d)]
    outputs = first_outputs(model, list(dict.fromkeys([*convolutions, *filter(None, [asked])])), image[None].clone())
    reasons = {name: why_not(output) or single_pixel(output) for name, output in outputs.items()}
    fitting = [name for name in outputs if name in convolutions and reasons[name] is None]
    if asked is None:
        return fitting[-1] if fitting else None
    if reason := reasons.get(asked, "the forward pass never calls it"):
        hint = nearest(asked, fitting) if fitting else "the network has no convolution with maps"
        raise AssayError(f"--cam: layer {asked!r} has no maps ({reason}); {hint}")
    return asked


def single_pixel(output: Tensor) -> str | None:
    """Why maps of one pixel say nothing about where."""
    return "its maps are a single pixel" if output.shape[2:].numel() == 1 else None


def grad_cam(model: nn.Module, layer: str, image: Image, target: int) -> Float[Tensor, "rows columns"]:
    """Where the maps of ``layer`` speak for class ``target``, not below 0, in the size of the maps.

    The channels weighted by the mean gradient of the class's logit, summed, negative values set to 0 (Selvaraju et al.,
    arXiv:1610.02391), by captum. A network with a single logit z has the logits (−z, z). Of a layer that is called more
    than once, its last output.
    """
    from captum.attr import LayerGradCam

    def logits(images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        found: Tensor = model(images)
        return found if found.shape[1] > 1 else torch.cat([-found, found], dim=1)

    method = LayerGradCam(logits, model.get_submodule(layer))
    with evaluating(model), torch.enable_grad():
        found: Tensor = method.attribute(image[None].clone(), target, relu_attributions=True)
    return found[0, 0].detach().float().cpu()


def available() -> bool:
    """Whether captum, which computes Grad-CAM, is installed."""
    return find_spec("captum") is not None
