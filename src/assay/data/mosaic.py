"""Four pictures in one, around a random point of a canvas twice as high and wide, of which a window is seen.

Bochkovskiy et al. 2020, YOLOv4, arXiv:2004.10934, section 3.3. The point is uniform in the middle half of the canvas;
each picture has a corner there and is cut where the canvas ends. All is scaled by 0.5 to 1.5 about the middle, and what
one picture's canvas holds is seen. The first picture is that of the order, above and to the left of the point; the
others are drawn uniformly from the training images. An image that is no mosaic is seen alone, at its own scale.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from assay.data.affine import Bytes, Matrices, matrices
from assay.data.boxes import NO_BOX, BoxBatch, Boxes
from assay.data.crops import Canvases, Rows
from assay.data.geometry import Size
from assay.data.images import ImageSet
from assay.data.shares import Places
from assay.data.targets import VOID, Masks, Target
from assay.errors import AssayError
from assay.recipe import Mosaic
from assay.seeds import numpy_generator

FOUR = 4
SCALE = 0.5
"""At most so much smaller or larger, as a share."""
_BEFORE = np.array([[1, 1], [1, 0], [0, 1], [0, 0]])
"""Of the four pictures, whether each lies before the point in its rows and in its columns."""


@dataclass(frozen=True)
class Mosaics:
    """What each place of an epoch's order shows."""

    images: ImageSet
    rows: Int64[np.ndarray, "n 4"]
    """Which pictures."""
    is_alone: Bool[np.ndarray, " n"]
    """Whether only the first of them is seen."""
    taken: Int64[np.ndarray, "n 4 2"]
    """Height and width of each picture on its own canvas."""
    first: Int64[np.ndarray, "n 4 2"]
    """Row and column of its first pixel there."""
    corners: Int64[np.ndarray, "n 4 2"]
    """Row and column of its first pixel on the canvas of the mosaic, or outside."""
    scale: Float64[np.ndarray, " n"]

    @property
    def size(self) -> Size:
        """Height and width of the canvas of a mosaic."""
        height, width = self.images.canvas
        return 2 * height, 2 * width

    @property
    def moves(self) -> Matrices:
        """From each canvas, about its middle, to what is seen of it."""
        y, x = (torch.from_numpy(self.is_alone * (side % 2) / 2).float() for side in self.images.canvas)
        scale = torch.from_numpy(self.scale).float()
        return matrices(scale, 0.0, 0.0, scale, x, y)

    def at(self, places: Places) -> "Mosaics":
        """Those of some places of the order."""
        drawn = ("rows", "is_alone", "taken", "first", "corners", "scale")
        return replace(self, **{name: getattr(self, name)[places] for name in drawn})

    def seen(self, canvases: Canvases, places: slice, out: Tensor | None = None) -> tuple[Bytes, Target]:
        """The whole canvases of some places of the order, and what is true of them; boxes may reach beyond."""
        pictures, targets = self._pasted(canvases, places, self.images.around, out), self.images.targets
        if isinstance(targets, Masks):
            return pictures, self._pasted(targets.tensor, places, VOID)
        return pictures, self._boxes(places)

    def _pasted(self, canvases: Canvases, places: slice, around: int, out: Tensor | None = None) -> Tensor:
        rows, corners, (height, width) = self.rows[places], self.corners[places], self.size
        starts = np.maximum(corners, 0)
        ends = np.minimum(corners + self.taken[places], [height, width])
        froms = self.first[places] + starts - corners
        if out is None:
            out = canvases.new_empty(len(rows), *canvases.shape[1:-2], height, width)
        out.fill_(around)
        for place, alone in enumerate(self.is_alone[places]):
            for picture in range(1 if alone else FOUR):
                (y, x), (y_end, x_end) = starts[place, picture].tolist(), ends[place, picture].tolist()
                (y_from, x_from), row = froms[place, picture].tolist(), int(rows[place, picture])
                part = canvases[row, ..., y_from : y_from + y_end - y, x_from : x_from + x_end - x]
                out[place, ..., y:y_end, x:x_end] = part
        return out

    def _boxes(self, places: slice) -> BoxBatch:
        assert isinstance(self.images.targets, Boxes)
        rows, shift = self.rows[places], self.corners[places] - self.first[places]
        boxes = self.images.targets.take(torch.from_numpy(rows.flatten()))
        x_and_y = torch.from_numpy(shift[..., ::-1].astype(np.float32)).flatten(0, 1).repeat(1, 2)
        hidden = torch.from_numpy(self.is_alone[places, None] & (np.arange(FOUR) > 0)).flatten()
        edges, labels = boxes.edges + x_and_y[:, None], boxes.labels.masked_fill(hidden[:, None], NO_BOX)
        shape = len(rows), FOUR * boxes.labels.shape[1]
        return BoxBatch(edges.reshape(*shape, 4), labels.reshape(shape)).packed()


def mosaics(
    images: ImageSet, config: Mosaic, order: Rows, train: Int64[np.ndarray, " _"], seed: int, epoch: int
) -> Mosaics:
    """A mosaic for each image of an epoch's order, a function of (seed, epoch)."""
    rng = numpy_generator(seed, "mosaic", epoch)
    others, drawn = rng.choice(train, (len(order), FOUR - 1)), rng.random((len(order), 4))
    rows = np.concatenate([order[:, None], others], axis=1)
    is_alone = drawn[:, 0] >= config.probability
    taken, first = (each[rows] for each in images.inside)
    side = np.array(images.canvas)
    point = np.rint((0.5 + drawn[:, None, 1:3]) * side).astype(np.int64)
    corners = np.where(is_alone[:, None, None], first + side // 2, point - _BEFORE * taken)
    scale = np.where(is_alone, 1.0, 1 + SCALE * (2 * drawn[:, 3] - 1))
    return Mosaics(images, rows, is_alone, taken, first, corners, scale)


def check_mosaic(config: Mosaic | None, images: ImageSet) -> None:
    """Raise AssayError for mosaics of pictures of which one thing is true as a whole."""
    if config is not None and not isinstance(images.targets, Boxes | Masks):
        raise AssayError(
            f"data.mosaic puts four images into one and needs boxes or masks, and the images of {images.source} have "
            f"{images.targets.kind}, which are true of the whole"
        )
