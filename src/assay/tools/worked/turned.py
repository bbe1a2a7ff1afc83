"""The kernel turned by 180°: the gradient of a convolution's input as a full convolution, and the usual mistake."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from assay.tools.worked.checks import gradients
from assay.tools.worked.expressions import Numbers, Shape, evaluate
from assay.tools.worked.layer import Kernel
from assay.tools.worked.working import Worked


@dataclass(frozen=True)
class Turned:
    """The two for one convolution."""

    kernel: Kernel
    d_in: str
    """The name of the input's gradient."""
    d_out: str
    spread: Numbers
    """The output's gradient, its numbers a stride apart, zeros between them."""
    ring: Shape
    """Zeros that lie around it: all places where the kernel covers at least one number."""
    turned: Numbers
    """The kernel, with its gaps, the last weight first."""
    mistake: Numbers
    """The input's gradient with the kernel as it is."""
    differ: frozenset[int]
    """Places where that is wrong."""


def turnings(worked: Worked) -> Iterator[Turned]:
    """Of every convolution, the first layer first."""
    for layer, d_in, d_out in gradients(worked):
        if layer.kernel is None:
            continue
        kernel, arrays = layer.kernel, worked.arrays
        weights = arrays[kernel.name]
        (step,) = (each for each in worked.backward if each.name == d_in)
        mistake = evaluate(step, {**arrays, kernel.name: turned(weights)})
        right = arrays[d_in].values
        yield Turned(
            kernel,
            d_in,
            d_out,
            gapped(arrays[d_out], kernel.window.stride),
            tuple(span - 1 for span in kernel.window.span),
            gapped(turned(weights), kernel.window.dilation),
            mistake,
            frozenset(place for place, value in enumerate(mistake.values) if value != right[place]),
        )


def turned(weights: Numbers) -> Numbers:
    """Each plane of a kernel by 180°: its numbers in the other order."""
    area = prod(weights.shape[2:])
    values = weights.values
    planes = (values[start : start + area][::-1] for start in range(0, len(values), area))
    return Numbers(weights.shape, tuple(value for plane in planes for value in plane), weights.exact)


def gapped(numbers: Numbers, steps: Shape) -> Numbers:
    """So many places apart along the axes behind the first two, zeros between them."""
    sides = numbers.shape[2:]
    wide = tuple((n - 1) * step + 1 for n, step in zip(sides, steps, strict=True))
    area, values = prod(sides), []
    for plane in range(prod(numbers.shape[:2])):
        own = iter(numbers.values[plane * area : (plane + 1) * area])
        for place in product(*map(range, wide)):
            is_own = all(i % step == 0 for i, step in zip(place, steps, strict=True))
            values.append(next(own) if is_own else numbers.values[0] * 0)
    return Numbers((*numbers.shape[:2], *wide), tuple(values), numbers.exact)
