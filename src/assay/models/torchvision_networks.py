"""Networks of torchvision, for one answer an image or a pixel, or for boxes, with the inputs they were made for."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models import WeightsEnum

from assay.errors import AssayError, unknown
from assay.models.inputs import Inputs
from assay.models.torchvision_detectors import DETECTORS, backbone_weights, detector, of_backbone
from assay.models.torchvision_detectors import inputs as inputs_of_detector
from assay.models.torchvision_segmenters import SEGMENTERS, segmenter
from assay.models.weight_files import read_file
from assay.models.weights import unreachable

OF_ONE_SIZE = {"vit_": "image_size", "maxvit_": "input_size"}
"""Beginning of a name → the argument that says the size of the images."""
WITH_AUXILIARY_OUTPUTS = ("googlenet", "inception_v3")
"""Built without them: they give other things in training than in evaluation. Their weights come from TensorFlow, which
scaled images to ±1; torchvision's own ``transform_input`` turns its usual normalisation into that one."""

AUXILIARY = ("AuxLogits.", "aux1.", "aux2.", "aux_classifier.")
"""How the names of their weights begin."""


def builder(architecture: str) -> Callable[..., nn.Module]:
    """The builder of ``torchvision/<architecture>``; AssayError for any other name than these."""
    _check(architecture)

    def build(shape: tuple[int, int, int], outputs: int, **options: Any) -> nn.Module:
        """Images of ``shape`` → ``outputs`` logits, with random weights; ``options`` are the architecture's own."""
        name = f"model 'torchvision/{architecture}'"
        try:
            if architecture in SEGMENTERS:
                network = segmenter(architecture, outputs, **options)
            elif architecture in DETECTORS:
                network = detector(architecture, outputs, **options)
            else:
                own = _arguments(architecture, shape[1:]) | options
                network = models.get_model(architecture, weights=None, num_classes=outputs, **own)
        except (TypeError, ValueError, AssertionError) as error:
            if argument := re.search(r"(?:unexpected|multiple values for) keyword argument '(\w+)'", str(error)):
                raise AssayError(f"{name} has no argument {argument[1]!r}") from None
            raise AssayError(f"{name} cannot be built for images of {shape[1]}×{shape[2]}: {error}") from None
        if shape[0] == 1:
            sum_first_convolution(network)
        return network

    return build


def inputs(architecture: str, **_: Any) -> Inputs:
    """What ``torchvision/<architecture>`` was made for, by the preset of its default weights."""
    _check(architecture)
    if architecture in DETECTORS:
        return inputs_of_detector(architecture)
    preset = models.get_model_weights(architecture).DEFAULT.transforms()
    side = (preset.resize_size if architecture in SEGMENTERS else preset.crop_size)[0]
    if architecture in WITH_AUXILIARY_OUTPUTS:
        return Inputs((side, side), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    return Inputs((side, side), tuple(preset.mean), tuple(preset.std))


def pretrained(architecture: str, shape: tuple[int, int, int], **_: Any) -> tuple[dict[str, Tensor], str]:
    """(torchvision's default weights, where they were found): in the cache of torch's hub, or downloaded; of a detector
    those of its backbone alone where only they are in the cache.

    Raises AssayError where they are in neither place.
    """
    _check(architecture)
    weights = models.get_model_weights(architecture).DEFAULT
    cached = cached_file(weights)
    if architecture in DETECTORS and not cached.is_file() and cached_file(backbone_weights(architecture)).is_file():
        return of_backbone(architecture)
    if cached.is_file():
        tensors, origin = read_file(cached), str(cached)
    else:
        try:
            tensors, origin = weights.get_state_dict(progress=True, check_hash=True), f"{weights}, downloaded"
        except Exception as error:  # whatever the libraries between us and the network raise
            raise unreachable(f"torchvision/{architecture}", error, False) from None
    return {name: t for name, t in tensors.items() if not name.startswith(AUXILIARY)}, origin


def installed() -> list[str]:
    """The architectures whose default weights lie in the cache of torch's hub."""
    names = models.list_models(module=models)
    return [name for name in names if cached_file(models.get_model_weights(name).DEFAULT).is_file()]


def cached_file(weights: WeightsEnum) -> Path:
    """Where the cache of torch's hub has the file of these weights, or would have it."""
    return Path(torch.hub.get_dir()) / "checkpoints" / str(weights.url).rpartition("/")[2]


def _check(architecture: str) -> None:
    known = [*models.list_models(module=models), *SEGMENTERS, *DETECTORS]
    if architecture in known:
        return
    if architecture in models.list_models():
        what = "is no image classifier, and not for segmentation or boxes; expected one such as resnet18"
        raise AssayError(f"model 'torchvision/{architecture}' {what}")
    raise unknown("torchvision model", architecture, known)


def _arguments(architecture: str, size: tuple[int, int]) -> dict[str, Any]:
    """What the architecture must be told besides the number of outputs."""
    if architecture in WITH_AUXILIARY_OUTPUTS:
        return {"aux_logits": False, "init_weights": True}
    for beginning, argument in OF_ONE_SIZE.items():
        if architecture.startswith(beginning):
            if argument == "image_size" and size[0] != size[1]:
                raise ValueError("it takes square images only")
            return {argument: size[0] if argument == "image_size" else size}
    return {}


def sum_first_convolution(network: nn.Module) -> None:
    """Let a network of RGB images take gray ones, with the result of giving it the gray image three times."""
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.in_channels = 1
    first.weight = nn.Parameter(first.weight.detach().sum(dim=1, keepdim=True))
