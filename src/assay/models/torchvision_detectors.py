"""Detectors of torchvision behind the doors of ``Detector``: their images are normalised and on the canvas already."""

import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from inspect import signature
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models import WeightsEnum, detection
from torchvision.models.detection.ssd import SSD, SSDFeatureExtractorVGG
from torchvision.models.detection.ssdlite import SSDLiteFeatureExtractorMobileNet

from assay.data.boxes import NO_BOX, BoxBatch
from assay.errors import AssayError, nearest
from assay.models.detector import Found
from assay.models.encoded_detector import EncodedDetector, Losses, padded
from assay.models.inputs import Inputs
from assay.models.segmenter import Images
from assay.seeds import scoped

DETECTORS = [name for name in models.list_models(module=detection) if not name.startswith(("mask", "keypoint"))]
"""Their names."""
KINDS = {"faster": detection.FasterRCNN, "fcos": detection.FCOS, "retina": detection.RetinaNet, "ssd": SSD}
"""Beginning of a name → the class, whose numbers are the options of the architecture."""
PARTS = {
    "bbox_ctrness": "centre",
    "bbox_regression": "box",
    "classification": "class",
    "loss_box_reg": "box",
    "loss_classifier": "class",
    "loss_objectness": "objectness",
    "loss_rpn_box_reg": "proposal",
}
"""torchvision's name of a part of the loss → ours."""


def detector(architecture: str, outputs: int, **options: Any) -> nn.Module:
    """The network of that name for so many classes, with random weights.

    Raises AssayError for an option that is none, or a value that it cannot have.
    """
    known = numbers(architecture)
    for refused in set(options) - set(known):
        raise AssayError(f"model 'torchvision/{architecture}' has no argument {refused!r}; {nearest(refused, known)}")
    for name, value in options.items():
        _check(name, value, isinstance(known[name], int))
    settings = known | options
    for name in [each for each in settings if each.endswith("bg_iou_thresh")]:
        if settings[name] > settings[above := name.replace("bg_", "fg_")]:
            raise AssayError(
                f"model.{name} is {settings[name]:g} and model.{above} {settings[above]:g}; expected at most as much"
            )
    return TorchvisionDetector(made(architecture, outputs, **options), _backgrounds(architecture))


def _check(name: str, value: Any, is_whole: bool) -> None:
    """AssayError for what is no amount, share or radius."""
    is_number = isinstance(value, int if is_whole else int | float) and not isinstance(value, bool)
    most = 1 if not is_whole and not name.endswith("radius") else sys.maxsize
    if not is_number or not (1 if is_whole else 0) <= value <= most:
        expected = "a whole number above 0" if is_whole else f"a number from 0{' to 1' * (most == 1)}"
        raise AssayError(f"model.{name}: found {value!r}, expected {expected}")


def numbers(architecture: str) -> dict[str, int | float]:
    """The arguments that choose how boxes are matched and sampled, with their defaults: not those that ``selecting``
    or the data decide."""
    kind = next(kind for beginning, kind in KINDS.items() if architecture.startswith(beginning))
    own = signature(kind.__init__).parameters.values()
    kept = {each.name: each.default for each in own if isinstance(each.default, int | float)}
    settled = ("min_size", "max_size", "score_thresh", "nms_thresh", "detections_per_img")
    return {name: default for name, default in kept.items() if name.removeprefix("box_") not in settled}


def made(architecture: str, outputs: int, **options: Any) -> nn.Module:
    """torchvision's own network; a softmax has one class more, the background, before them."""
    network: nn.Module = models.get_model(
        architecture,
        **{"weights": None, "weights_backbone": None} | options,
        num_classes=outputs + _backgrounds(architecture),
    )
    return network


