"""The pictures of an inspection: pairs of copies, families, doubtful labels beside their neighbours, a sample."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64, UInt8

from assay.data.boxes import Boxes
from assay.data.own_masks import VOID
from assay.data.palette import palette, with_void
from assay.data.targets import Masks
from assay.language.script import as_name
from assay.language.speech import say
from assay.report.document import data_address
from assay.seeds import numpy_generator
from assay.tasks.pictures import thumbnail
from assay.tools.inspection.boxes import SIDE, drawn
from assay.tools.inspection.in_words import images_text
from assay.tools.inspection.inspecting import Inspection
from assay.tools.inspection.truth import in_words, strata_in_words

Indices = Int64[np.ndarray, " _"]
PAIRS = 12
FAMILIES, ORIGINALS, MEMBERS = 6, 4, 8
DOUBTS, NEIGHBORS = 12, 5
CLASSES, SAMPLES = 24, 8
STRENGTH = 0.5
"""How much of the colours of classes is seen over a picture."""


@dataclass(frozen=True)
class Shot:
    """One image with the words under it."""

    source: str
    """A ``data:`` address."""
    name: str
    truth: str
    note: str
    is_small: bool
    """Enlarging should keep its pixels apart."""
    stands_out: bool
    """Something else is true of it than of the first in its row: another label, say."""


@dataclass(frozen=True)
class Row:
    """Images that belong together."""

    heading: str
    shots: list[Shot]


class Album:
    """Makes the pictures of one inspection."""

    def __init__(self, found: Inspection) -> None:
        self.found = found
        self.addresses: dict[int, str] = {}

    def shot(self, i: int, note: str = "", like: int | None = None) -> Shot:
        """Image ``i``; ``like`` is the image of which the same should be true."""
        images = self.found.images
        is_drawn = isinstance(images.targets, Masks | Boxes)
        if i not in self.addresses:
            self.addresses[i] = data_address(thumbnail(images.pixels[i]))
        return Shot(
            self.addresses[i],
            images.names[i],
            in_words(images, i),
            note,
            max(images.pixels.shape[2:]) <= 64,
            like is not None and not is_drawn and bool(self.found.alike[i] != self.found.alike[like]),
        )

    def pairs(self, first: Indices, second: Indices, notes: tuple[str, str] = ("", "")) -> list[Row]:
        """Each image of ``first`` beside its copy."""
        close = self.found.copies.closeness_of(first, second)
        equal = self.found.copies.equal(first, second)
        mirrored = self.found.copies.is_mirrored(first, second)
        return [
            Row(
                _close(value, bool(same), bool(turned)),
                [self.shot(int(i), notes[0]), self.shot(int(j), notes[1], like=int(i))],
            )
            for i, j, value, same, turned in zip(first, second, close, equal, mirrored, strict=True)
        ]

    def families(self) -> list[Row]:
        """The largest families of near copies."""
        copies = self.found.copies
        largest = np.argsort(-copies.family_sizes, kind="stable")[:FAMILIES]
        rows = []
        for family in largest[copies.family_sizes[largest] > 1]:
            members = np.flatnonzero(copies.families == family)
            shots = [self.shot(int(i), like=int(members[0])) for i in members[:MEMBERS]]
            rows.append(Row(images_text(len(members)), shots))
        return rows

    def originals(self) -> list[Row]:
        """Some originals with many copies by their names."""
        grouping = self.found.grouping
        if grouping is None:
            return []
        rows = []
        for number in np.argsort(-grouping.sizes, kind="stable")[:ORIGINALS]:
            members = np.flatnonzero(grouping.numbers == number)
            shots = [self.shot(int(i), like=int(members[0])) for i in members[:MEMBERS]]
            first = as_name(self.found.images.names[members[0]])
            rows.append(Row(say("{names} and {n:,} more", names=first, n=len(members) - 1), shots))
        return rows

    def doubts(self) -> list[Row]:
        """The most doubtful labels, each beside its nearest images."""
        rows: list[Row] = []
        scores = self.found.scores
        if scores is None:
            return rows
        for i in self.found.doubtful[:DOUBTS]:
            near = self.found.copies.neighbors[i, :NEIGHBORS]
            shots = [self.shot(int(i)), *(self.shot(int(j), like=int(i)) for j in near)]
            rows.append(Row(say("score {score}", score=scores[i]).replace("-", "−"), shots))
        return rows

    def sample(self) -> list[Row]:
        """Some images of each class, or of what stands for it in a split, drawn by chance."""
        strata, rows = self.found.images.targets.strata(), []
        for k, name in enumerate(strata_in_words(self.found.images)[:CLASSES]):
            members = np.flatnonzero(strata == k)
            if not len(members):
                continue
            drawn = numpy_generator(0, "inspection", k).permutation(members)[:SAMPLES]
            rows.append(Row(name, [self.overlaid(self.shot(int(i)), int(i)) for i in np.sort(drawn)]))
        return rows

    def overlaid(self, shot: Shot, i: int) -> Shot:
        """Image ``i`` with its mask or its boxes in colours over it; void stays as it is."""
        images = self.found.images
        if isinstance(images.targets, Boxes):
            own = slice(images.targets.starts[i], images.targets.starts[i + 1])
            painted = drawn(images.pixels[i], images.targets.edges[own], images.targets.labels[own], self.colours)
            return replace(shot, source=data_address(thumbnail(painted, SIDE)), is_small=False)
        if not isinstance(images.targets, Masks):
            return shot
        mask, picture = images.targets.values[i], images.pixels[i].astype(np.float32)
        over = with_void(self.colours)[mask].transpose(2, 0, 1)
        mixed = np.where(mask == VOID, picture, (1 - STRENGTH) * picture + STRENGTH * over)
        return replace(shot, source=data_address(thumbnail(mixed.round().astype(np.uint8))))

    def legend(self) -> list[tuple[str, str]]:
        """(class, colour) of masks and boxes; nothing of others."""
        images = self.found.images
        if not isinstance(images.targets, Masks | Boxes):
            return []
        return [(name, "#" + one.tobytes().hex()) for name, one in zip(images.classes, self.colours, strict=True)]

    @property
    def colours(self) -> UInt8[np.ndarray, "classes 3"]:
        """Of the classes."""
        return palette(self.found.images.classes, self.found.images.colours)


def _close(closeness: float, is_equal: bool, is_mirrored: bool) -> str:
    """How close two images are: ``equal``, ``0.12``, ``0.12 mirrored``."""
    if is_equal:
        return say("equal")
    return say("{closeness:.2f} mirrored", closeness=closeness) if is_mirrored else f"{closeness:.2f}"


def spread(closeness: Iterable[float], most: int = PAIRS) -> tuple[Indices, Indices]:
    """The places of the closest and of the least close, in that order; together they are all where there are few."""
    order = np.argsort(np.array(list(closeness)), kind="stable").astype(np.int64)
    return order[:most], order[max(most, len(order) - most) :]
