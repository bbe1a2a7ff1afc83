"""R-CNN (Girshick et al., arXiv:1311.2524): regions that may hold an object, each put into a class by itself.

The regions come from selective search, not from the network: no box is found where none of them lies. Five things can
be left out or changed one by one: which regions there are (``proposals``), which of them are learned from (``samples``,
``class_weights``), what is seen of them (``rois``), whether they are moved onto the object (``box_regression``), and
whether boxes that overlap displace each other (``predict.nms``).

Under ``rois: features`` an image goes through the backbone once, as in Fast R-CNN (arXiv:1504.08083).
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection._utils import BoxCoder

from assay.data.boxes import BoxBatch
from assay.models.detector import Found, selected
from assay.models.encoded_detector import EncodedDetector, Losses
from assay.models.rcnn_backbone import FirstOnMap, Search, Seen, SeenCrops, normalised, trunk
from assay.models.rcnn_samples import CLOSE, Regions, Where, all_of, assigned, balanced, drawn, rois
from assay.models.segmenter import Images
from assay.recipe import Proposals, Samples

Hidden = Float[Tensor, "m width"]
WIDTH = 128
"""Neurons of the head."""
BINS = 3
"""A region of a map is seen as so many rows of so many parts."""
CODER = BoxCoder((10.0, 10.0, 5.0, 5.0))
"""(Δx / w, Δy / h, log of the ratio of the w, of the h), by appendix C of the paper, on the scale of Fast R-CNN."""
ABSENT = -1.0
"""The score of what is no candidate."""
BETA = 1 / 9
"""Where the loss of a box turns from a square into an absolute value."""


def rcnn(
    shape: tuple[int, int, int],
    outputs: int,
    *,
    backbone: str = "timm/mobilenetv2_100",
    proposals: Proposals = Proposals(),  # noqa: B008
    samples: Samples | Literal["all"] = Samples(),  # noqa: B008
    class_weights: Literal["none", "balanced"] = "none",
    rois: Literal["features", "crops"] = "features",
    stride: Literal[16, 32] = 32,
    box_regression: bool = True,
) -> nn.Module:
    """Images of ``shape``, normalised as those of the backbone were, → boxes of ``outputs`` classes.

    A pixel of the backbone's map stands for ``stride`` ones of the image; 16 is reached by dilation, with the same
    weights. Raises AssayError where OpenCV's contributions are not installed, for a backbone that timm has not, or
    whose maps are of another stride.
    """
    search = Search(proposals, *normalised(backbone, shape[0]))
    model, channels = trunk(backbone, shape[0], stride)
    encoder: Seen
    first: FirstOnMap | nn.Linear
    if rois == "crops":
        encoder, first = SeenCrops(search, model), nn.Linear(channels, WIDTH)
    else:
        encoder, first = Seen(search, model), FirstOnMap(channels, WIDTH, BINS, stride)
    return RCNN(outputs, encoder, first, box_regression, samples, class_weights)


class RCNN(EncodedDetector):
    """Search, backbone, and a head of two layers that says of each region what it is, and where its box is."""

    encoder_name = "encoder"
    output_names = ("classes", "moves")

    def __init__(
        self,
        outputs: int,
        encoder: Seen,
        first: FirstOnMap | nn.Linear,
        box_regression: bool,
        samples: Samples | Literal["all"],
        class_weights: Literal["none", "balanced"],
    ) -> None:
        super().__init__()
        self.outputs, self.samples, self.class_weights = outputs, samples, class_weights
        self.encoder, self.first = encoder, first
        self.classes = nn.Linear(WIDTH, outputs + 1)
        """The last is the background."""
        self.moves = nn.Linear(WIDTH, 4 * outputs) if box_regression else None

    def encode(self, images: Images) -> list[Tensor]:
        """What is seen, and the regions: the map; under ``rois: crops`` a row of numbers for each region."""
        found: list[Tensor] = self.encoder(images)
        return found

    def losses(self, images: Images, boxes: BoxBatch) -> Losses:
        """``class``: cross-entropy of the regions drawn; ``box``: smooth L1 of how those near a box are moved."""
        crops = self.encoder
        if not isinstance(crops, SeenCrops):
            return super().losses(images, boxes)
        regions = crops.search(images)
        return self._losses(lambda where: self.first(crops.of(images, rois(regions, where))), regions, boxes)

    def losses_of(self, maps: Sequence[Tensor], boxes: BoxBatch, size: tuple[int, int]) -> Losses:
        """The same, of what ``encode`` gives."""
        seen, regions = maps
        return self._losses(lambda where: self._hidden(seen, regions, where), regions, boxes)

    def found_of(self, maps: Sequence[Tensor], size: tuple[int, int]) -> list[Found]:
        """Every region is a candidate for every class, moved as the class asks."""
        seen, regions = maps
        where = all_of(regions)
        hidden = functional.relu(self._hidden(seen, regions, where))
        likely = self.classes(hidden).softmax(dim=1)[:, : self.outputs].float()
        scores = likely.new_full((*regions.shape[:2], self.outputs), ABSENT).index_put(where, likely)
        if self.moves is None:
            return selected(regions, scores, self.selecting, size)
        moved = CODER.decode(self.moves(hidden).float(), [regions[where]])
        edges = regions.new_zeros(*scores.shape, 4).index_put(where, moved.view(-1, self.outputs, 4))
        alone = scores.new_full((*scores.shape, self.outputs), ABSENT)
        alone.diagonal(dim1=2, dim2=3).copy_(scores)  # a box for each class of a region
        return selected(edges.flatten(1, 2), alone.flatten(1, 2), self.selecting, size)

    def _losses(self, look: Callable[[Where], Hidden], regions: Regions, boxes: BoxBatch) -> Losses:
        labels, nearest, overlap = assigned(regions, boxes, self.outputs)
        where = drawn(labels, self.outputs, self.samples)
        hidden, truth = functional.relu(look(where)), labels[where]
        losses = functional.cross_entropy(self.classes(hidden).float(), truth, reduction="none")
        if self.class_weights == "balanced":
            losses = losses * balanced(truth, self.outputs)
        found = {"class": losses.sum() / max(1, len(truth))}
        if self.moves is not None:
            close = (truth != self.outputs) & (overlap[where] >= CLOSE)
            asked = CODER.encode_single(nearest[where][close], regions[where][close])
            moves = self.moves(hidden[close]).float().view(-1, self.outputs, 4)
            given = moves[torch.arange(len(moves), device=moves.device), truth[close]]
            lost = functional.smooth_l1_loss(given, asked, beta=BETA, reduction="sum")
            found["box"] = lost / max(1, len(truth))
        return found

    def _hidden(self, seen: Tensor, regions: Regions, where: Where) -> Hidden:
        on_map = isinstance(self.first, FirstOnMap)
        found: Hidden = self.first(seen, rois(regions, where)) if on_map else self.first(seen[where])
        return found
