"""Where a window lies: which entries of the input each output sees, in any number of dimensions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from assay.errors import AssayError
from assay.tools.worked.expressions import Factor, Shape, Sum
from assay.tools.worked.matrices import sizes


@dataclass(frozen=True)
class Window:
    """A kernel and its steps, a number an axis."""

    kernel: Shape
    stride: Shape
    padding: Shape
    dilation: Shape

    @property
    def span(self) -> Shape:
        """What the kernel covers with its gaps: dilation · (kernel − 1) + 1."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def out(self, size: Shape, where: str) -> Shape:
        """The output's size. AssayError where the kernel is larger than the padded input."""
        padded = tuple(n + 2 * p for n, p in zip(size, self.padding, strict=True))
        if any(span > n for span, n in zip(self.span, padded, strict=True)):
            gaps = f" ({sizes(self.kernel)} with dilation {sizes(self.dilation)})" if self.span != self.kernel else ""
            raise AssayError(
                f"{where}: the kernel spans {sizes(self.span)}{gaps}, the padded input is {sizes(padded)}; expected a "
                "kernel that fits into it"
            )
        return tuple((n - s) // t + 1 for n, s, t in zip(padded, self.span, self.stride, strict=True))

    def seen(self, size: Shape, out: Shape) -> Iterator[tuple[int, int, int]]:
        """(output, input, kernel) for every place that an output sees, but the padding: places row after row."""
        for o in product(*map(range, out)):
            for k in product(*map(range, self.kernel)):
                x = tuple(
                    a * s - p + b * d
                    for a, b, s, p, d in zip(o, k, self.stride, self.padding, self.dilation, strict=True)
                )
                if all(0 <= a < n for a, n in zip(x, size, strict=True)):
                    yield flat(o, out), flat(x, size), flat(k, self.kernel)


def flat(place: Iterable[int], shape: Shape) -> int:
    """The place when rows are written one after the other."""
    found = 0
    for index, size in zip(place, shape, strict=True):
        found = found * size + index
    return found


def summed(shape: Shape, products: Iterable[tuple[int, tuple[Factor, ...]]]) -> tuple[Sum, ...]:
    """The sums of an array, from (the entry's place, a product that belongs to it)."""
    found: list[list[tuple[Factor, ...]]] = [[] for _ in range(prod(shape))]
    for place, factors in products:
        found[place].append(factors)
    return tuple(Sum(tuple(each)) for each in found)
