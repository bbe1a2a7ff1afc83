"""Curves as polylines from left to right: their mean, their area, and the few of their points that an eye can tell.

A polyline may rise or fall upright where x stands still; its first and last y are kept there.
"""

import heapq
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

Line = tuple[Float64[np.ndarray, " _"], Float64[np.ndarray, " _"]]
"""(x, never falling; y)."""


def mean_line(lines: Sequence[Line]) -> Line:
    """The mean of y at every x, exact for lines over the same range: its area is the mean of their areas."""
    grid = np.unique(np.concatenate([x for x, _ in lines]))
    before = np.mean([np.interp(-grid, -x[::-1], y[::-1]) for x, y in lines], axis=0)
    after = np.mean([np.interp(grid, x, y) for x, y in lines], axis=0)
    return np.repeat(grid, 2), np.column_stack([before, after]).ravel()


def area(line: Line) -> float:
    """Between the line and zero."""
    return float(np.trapezoid(line[1], line[0]))


def thinned(line: Line, most: int = 200, tolerance: float = 5e-4) -> Line:
    """At most ``most`` (at least 2) of the points, the ends among them, chosen so that the line keeps its look.

    One point after the other is added where the line is furthest off, until it is nowhere more than ``tolerance``:
    Douglas & Peucker, Cartographica 10 (1973), 112-122, stopped by number.
    """
    points = np.column_stack(line)
    kept = [0, len(points) - 1]
    waiting = [_furthest(points, *kept)]
    while waiting and len(kept) < most and -waiting[0][0] > tolerance:
        _, first, middle, last = heapq.heappop(waiting)
        kept.append(middle)
        for part in ((first, middle), (middle, last)):
            if part[1] - part[0] > 1:
                heapq.heappush(waiting, _furthest(points, *part))
    chosen = np.unique(kept)
    return line[0][chosen], line[1][chosen]


def _furthest(points: Float64[np.ndarray, "n 2"], first: int, last: int) -> tuple[float, int, int, int]:
    """(minus the distance, first, the point furthest from the chord between them, last)."""
    inner, start = points[first + 1 : last], points[first]
    along = points[last] - start
    length = float(np.hypot(*along))
    if not len(inner):
        return 0.0, first, first, last
    if length:
        distance = np.abs(along[0] * (inner[:, 1] - start[1]) - along[1] * (inner[:, 0] - start[0])) / length
    else:
        distance = np.hypot(*(inner - start).T)
    middle = int(distance.argmax())
    return -float(distance[middle]), first, first + 1 + middle, last
