"""Where the backbone of a network off the shelf ends and its head begins."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from assay.errors import AssayError
from assay.models.encoded import Encoded
from assay.models.encoded_detector import EncodedDetector
from assay.models.modes import evaluating
from assay.models.packed import Decoding, Finding
from assay.models.segmenter import Segmenter
from assay.recipe import HeadLayer


@dataclass(frozen=True)
class Parts:
    """A network in two parts: ``head(features(images))`` is what the network gives, in the mode it is in."""

    features: Callable[[Float[Tensor, "batch channels height width"]], Tensor]
    """Images → what the head gets; most networks give it (batch, width), those with an encoder a row of maps."""
    head: nn.Module
    """The network's own modules, not a copy."""
    name: str = ""
    """The head's name among the network's modules, where it is one."""


def parts(network: nn.Module) -> Parts:
    """The backbone and the head of a network of timm or torchvision. AssayError for any other network."""
    names = head_names(network)
    if len(names) != 1:
        raise AssayError(f"{type(network).__name__} has {len(names)} heads; expected a network with one")
    name = names[0]
    head = network.get_submodule(name)

    def features(images: Float[Tensor, "batch channels height width"]) -> Tensor:
        found: list[Tensor] = []  # copies: some heads begin with a dropout in place
        hook = head.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].clone()))
        try:
            network(images)
        finally:
            hook.remove()
        return found[0]

    return Parts(features, nn.Sequential(head, nn.Flatten(1)), name)


def encoder_and_rest(network: Segmenter | EncodedDetector, shape: tuple[int, int, int]) -> Parts:
    """The encoder and all else of a network for segmentation or detection, for images of ``shape``."""
    rest = Decoding(network, shape) if isinstance(network, Segmenter) else Finding(network, shape)
    return Parts(rest.pack, rest)


def head_names(network: nn.Module) -> list[str]:
    """The modules that make logits of features: timm's classifier (some have several), torchvision's last child, all
    but the encoder of a network that has one.

    Raises AssayError for a network of another origin.
    """
    if isinstance(network, Decoding | Finding):
        return [name for name, _ in network.named_children()]
    if isinstance(network, Encoded) and network.encoder_name:
        return network.rest_names
    if hasattr(network, "pretrained_cfg") and hasattr(network, "get_classifier"):
        found = network.get_classifier()  # type: ignore[operator]
        classifiers = found if isinstance(found, list | tuple) else [found]
        return [name for name, module in network.named_modules() if any(module is each for each in classifiers)]
    if type(network).__module__.startswith("torchvision.models"):
        return [name for name, _ in network.named_children()][-1:]
    raise AssayError(
        f"{type(network).__name__} has no backbone and head that can be told apart; expected a network off the shelf "
        "(timm/…, torchvision/…, smp/…), or deeplab, detector, yolo or rcnn"
    )


def output_names(network: nn.Module) -> list[str]:
    """The modules that another number of outputs would change."""
    if isinstance(network, Encoded):
        return list(network.output_names)
    try:
        return head_names(network)
    except AssayError:  # a network of ours
        return ["output"]


def replace_head(network: nn.Module, shape: tuple[int, int, int], layers: Sequence[HeadLayer], outputs: int) -> None:
    """Put ``layers``, followed by a dense layer with ``outputs`` logits, in place of the head."""
    old = parts(network)
    device = next(network.parameters()).device
    with evaluating(network):
        features = old.features(torch.zeros(2, *shape, device=device))
    with torch.device(device):
        new = nn.Sequential(OrderedDict(_head(features.shape[1:], layers, outputs)))
    network.set_submodule(old.name, new)


def _head(shape: torch.Size, layers: Sequence[HeadLayer], outputs: int) -> Iterator[tuple[str, nn.Module]]:
    """Named layers for features of ``shape`` (width) or (channels, height, width)."""
    width = shape.numel()
    if len(shape) > 1:
        if layers and layers[0].name == "average_pool":
            width = shape[0]
            yield "average_pool", nn.AdaptiveAvgPool2d(1)
        yield "flatten", nn.Flatten()
    counts = dict.fromkeys(("dense", "batch_norm", "dropout"), 0)
    for layer in layers:
        if layer.name == "average_pool":
            continue
        counts[layer.name] += 1
        number = counts[layer.name]
        match layer.name:
            case "dense":
                yield f"dense{number}", nn.Linear(width, size := int(layer.amount or 1))
                yield f"activation{number}", nn.ReLU()
                width = size
            case "batch_norm":
                yield f"norm{number}", nn.BatchNorm1d(width)
            case "dropout":
                yield f"dropout{number}", nn.Dropout(layer.amount or 0.0)
    yield "output", nn.Linear(width, outputs)
