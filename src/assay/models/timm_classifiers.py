"""Classifiers of timm (github.com/huggingface/pytorch-image-models), with the inputs they were made for."""

import re
from collections.abc import Callable
from typing import Any

import timm
from timm.data.config import resolve_data_config
from torch import nn

from assay.errors import AssayError, unknown
from assay.models.inputs import Inputs


def classifier(architecture: str) -> Callable[..., nn.Module]:
    """The builder of ``timm/<architecture>``; AssayError for a name that timm does not know."""
    fixed = bool(_config(architecture).get("fixed_input_size"))

    def build(shape: tuple[int, int, int], outputs: int, **options: Any) -> nn.Module:
        """Images of ``shape`` → ``outputs`` logits, with random weights; ``options`` are the architecture's own."""
        size: dict[str, Any] = {"img_size": shape[1:]} if fixed else {}
        try:
            return timm.create_model(architecture, num_classes=outputs, in_chans=shape[0], **size, **options)
        except (TypeError, ValueError, AssertionError) as error:
            name = f"model 'timm/{architecture}'"
            if argument := re.search(r"(?:unexpected|multiple values for) keyword argument '(\w+)'", str(error)):
                refused = argument[1]
                what = "takes RGB images only; set data.color: rgb" if refused == "in_chans" else None
                raise AssayError(f"{name} {what or f'has no argument {refused!r}'}") from None
            raise AssayError(f"{name} cannot be built for images of {shape[1]}×{shape[2]}: {error}") from None

    return build


def inputs(architecture: str) -> Inputs:
    """What ``timm/<architecture>`` was made for, by timm's own configuration."""
    found = resolve_data_config(pretrained_cfg=_config(architecture) or {"input_size": (3, 224, 224)})
    return Inputs(found["input_size"][1:], found["mean"], found["std"])


def _config(architecture: str) -> dict[str, Any]:
    """timm's configuration of an architecture, or of its weights behind a dot: ``resnet18.a1_in1k``."""
    name, _, tag = architecture.partition(".")
    if not timm.is_model(name):
        raise unknown("timm model", architecture, timm.list_models())
    weights = timm.list_pretrained(f"{name}.*")
    if tag and architecture not in weights:
        raise unknown("timm model", architecture, weights or [name])
    config = timm.get_pretrained_cfg(architecture)
    return config.to_dict() if config else {}