class TorchvisionDetector(EncodedDetector):
    """The modules of a network of torchvision under its names, and its own forward pass from the encoder's maps on.

    ``backgrounds`` of its classes, none or one, come before those that are asked for.
    """

    def __init__(self, network: Any, backgrounds: int) -> None:
        super().__init__()
        for name, child in network.named_children():
            if name != "transform":
                self.add_module(name, child)
        self._multiple = network.transform.size_divisible
        del network.transform, network.backbone
        network.transform, network.backbone = AsTheyAre(), attrgetter("maps")
        self._network = (network,)  # in a tuple, or its modules had two names
        self._backgrounds = backgrounds
        self._is_two_stage = hasattr(network, "roi_heads")
        self.encoder_name = f"backbone.{'body' if hasattr(self.backbone, 'fpn') else 'features'}"
        of_one_stage = "head.classification_head" if backgrounds else "head.classification_head.cls_logits"
        self.output_names = ("roi_heads.box_predictor",) if self._is_two_stage else (of_one_stage,)

    def encode(self, images: Images) -> list[Tensor]:
        """The maps that the pyramid or the extra layers begin with."""
        backbone: Any = self.backbone
        images = padded(images, self._multiple)
        if isinstance(backbone, SSDFeatureExtractorVGG):
            return [backbone.features(images)]
        if isinstance(backbone, SSDLiteFeatureExtractorMobileNet):
            first = backbone.features[0](images)
            return [first, backbone.features[1](first)]
        return list(backbone.body(images).values())

    def pyramid(self, maps: Sequence[Tensor]) -> "OrderedDict[str, Tensor]":
        """The maps that boxes are looked for in."""
        backbone: Any = self.backbone
        if hasattr(backbone, "fpn"):
            found: OrderedDict[str, Tensor] = backbone.fpn(OrderedDict(_numbered(maps)))
            return found
        last, all_maps = maps[-1], list(maps)
        if isinstance(backbone, SSDFeatureExtractorVGG):
            all_maps = [backbone.scale_weight.view(1, -1, 1, 1) * nn.functional.normalize(last)]
        for block in backbone.extra:
            last = block(last)
            all_maps.append(last)
        return OrderedDict(_numbered(all_maps))

    def losses_of(self, maps: Sequence[Tensor], boxes: BoxBatch, size: tuple[int, int]) -> Losses:
        """See ``EncodedDetector``."""
        network = self._network[0]
        network.training = True
        targets = [
            {"boxes": edges[there], "labels": labels[there] + self._backgrounds}
            for edges, labels in zip(boxes.edges, boxes.labels, strict=True)
            for there in [(labels != NO_BOX) & (edges[:, 2:] > edges[:, :2]).all(dim=1)]
        ]
        found = network(Seen(self.pyramid(maps), size, self._multiple), targets)
        return {PARTS[name]: value for name, value in found.items()}

    def found_of(self, maps: Sequence[Tensor], size: tuple[int, int]) -> list[Found]:
        """See ``EncodedDetector``."""
        network, how = self._network[0], self.selecting
        network.training = False
        place = network.roi_heads if self._is_two_stage else network
        place.score_thresh, place.detections_per_img = how.score, how.most
        place.nms_thresh = 1.0 if how.nms is None else how.nms
        answers = network(Seen(self.pyramid(maps), size, self._multiple))
        return [Found(each["boxes"], each["labels"] - self._backgrounds, each["scores"]) for each in answers]


@dataclass(frozen=True, eq=False)
class Seen:
    """Maps in place of images: of these, torchvision's networks ask the number and the size."""

    maps: "OrderedDict[str, Tensor]"
    size: tuple[int, int]
    multiple: int
    """Of which the sides were made before there were maps."""

    def __iter__(self) -> Iterator[Tensor]:
        """Images of which nothing but the size is known."""
        first = next(iter(self.maps.values()))
        return iter(first.new_empty(0, *self.size) for _ in range(len(first)))

    @property
    def tensors(self) -> "Seen":
        """What the backbone is called with, and whose shape is asked."""
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the padded batch."""
        return (len(self.image_sizes), 0, *(side + -side % self.multiple for side in self.size))

    @property
    def image_sizes(self) -> list[tuple[int, int]]:
        """Height and width of each image."""
        return [self.size] * len(next(iter(self.maps.values())))


class AsTheyAre:
    """In place of torchvision's transform, which would normalise and resize a second time."""

    def __call__(self, images: Seen, targets: Any = None) -> tuple[Seen, Any]:
        """Both as they are."""
        return images, targets

    def postprocess(self, found: Any, *_: Any) -> Any:
        """Boxes are on the canvas already."""
        return found


def inputs(architecture: str) -> Inputs:
    """What ``torchvision/<architecture>`` was made for, by its own transform: the canvas of SSD, else a square of the
    shorter side."""
    with torch.device("meta"):
        transform: Any = made(architecture, 1).transform
    side = transform.min_size[-1]
    return Inputs(transform.fixed_size or (side, side), tuple(transform.image_mean), tuple(transform.image_std))


def backbone_weights(architecture: str) -> WeightsEnum:
    """Those that torchvision has for the backbone alone."""
    found: WeightsEnum = signature(models.get_model_builder(architecture)).parameters["weights_backbone"].default
    return found


def of_backbone(architecture: str) -> tuple[dict[str, Tensor], str]:
    """(the backbone's own weights under the names of the detector, which they are), out of the cache of torch's hub.

    They are what two networks have in common whose rest was drawn differently.
    """
    weights = backbone_weights(architecture)
    networks: list[Any] = []
    for seed in (0, 1):
        with scoped(seed, "pretrained"):
            network = made(architecture, 1, weights_backbone=weights)
            networks.append(TorchvisionDetector(network, _backgrounds(architecture)))
    one, other = (network.state_dict() for network in networks)
    rest = tuple(f"{name}." for name in networks[0].rest_names)
    return {
        name: tensor
        for name, tensor in one.items()
        if name.startswith("backbone.")
        and tensor.equal(other[name])
        and (not name.startswith(rest) or bool(tensor.min() < tensor.max()))
    }, str(weights)


def _backgrounds(architecture: str) -> int:
    """How many classes stand for the background: where each class is apart from the others none has to."""
    return 0 if architecture.startswith(("retinanet", "fcos")) else 1


def _numbered(maps: Sequence[Tensor]) -> Iterator[tuple[str, Tensor]]:
    return ((str(number), part) for number, part in enumerate(maps))
