"""What a source of images is before it is decoded, and what it is after."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64, UInt8
from PIL import Image

from assay.data.boxes import AROUND, Boxes
from assay.data.depth import Range
from assay.data.geometry import Size, inner, placed
from assay.data.palette import Colour
from assay.data.targets import Labels, Targets
from assay.errors import AssayError
from assay.recipe import Fit


@dataclass(frozen=True)
class Contents:
    """The pictures of one source, not yet decoded, and what is true of them."""

    classes: list[str]
    names: list[str]
    targets: Targets
    """Boxes and masks in the pixels of the upright pictures."""
    is_test: Bool[np.ndarray, " n"]
    image: Callable[[int], Image.Image]
    """Opens picture ``i``; may raise anything if it is unreadable."""
    misplaced: list[tuple[str, str]] = field(default_factory=list)
    """Pictures that belong to no class, or that a table names and are not there: (name, reason)."""
    unlisted: int = 0
    """How many pictures lie there that the table does not name."""
    is_validation: Bool[np.ndarray, " n"] | None = None
    """Belongs to the source's own validation split; None if it has none."""
    colours: list[Colour] | None = None
    """Red, green and blue in which the source draws its classes; None where it does not say."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """(name, what a reader should know of what is true of that picture)."""

    def only(self, rows: Int64[np.ndarray, " m"]) -> "Contents":
        """The pictures ``rows``, in their order."""
        return replace(
            self,
            names=[self.names[i] for i in rows],
            targets=self.targets.subset(rows),
            is_test=self.is_test[rows],
            is_validation=None if self.is_validation is None else self.is_validation[rows],
            image=lambda i: self.image(int(rows[i])),
        )


@dataclass(frozen=True)
class Source:
    """A place that holds pictures; its ``contents`` are read only when they are not in the cache."""

    where: str
    identity: Any
    """Plain JSON values that change whenever the decoded pictures would."""
    contents: Callable[[], Contents]


@dataclass(frozen=True)
class ImageSet:
    """A decoded source: a memory map that all runs and processes share."""

    pixels: UInt8[np.ndarray, "n c h w"]
    targets: Targets
    """Boxes and masks as they lie on ``pixels``."""
    names: list[str]
    """File name inside the source, or for example ``train/00017``."""
    is_test: Bool[np.ndarray, " n"]
    """Belongs to the source's own test split (all False if it has none)."""
    classes: list[str]
    """Names in the order of the labels or tags; of numbers, what each is."""
    skipped: list[tuple[str, str]]
    """(name, reason) of the pictures left out under ``on_bad_image: skip``."""
    identity: str = ""
    """Changes whenever the pixels would; empty for images that come from no cache."""
    source: str = "the source"
    """As an error names it."""
    sizes: Int32[np.ndarray, "n 2"] | None = None
    """Height and width of the source's pictures; None: as ``pixels``."""
    fit: Fit = "stretch"
    unlisted: int = 0
    """How many pictures lie there that the source's table does not name; they are left out."""
    is_validation: Bool[np.ndarray, " n"] | None = None
    """Belongs to the source's own validation split; None if it has none."""
    range: Range | None = None
    """Which values of the pictures with more than 8 bits became 0 and 255; None: there are none."""
    spreads: UInt8[np.ndarray, " n"] | None = None
    """Of each image, the highest value of a channel less its lowest, of the channel where that is most; None: not
    known."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """(name, what a reader should know of that picture)."""
    colours: list[Colour] | None = None
    """Red, green and blue in which the source draws its classes; None where it does not say."""

    def __len__(self) -> int:
        """Number of images."""
        return len(self.names)

    @property
    def labels(self) -> Int64[np.ndarray, " n"]:
        """The label of each image. Raises AssayError where that is not what is true of them."""
        return self.labels_for("this")

    def labels_for(self, what: str) -> Int64[np.ndarray, " n"]:
        """The label of each image, without which there is no ``what``, for example ``data.balance``.

        Raises:
            AssayError: the images have no labels, but for example boxes.
        """
        if not isinstance(self.targets, Labels):
            there = f"the images of {self.source} have {self.targets.kind}"
            raise AssayError(f"{what} needs one label an image, and {there}")
        return self.targets.values

    @property
    def around(self) -> int:
        """The value of the canvas where a picture does not reach, and of what is moved in from outside."""
        return AROUND if isinstance(self.targets, Boxes) else 0

    @property
    def canvas(self) -> Size:
        """Height and width that all images have."""
        return self.pixels.shape[2], self.pixels.shape[3]

    @property
    def placement(self) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, "n 2"]]:
        """(scale, offset) in x and y of each picture on the canvas: see ``geometry.placed``."""
        return placed(self._own_sizes, self.canvas, self.fit)

    @property
    def inside(self) -> tuple[Int64[np.ndarray, "n 2"], Int64[np.ndarray, "n 2"]]:
        """(height and width, row and column of the first pixel) of each picture, by ``geometry.inner``."""
        return inner(self._own_sizes, self.canvas, self.fit)

    @property
    def _own_sizes(self) -> Int32[np.ndarray, "n 2"]:
        return np.broadcast_to(np.array(self.canvas, np.int32), (len(self), 2)) if self.sizes is None else self.sizes


def open_picture(path: Path) -> Image.Image:
    """A picture file, not yet decoded; may raise anything. ValueError for a folder, and for what may never end."""
    if path.exists() and not path.is_file():
        raise ValueError("it is no regular file")
    return Image.open(path)


def data_root(path: str | os.PathLike[str] | None = None) -> Path:
    """The folder that holds the data: the argument, else ``$ASSAY_DATA``, else ``./data``.

    Raises:
        AssayError: the argument or ``$ASSAY_DATA`` names no folder (``./data`` need not exist).
    """
    for value, origin in ((path, "--data"), (os.environ.get("ASSAY_DATA") or None, "$ASSAY_DATA")):
        if value is None:
            continue
        root = Path(value).expanduser()
        if not root.is_dir():
            raise AssayError(f"the data root {str(root)!r} (from {origin}) is not a folder")
        return root
    return Path("data")
