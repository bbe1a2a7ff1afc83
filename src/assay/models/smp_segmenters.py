"""Networks of segmentation-models-pytorch (github.com/qubvel-org) on encoders of timm, with the inputs of these."""

import re
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from assay.errors import AssayError, nearest, unknown
from assay.models import timm_classifiers as timm
from assay.models.inputs import Inputs
from assay.models.segmenter import Images, Logits, Segmenter

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "deeplabv3": smp.DeepLabV3,
    "deeplabv3plus": smp.DeepLabV3Plus,
    "dpt": smp.DPT,
    "fpn": smp.FPN,
    "linknet": smp.Linknet,
    "manet": smp.MAnet,
    "pan": smp.PAN,
    "pspnet": smp.PSPNet,
    "segformer": smp.Segformer,
    "unet": smp.Unet,
    "unetplusplus": smp.UnetPlusPlus,
    "upernet": smp.UPerNet,
}
ENCODERS = {"dpt": "timm/vit_tiny_patch16_224"}
"""Those that take no encoder of maps in several sizes, and what they take instead."""
ENCODER = "timm/tf_efficientnet_lite0"
OF_MAPS = "a network that gives maps in several sizes, such as timm/resnet18 or timm/convnext_atto"
OF_TOKENS = "a transformer of tokens, such as timm/vit_tiny_patch16_224"
HALVED = 3
"""How often PAN's attention halves the smallest map."""
SETTLED = ("encoder_name", "encoder_weights", "in_channels", "classes", "activation", "aux_params", "upsampling")
"""Arguments that are no choice here."""


def builder(architecture: str) -> Callable[..., nn.Module]:
    """The builder of ``smp/<architecture>``; AssayError for a name that smp does not know."""
    network = _network(architecture)
    default = ENCODERS.get(architecture, ENCODER)

    def build(shape: tuple[int, int, int], outputs: int, *, encoder: str = default, **options: Any) -> nn.Module:
        """Images of ``shape`` → ``outputs`` logits for every pixel, with random weights, on an ``encoder`` of timm;
        ``options`` are the architecture's own, or the encoder's."""
        backbone = timm.named(encoder, "encoder")
        for refused in set(SETTLED) & set(options):
            raise AssayError(
                f"model 'smp/{architecture}' has no argument {refused!r}; {_nearest(architecture, refused)}"
            )

        def made(**size: Any) -> nn.Module:
            return network(
                f"tu-{backbone}", encoder_weights=None, in_channels=shape[0], classes=outputs, **size, **options
            )

        try:
            return SmpSegmenter(made(**_size(backbone, shape, made)))
        except (TypeError, ValueError, AssertionError, KeyError, RuntimeError, AttributeError) as error:
            raise _refused(architecture, encoder, error) from None

    return build


class SmpSegmenter(Segmenter):
    """The encoder, the decoder and the head of a network of smp, under its names."""

    encoder_name = "encoder"
    output_names = ("segmentation_head",)

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.encoder, self.decoder = network.encoder, network.decoder
        self.segmentation_head = network.segmentation_head
        self.multiple = multiple(network)
        self.least = 2**HALVED * self.multiple if isinstance(network, smp.PAN) else 0
        self._of_tokens = isinstance(network, smp.DPT)

    def encode(self, images: Images) -> list[Tensor]:
        """Maps from the largest to the smallest; of a transformer of tokens, maps of one size, then their prefixes."""
        found = self.encoder(images)
        if not self._of_tokens:
            return list(found)
        maps, prefixes = found
        return [*maps, *(prefix for prefix in prefixes if prefix is not None)]

    def decode(self, maps: Sequence[Tensor]) -> Logits:
        """Logits at the padded size."""
        if self._of_tokens:
            count = len(self.encoder.out_channels)
            prefixes: list[Any] = list(maps[count:]) or [None] * count
            decoded = self.decoder(list(maps[:count]), prefixes)
        else:
            decoded = self.decoder(list(maps))
        logits: Tensor = self.segmentation_head(decoded)
        return logits


def multiple(network: Any) -> int:
    """What the sides of images are multiples of: the pixels that one of the smallest maps stands for."""
    stride: int = network.encoder.output_stride
    return 2 * stride if isinstance(network, smp.DPT) else stride


def inputs(architecture: str, encoder: str | None = None, **_: Any) -> Inputs:
    """What the encoder of ``smp/<architecture>`` was made for, by timm's own configuration."""
    _network(architecture)
    return timm.inputs(timm.named(encoder or ENCODERS.get(architecture, ENCODER), "encoder"))


def pretrained(
    architecture: str, shape: tuple[int, int, int], encoder: str | None = None, **options: Any
) -> tuple[dict[str, Tensor], str]:
    """(timm's weights of the encoder under the names of its classifier, where they were found).

    Raises AssayError where timm has none, or they are neither in a cache nor a package, nor can be downloaded.
    """
    name = encoder or ENCODERS.get(architecture, ENCODER)
    with torch.device("meta"):
        network: Any = builder(architecture)(shape, 1, encoder=name, **options)
    sides = network.multiple
    height, width = (side + -side % sides for side in shape[1:])
    return timm.pretrained(timm.named(name, "encoder"), (shape[0], height, width))


def installed() -> list[str]:
    """None: the weights that are here are those of the encoders, under timm's name."""
    return []


def _network(architecture: str) -> Callable[..., nn.Module]:
    if architecture not in NETWORKS:
        raise unknown("smp model", architecture, NETWORKS)
    return NETWORKS[architecture]


def _size(backbone: str, shape: tuple[int, int, int], made: Callable[..., Any]) -> dict[str, Any]:
    """What an encoder of one size must be told: that of the padded images."""
    if not timm.is_of_one_size(backbone):
        return {}
    with torch.device("meta"):
        sides = multiple(made())
    return {"img_size": tuple(side + -side % sides for side in shape[1:])}


def _nearest(architecture: str, argument: str) -> str:
    own = [name for name in signature(_network(architecture)).parameters if name not in (*SETTLED, "kwargs")]
    return nearest(argument, ["encoder", *own])


def _refused(architecture: str, encoder: str, error: Exception) -> AssayError:
    """What smp or timm refused, in a sentence."""
    name, message = f"model 'smp/{architecture}'", str(error)
    argument = re.search(r"(?:unexpected|multiple values for) keyword argument '(\w+)'|^$", message)
    if argument is None:
        if "downsampling pattern" in message or architecture in ENCODERS:
            expected = OF_TOKENS if architecture in ENCODERS else OF_MAPS
            return AssayError(f"{name} cannot have the encoder {encoder} ({message.rstrip('.')}); expected {expected}")
        return AssayError(f"{name} on {encoder} cannot be built: {message}")
    match argument[1]:
        case "output_stride" | None:
            return AssayError(f"{name} needs an encoder that can be dilated, such as timm/resnet18; {encoder} cannot")
        case "in_chans":
            return AssayError(f"{name} on {encoder} takes RGB images only; set data.color: rgb")
    return AssayError(f"{name} has no argument {argument[1]!r}; {_nearest(architecture, argument[1])}")
