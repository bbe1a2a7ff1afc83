"""A detector on any backbone of timm that gives maps at 8, 16 and 32 pixels.

The maps go through a neck, down and up again as YOLO's, to a head without anchors; or through a feature pyramid to the
two stages of Faster R-CNN (Ren et al., arXiv:1506.01497), which are torchvision's.

Parameters of 3 classes on ``tf_efficientnet_lite0`` behind its 2,958,848: 446,265 and 3,586,978.
"""

from collections import OrderedDict
from typing import Any, Literal

import timm as library
import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from assay.errors import AssayError
from assay.models import timm_classifiers as timm
from assay.models.anchor_free import AnchorFree
from assay.models.csp import STRIDES, Neck
from assay.models.encoded_detector import OneStage, padded
from assay.models.segmenter import Images
from assay.models.torchvision_detectors import TorchvisionDetector

OF_MAPS = "a network that gives maps at 8, 16 and 32 pixels, such as timm/resnet18 or timm/convnext_atto"
ANCHORS = (2.5, 4.0)
"""Sides of Faster R-CNN's anchors, in pixels of their map; each in three shapes."""


def detector(
    shape: tuple[int, int, int],
    outputs: int,
    *,
    backbone: str = "timm/tf_efficientnet_lite0",
    head: Literal["anchor_free", "faster_rcnn"] = "anchor_free",
    width: PositiveInt = 48,
) -> nn.Module:
    """Images of ``shape`` (channels, height, width) → boxes of ``outputs`` classes, by maps of ``width`` channels.

    Any size of images will do: they are padded to the right and below with 0, the mean colour once they are normalised,
    to a multiple of 32 pixels.
    """
    encoder = Encoder(backbone, shape)
    if head == "faster_rcnn":
        return TorchvisionDetector(faster_rcnn(encoder, outputs, width), backgrounds=1)
    return BackboneDetector(encoder, shape, outputs, width)


class Encoder(nn.Module):
    """A backbone of timm up to its maps at ``STRIDES``. AssayError for one that has no such maps."""

    def __init__(self, backbone: str, shape: tuple[int, int, int]) -> None:
        super().__init__()
        name = timm.named(backbone, "backbone")
        sides = tuple(side + -side % STRIDES[-1] for side in shape[1:])
        size: dict[str, Any] = {"img_size": sides} if timm.is_of_one_size(name) else {}
        try:
            with torch.device("meta"):
                trial: Any = library.create_model(name, features_only=True)
            sides_of_cells: list[int] = trial.feature_info.reduction()
            if not set(STRIDES) <= set(sides_of_cells):
                raise ValueError(f"its maps are at {', '.join(map(str, sides_of_cells))} pixels")
            places = tuple(map(sides_of_cells.index, STRIDES))
            model: Any = library.create_model(name, features_only=True, out_indices=places, in_chans=shape[0], **size)
        except (TypeError, ValueError, RuntimeError, AttributeError, KeyError, AssertionError) as error:
            reason = str(error).rstrip(".")
            raise AssayError(
                f"model.backbone: {backbone} cannot carry a detector ({reason}); expected {OF_MAPS}"
            ) from None
        self.model = model
        self.channels: list[int] = model.feature_info.channels()
        self._is_channels_last = getattr(model, "output_fmt", "NCHW") == "NHWC"

    def forward(self, images: Images) -> "OrderedDict[str, Tensor]":
        """The maps by their number, the finest first."""
        maps = self.model(images)
        return OrderedDict(
            (str(number), part.permute(0, 3, 1, 2).contiguous() if self._is_channels_last else part)
            for number, part in enumerate(maps)
        )


class BackboneDetector(OneStage):
    """Encoder, neck, head."""

    encoder_name = "encoder"
    output_names = ("head.classes",)

    def __init__(self, encoder: Encoder, shape: tuple[int, int, int], classes: int, width: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.neck = Neck(encoder.channels, [width] * len(STRIDES), repeats=1)
        self.head = AnchorFree([width] * len(STRIDES), STRIDES, classes)
        self.head.expect(shape[1:])

    def encode(self, images: Images) -> list[Tensor]:
        """The backbone's maps of the padded images, at ``STRIDES``."""
        return list(self.encoder(padded(images, STRIDES[-1])).values())


class Pyramid(nn.Module):
    """A backbone and the feature pyramid on it, under the names that torchvision has for them."""

    def __init__(self, body: Encoder, width: int) -> None:
        super().__init__()
        self.body, self.out_channels = body, width
        self.fpn = FeaturePyramidNetwork(body.channels, width, LastLevelMaxPool())


def faster_rcnn(encoder: Encoder, classes: int, width: int) -> nn.Module:
    """torchvision's two stages on a feature pyramid, whose last map is halved once more."""
    strides = (*STRIDES, 2 * STRIDES[-1])
    sizes = tuple(tuple(round(side * stride) for side in ANCHORS) for stride in strides)
    network: nn.Module = FasterRCNN(
        Pyramid(encoder, width),
        classes + 1,
        rpn_anchor_generator=AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes)),
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], output_size=7, sampling_ratio=2),
    )
    return network
