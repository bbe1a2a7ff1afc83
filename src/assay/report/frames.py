"""Pictures with boxes in them: a part of a section, drawn by the macro of its name."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.report.document import data_address


@dataclass(frozen=True)
class Mark:
    """A box in a picture."""

    edges: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels of the picture's file."""
    name: str
    """Of its class."""
    words: str
    """What is told of it."""
    color: str
    """The same on every ground."""
    is_true: bool
    """What is there, dashed; else what was said."""
    is_lifted: bool = False
    """What the picture is shown for."""


@dataclass(frozen=True)
class Framed:
    """An image with boxes in it, which are drawn over it."""

    name: str
    png: bytes
    size: tuple[int, int]
    """Width and height in the pixels of the marks."""
    note: str
    """What stands below it."""
    marks: Sequence[Mark]
    """Those drawn first come first."""

    @property
    def source(self) -> str:
        """A ``data:`` address."""
        return data_address(self.png)


ABREAST = 4


@dataclass(frozen=True)
class Frames:
    """Images with boxes, chosen in one way."""

    title: str
    caption: str
    pictures: Sequence[Framed]

    @property
    def first(self) -> Sequence[Framed]:
        """Those that are shown before somebody asks."""
        return self.pictures[:ABREAST]

    @property
    def rest(self) -> Sequence[Framed]:
        """Those that are folded away."""
        return self.pictures[ABREAST:]
