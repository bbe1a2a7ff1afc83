"""Arrays as a page draws them: matrices of numbers, each of which knows its place."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from assay.language.speech import later, say
from assay.tools.worked.exact import shown
from assay.tools.worked.expressions import Numbers, Shape

AXES = (later("sample {n}"), later("channel {n}"))
KERNEL = (later("filter {n}"), later("channel {n}"))


@dataclass(frozen=True)
class Cell:
    """A number at its place."""

    text: str
    place: int | None
    """In its array, row after row; None for a zero of the padding, which is no part of it."""
    wrong: bool = False


@dataclass(frozen=True)
class Slice:
    """A matrix of an array."""

    label: str
    """Which, as ``channel 2``; nothing where there is one."""
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Board:
    """An array."""

    name: str
    """As it is referred to."""
    heading: str
    size: str
    slices: Sequence[Slice]

    @property
    def small(self) -> bool:
        """Whether its cells had better be small."""
        return any(len(rows.rows[0]) > 9 or len(rows.rows) > 12 for rows in self.slices)


def squeezed(shape: Shape) -> Shape:
    """Without the axes of length 1 in front."""
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape


def labels(name: str, shape: Shape) -> list[str]:
    """``O[1, 2]`` for every entry, from 1; the name alone for a single number."""
    sides = squeezed(shape)
    if prod(shape) == 1:
        return [name]
    return [f"{name}[{', '.join(str(i + 1) for i in place)}]" for place in product(*map(range, sides))]


def board(name: str, numbers: Numbers, heading: str = "", ring: Shape = (), wrong: Collection[int] = ()) -> Board:
    """An array as matrices; ``ring`` zeros around each, ``wrong`` the places that are marked."""
    sides = squeezed(numbers.shape)
    area = prod(sides[-2:])
    rows, columns = sides[-2] if len(sides) > 1 else 1, sides[-1] if sides else 1
    words = KERNEL if name.lstrip("d").startswith("F") else AXES
    front = numbers.shape[:-2] if len(numbers.shape) > 2 else ()
    slices = []
    for number, place in enumerate(product(*map(range, sides[:-2]))):
        shown_axes = [say(word, n=i + 1) for word, i in zip(words[len(front) - len(place) :], place, strict=False)]
        cells = [
            [
                Cell(shown(numbers.values[at]), at, at in wrong)
                for at in range(number * area + row * columns, number * area + (row + 1) * columns)
            ]
            for row in range(rows)
        ]
        slices.append(Slice(say(", ").join(shown_axes), list(ringed(cells, ring[-2:], len(sides)))))
    return Board(name, heading or name, " × ".join(map(str, sides)) if sides else "", slices)


def ringed(cells: Sequence[Sequence[Cell]], ring: Shape, axes: int) -> Iterator[list[Cell]]:
    """The rows with zeros around them."""
    above, beside = (0, 0) if not ring else (0, ring[-1]) if len(ring) == 1 or axes < 2 else ring
    zero = Cell("0", None)
    width = len(cells[0]) + 2 * beside
    yield from ([zero] * width for _ in range(above))
    yield from ([zero] * beside + list(row) + [zero] * beside for row in cells)
    yield from ([zero] * width for _ in range(above))
