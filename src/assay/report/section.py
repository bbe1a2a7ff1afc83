"""What a section of a page is made of: plain data, each kind drawn by the macro of ``parts.html.j2`` with its name."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import polars as pl

from assay.report.document import data_address
from assay.report.figures import Figure
from assay.report.frames import Frames
from assay.report.still import Still
from assay.report.tables import Table


@dataclass(frozen=True)
class Name:
    """Somebody's own text among words (a variant, a class), whichever way it is written."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Sheet:
    """A frame beside the page, ``tables/<name>.csv``; among words it is the link to it."""

    name: str
    frame: pl.DataFrame


Words = str | Sequence[str | Name | Sheet]
"""Plain text, escaped where it is drawn, with names and links in it."""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    words: Words


@dataclass(frozen=True)
class Sentences:
    """A list."""

    items: Sequence[Words]


@dataclass(frozen=True)
class Code:
    """Text as it stands in a file."""

    text: str


@dataclass(frozen=True)
class Command:
    """A line to copy."""

    anchor: str
    text: str


@dataclass(frozen=True)
class Legend:
    """Every name in its colour, for the figures below it; a click picks one out. Not drawn for a single one."""

    key: str
    colors: dict[str, str]
    """Name → colour of the light palette."""


@dataclass(frozen=True)
class Pairs:
    """What is said of several keys; several texts are set in a row."""

    title: str
    rows: Sequence[tuple[str, str | Sequence[str]]]


@dataclass(frozen=True)
class Facts:
    """Pairs side by side."""

    columns: Sequence[Pairs]


@dataclass(frozen=True)
class Line:
    """What stands under a picture: a text, and small beside it a number."""

    text: str
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """An image of the data set, what is true of it and what was said."""

    name: str
    png: bytes
    heading: str
    """What is true of it."""
    lines: Sequence[Line] = ()
    """What was said."""
    state: Literal["right", "wrong", "neutral"] = "neutral"

    @property
    def source(self) -> str:
        """A ``data:`` address."""
        return data_address(self.png)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int.from_bytes(self.png[16:20]), int.from_bytes(self.png[20:24])

    @property
    def is_small(self) -> bool:
        """Whether enlarging should keep its pixels apart."""
        return max(self.size) <= 64


ROW = 5


@dataclass(frozen=True)
class Gallery:
    """Pictures chosen in one way."""

    title: str
    caption: str
    pictures: Sequence[Picture]

    @property
    def first(self) -> Sequence[Picture]:
        """Those that are shown before somebody asks: a row of the page."""
        return self.pictures[:ROW]

    @property
    def rest(self) -> Sequence[Picture]:
        """Those that are folded away."""
        return self.pictures[ROW:]


@dataclass(frozen=True)
class Swatches:
    """What the colours in pictures mean."""

    colors: dict[str, str]
    """Name → colour, the same on every ground."""


def listing(before: str, names: Iterable[str]) -> list[str | Name]:
    """A sentence that ends in somebody's names; nothing where there are none."""
    listed = [piece for one in names for piece in (", ", Name(one))]
    return [before, *listed[1:], "."] if listed else []


@dataclass(frozen=True)
class Strip:
    """Several pictures of one image, beside each other."""

    name: str
    note: str
    """A number, set small."""
    pngs: Sequence[bytes]

    @property
    def sources(self) -> list[str]:
        """``data:`` addresses."""
        return [data_address(png) for png in self.pngs]


SHOWN = 2


@dataclass(frozen=True)
class Strips:
    """Strips chosen in one way, whose panels are of the same kinds."""

    title: str
    caption: str
    panels: Sequence[str]
    """What each picture of a strip is."""
    strips: Sequence[Strip]

    @property
    def first(self) -> Sequence[Strip]:
        """Those that are shown before somebody asks."""
        return self.strips[:SHOWN]

    @property
    def rest(self) -> Sequence[Strip]:
        """Those that are folded away."""
        return self.strips[SHOWN:]


@dataclass(frozen=True)
class Group:
    """Parts under a heading of their own."""

    title: Words
    parts: Sequence["Part"]


@dataclass(frozen=True)
class Grid:
    """Figures, two beside each other unless they are wide."""

    parts: Sequence[Figure]


@dataclass(frozen=True)
class Folded:
    """Parts that are shown when asked for."""

    summary: Words
    parts: Sequence["Part"]


@dataclass(frozen=True)
class Aside:
    """Parts on a ground of their own."""

    anchor: str
    title: str
    parts: Sequence["Part"]


@dataclass(frozen=True)
class View:
    """Parts that are about one metric."""

    metric: str
    parts: Sequence["Part"]


@dataclass(frozen=True)
class Views:
    """One of them is seen at a time, the first until the reader chooses another metric."""

    views: Sequence[View]


Part = (
    Table | Figure | Still | Text | Sentences | Code | Command | Legend | Swatches | Facts | Gallery | Strips | Frames
    | Group | Grid | Folded | Aside | Views
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """A part of the page that the navigation names."""

    anchor: str
    title: str
    caption: Words
    parts: Sequence[Part]
    word: str = ""
    """In the navigation; empty: the title."""
    beside: Sequence[Table | Sheet] = ()
    """Written as files and not shown."""


Kind = TypeVar("Kind")


def every(kind: type[Kind], pieces: Iterable[object]) -> Iterator[Kind]:
    """All of one kind in sections, parts and texts, however deep, in the order of the page; what lies beside last."""
    for piece in pieces:
        if isinstance(piece, kind):
            yield piece
        elif isinstance(piece, Text) and not isinstance(piece.words, str):
            yield from every(kind, piece.words)
        elif isinstance(piece, Views):
            yield from every(kind, piece.views)
        elif isinstance(piece, Section | Group | Grid | Folded | Aside | View):
            yield from every(kind, piece.parts)
            yield from every(kind, getattr(piece, "beside", ()))
