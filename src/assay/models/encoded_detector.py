"""Detectors in two parts: an encoder, and what finds boxes on its maps."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from assay.data.boxes import BoxBatch
from assay.models.anchor_free import AnchorFree
from assay.models.anchors import Anchors
from assay.models.csp import Neck
from assay.models.detector import Detector, Found, selected
from assay.models.segmenter import Images

Losses = dict[str, Float[Tensor, ""]]


class EncodedDetector(Detector):
    """A detector whose ``encode`` makes maps of images; of these, all else knows the size (height, width) alone."""

    def encode(self, images: Images) -> list[Tensor]:
        """The maps that the rest of the network reads."""
        raise NotImplementedError

    def losses_of(self, maps: Sequence[Tensor], boxes: BoxBatch, size: tuple[int, int]) -> Losses:
        """The ``losses`` on the images that have these maps."""
        raise NotImplementedError

    def found_of(self, maps: Sequence[Tensor], size: tuple[int, int]) -> list[Found]:
        """The boxes of the images that have these maps."""
        raise NotImplementedError

    def losses(self, images: Images, boxes: BoxBatch) -> Losses:
        """See ``Detector``."""
        return self.losses_of(self.encode(images), boxes, (images.shape[2], images.shape[3]))

    def forward(self, images: Images) -> list[Found]:
        """See ``Detector``."""
        return self.found_of(self.encode(images), (images.shape[2], images.shape[3]))


class OneStage(EncodedDetector):
    """A detector that says of every cell of its maps at once what is there: ``head(neck(maps))``."""

    neck: Neck
    head: AnchorFree | Anchors

    def candidates(self, images: Images) -> tuple[Float[Tensor, "b n 4"], Float[Tensor, "b n classes"]]:
        """Boxes in pixels and scores of every cell, before any of them goes."""
        found: tuple[Tensor, Tensor] = self.head(self.neck(self.encode(images)))
        return found

    def losses_of(self, maps: Sequence[Tensor], boxes: BoxBatch, size: tuple[int, int]) -> Losses:
        """The parts of the head's loss, weighted."""
        return self.head.losses(self.neck(maps), boxes)

    def found_of(self, maps: Sequence[Tensor], size: tuple[int, int]) -> list[Found]:
        """The candidates that are left, by ``selecting``."""
        edges, scores = self.head(self.neck(maps))
        return selected(edges, scores, self.selecting, size)


def padded(images: Images, multiple: int) -> Images:
    """The images with sides that ``multiple`` divides: to the right and below is 0, the mean colour once they are
    normalised."""
    below, right = (-side % multiple for side in images.shape[2:])
    return functional.pad(images, (0, right, 0, below)) if below or right else images
