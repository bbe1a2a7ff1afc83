"""Training on windows of the pictures: each image of an epoch shows another part of its canvas, at the same scale.

A window lies inside the picture; along a side on which the picture is smaller, it holds the whole picture, and of what
is around it (black, void) as little as must be. Where windows are balanced, every one holds a pixel of a class drawn
uniformly from those of the training images: then an epoch shows as many windows as there are training images, of images
drawn among those with that class.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64, Int64, UInt8
from torch import Tensor

from assay.data.geometry import Size
from assay.data.images import ImageSet
from assay.data.shares import Places
from assay.data.targets import Masks
from assay.errors import AssayError
from assay.recipe import Crop
from assay.seeds import numpy_generator

Rows = Int64[np.ndarray, " n"]
Canvases = UInt8[Tensor, "n *channels H W"]


@dataclass(frozen=True)
class Windows:
    """Where each image of an epoch's order is cut."""

    images: ImageSet
    size: Size
    rows: Rows
    """The images in the epoch's order."""
    classes: Rows | None
    """Of which a pixel must be seen; None: of any."""
    drawn: Float64[np.ndarray, "n 3"]
    """Uniform in 0…1: which row, which column, and which of the class' pixels."""

    def at(self, places: Places) -> "Windows":
        """Those of some places of the order."""
        classes = None if self.classes is None else self.classes[places]
        return replace(self, rows=self.rows[places], classes=classes, drawn=self.drawn[places])

    def seen(self, canvases: Canvases, places: slice, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The windows of some places of the order, and of their masks."""
        assert isinstance(self.images.targets, Masks)
        rows, corners = torch.from_numpy(self.rows[places]), self.corners(places)
        return cut(canvases, rows, corners, self.size, out), cut(self.images.targets.tensor, rows, corners, self.size)

    def corners(self, places: slice) -> Int64[np.ndarray, "b 2"]:
        """Row and column of the first pixel, for some places of the order."""
        first, last = (at[self.rows[places]] for at in self._reach)
        if self.classes is not None:
            pixels = self._pixels(places)
            first, last = np.maximum(first, pixels - np.array(self.size) + 1), np.minimum(last, pixels)
        return np.asarray(first + (self.drawn[places, :2] * (last - first + 1)).astype(np.int64))

    @property
    def _reach(self) -> tuple[Int64[np.ndarray, "n 2"], Int64[np.ndarray, "n 2"]]:
        """(lowest, highest) row and column of each image's windows."""
        taken, at = self.images.inside
        ends = np.sort(np.stack([at, at + taken - np.array(self.size)]), axis=0)
        lowest, highest = np.clip(ends, 0, np.array(self.images.canvas) - np.array(self.size))
        return lowest, highest

    def _pixels(self, places: slice) -> Int64[np.ndarray, "b 2"]:
        """A pixel of the class that each window must show."""
        assert isinstance(self.images.targets, Masks)
        assert self.classes is not None
        found = []
        for row, value, share in zip(self.rows[places], self.classes[places], self.drawn[places, 2], strict=True):
            mask = self.images.targets.values[row]
            there = np.flatnonzero(mask == value)
            found.append(divmod(int(there[int(share * len(there))]), mask.shape[1]))
        return np.array(found, dtype=np.int64).reshape(-1, 2)


def windows(images: ImageSet, crop: Crop, rows: Rows, classes: Rows | None, seed: int, epoch: int) -> Windows:
    """A window for each image of an epoch's order, a function of (seed, epoch); see ``by_class`` for ``classes``."""
    drawn = numpy_generator(seed, "crop", epoch).random((len(rows), 3))
    return Windows(images, crop.size, rows, classes, drawn)


def by_class(train: Rows, counts: Int64[np.ndarray, "train classes"], seed: int, epoch: int) -> tuple[Rows, Rows]:
    """(image, class) of as many windows as there are training images: a class drawn uniformly from those that occur, an
    image drawn uniformly from those that have it. ``counts`` are pixels of each class in each training image."""
    rng = numpy_generator(seed, "crop of a class", epoch)
    there = [train[pixels > 0] for pixels in counts.T]
    occurring = np.flatnonzero([len(images) for images in there])
    classes = rng.choice(occurring, len(train))
    places = rng.random(len(train))
    rows = [there[value][int(place * len(there[value]))] for value, place in zip(classes, places, strict=True)]
    return np.array(rows, dtype=np.int64), classes.astype(np.int64)


def cut(
    canvases: Canvases,
    rows: Int64[Tensor, " b"],
    corners: Int64[np.ndarray, "b 2"],
    size: Size,
    out: Tensor | None = None,
) -> UInt8[Tensor, "b *channels h w"]:
    """The windows of some images, where the canvases are; on a processor nothing else of them is read."""
    (h, w), firsts = size, corners.tolist()
    if canvases.device.type == "cpu":
        parts = [canvases[i, ..., y : y + h, x : x + w] for i, (y, x) in zip(rows.tolist(), firsts, strict=True)]
        return torch.stack(parts, out=out)
    at = torch.from_numpy(corners).to(canvases.device)
    y = at[:, :1] + torch.arange(h, device=canvases.device)
    x = at[:, 1:] + torch.arange(w, device=canvases.device)
    flat = canvases.flatten(-2).index_select(0, rows.to(canvases.device))
    places = (y[:, :, None] * canvases.shape[-1] + x[:, None, :]).flatten(1)
    places = places.view(len(rows), *[1] * (flat.ndim - 2), -1).expand(*flat.shape[:-1], -1)
    found: Tensor = flat.gather(-1, places).unflatten(-1, size)
    return found


def check_crop(crop: Crop | None, images: ImageSet) -> None:
    """Raise AssayError for windows of pictures without masks, or larger than the canvas."""
    if crop is None:
        return
    if not isinstance(images.targets, Masks):
        raise AssayError(
            f"data.crop shows parts of images and needs masks, and the images of {images.source} have "
            f"{images.targets.kind}, which are true of the whole; data.augment: [crop] shifts whole images"
        )
    canvas = images.canvas
    if any(side > most for side, most in zip(crop.size, canvas, strict=True)):
        there, most = ("×".join(map(str, size)) for size in (crop.size, canvas))
        raise AssayError(f"data.crop: {there} is larger than the images, {most} (height×width); expected at most that")
