"""YOLO: boxes in one pass over the image, by the trunk of YOLOv5 and a head with anchors or without.

Redmon et al., arXiv:1506.02640, for the idea; see ``csp``, ``anchor_free`` and ``anchors`` for the parts.

Parameters with 80 classes, batch norms counted (and folded into the convolutions before them, as some tables have it)::

      size  with anchors                 without
      n      1,872,157  ( 1,867,405)      2,654,800
      s      7,235,389  ( 7,225,885)      9,153,136
      m     21,190,557  (21,172,173)     25,111,440
      l     46,563,709  (46,533,693)     53,225,008
      x     86,749,405  (86,705,005)     97,276,432
"""

import math
from typing import Literal

from torch import Tensor, nn

from assay.models.anchor_free import AnchorFree
from assay.models.anchors import Anchors
from assay.models.csp import STRIDES, Backbone, Maps, Neck
from assay.models.encoded_detector import OneStage, padded
from assay.models.segmenter import Images

SIZES = {"n": (0.33, 0.25), "s": (0.33, 0.5), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25)}
"""Depth and width of each size, as shares of l's."""
WIDTHS = (64, 128, 256, 512, 1024)
REPEATS = (3, 6, 9, 3)
"""Channels of the stem and the stages, and bottlenecks of the stages, of size l."""


def yolo(
    shape: tuple[int, int, int],
    outputs: int,
    *,
    size: Literal["n", "s", "m", "l", "x"] = "n",
    head: Literal["anchor_free", "anchors"] = "anchor_free",
) -> nn.Module:
    """Images of ``shape`` (channels, height, width) → boxes of ``outputs`` classes.

    Any size of images will do: they are padded to the right and below with 0, the mean colour once they are normalised,
    to a multiple of 32 pixels. The anchors are those that YOLOv5 has for 640 pixels, scaled by the longer side.
    """
    return Yolo(shape, outputs, *SIZES[size], head)


class Yolo(OneStage):
    """Backbone, neck and head."""

    encoder_name = "backbone"

    def __init__(self, shape: tuple[int, int, int], classes: int, depth: float, width: float, head: str) -> None:
        super().__init__()
        widths = [math.ceil(each * width / 8) * 8 for each in WIDTHS]
        repeats = [max(round(each * depth), 1) for each in REPEATS]
        self.backbone = Backbone(shape[0], widths, repeats)
        self.neck = Neck(widths[2:], widths[2:], repeats[0])
        kind = AnchorFree if head == "anchor_free" else Anchors
        self.head, self.output_names = kind(widths[2:], STRIDES, classes), (f"head.{kind.output_name}",)
        self.head.expect(shape[1:])

    def encode(self, images: Images) -> list[Maps]:
        """The backbone's maps at ``STRIDES``."""
        found: list[Tensor] = self.backbone(padded(images, STRIDES[-1]))
        return found
