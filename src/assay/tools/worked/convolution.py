"""Convolutions as layers compute them (the kernel not turned), in one and two dimensions.

O = Σ X·F over triples of places (output, input, kernel). The chain rule regroups the same triples: dX = Σ dO·F and
dF = Σ dO·X (Dumoulin and Visin, arXiv:1603.07285).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from assay.errors import AssayError, amount
from assay.language.script import phrase
from assay.tools.worked.expressions import Arrays, Definition, Numbers, Shape
from assay.tools.worked.layer import Before, Kernel, Layer, of_bias, of_input
from assay.tools.worked.matrices import sizes
from assay.tools.worked.windows import Window, flat, summed


@dataclass(frozen=True)
class Convolution:
    """Its numbers and steps."""

    kernel: Numbers
    """(filters, channels of a group, axes…)."""
    bias: Numbers | None
    window: Window
    groups: int


def triples(size: Shape, kernel: Shape, out: Shape, window: Window, groups: int) -> Iterator[tuple[int, int, int]]:
    """(output, input, kernel) of every product: flat places in (b, f, …), (b, c, …) and (f, c / groups, …)."""
    filters, width = kernel[:2]
    seen = list(window.seen(size[2:], out[2:]))
    areas = [_area(shape) for shape in (out, size, kernel)]
    for sample in range(size[0]):
        for f in range(filters):
            first = f // (filters // groups) * width
            for c in range(width):
                for o, x, k in seen:
                    yield (
                        flat((sample, f), out[:2]) * areas[0] + o,
                        flat((sample, first + c), size[:2]) * areas[1] + x,
                        flat((f, c), kernel[:2]) * areas[2] + k,
                    )


def _area(shape: Shape) -> int:
    found = 1
    for size in shape[2:]:
        found *= size
    return found


def convolution(before: Before, it: Convolution) -> Layer:
    """The layer. AssayError where channels, groups or sizes do not go together."""
    x, size, kernel, where = before.name, before.shape, it.kernel.shape, before.where
    if size[1] != kernel[1] * it.groups:
        each = f", {it.groups} groups of {kernel[1]}" if it.groups > 1 else ""
        theirs = kernel[1] * it.groups
        raise AssayError(
            f"{where}: expected a kernel for {amount(size[1], 'channel')}, as its input has, found {theirs}{each}"
        )
    if kernel[0] % it.groups:
        raise AssayError(
            f"{where}: {amount(kernel[0], 'filter')} cannot be shared out among {amount(it.groups, 'group')} evenly"
        )
    out = (size[0], kernel[0], *it.window.out(size[2:], where))
    f, b, o = before.naming("F"), before.naming("b"), before.naming("O")
    found = sorted(triples(size, kernel, out, it.window, it.groups))
    area = _area(out)
    channel = [place // area % kernel[0] for place in range(out[0] * out[1] * area)]
    biases = [(place, ((b, channel[place]),)) for place in range(len(channel))] if it.bias else []
    ring = {x: it.window.padding}
    forward = Definition(
        o, out, summed(out, [*((p, ((x, q), (f, k))) for p, q, k in found), *biases]),
        phrase("Convolution: {array}", array=o), told(before, it, f, b), ring,
    )  # fmt: skip

    def backward(d: str, arrays: Arrays) -> list[Definition]:
        to_kernel = summed(kernel, ((k, ((d, p), (x, q))) for p, q, k in found))
        to_input = summed(size, ((q, ((d, p), (f, k))) for p, q, k in found))
        to_bias = summed((kernel[0],), ((c, ((d, place),)) for place, c in enumerate(channel)))
        shares = Definition(f"d{b}", (kernel[0],), to_bias, of_bias(b),
            phrase("A filter's bias is added to each of its outputs, so its gradient is the sum of {d} there.",
                d=d))  # fmt: skip
        return [
            Definition(f"d{f}", kernel, to_kernel, phrase("Gradient of the kernel: {array}", array=f"d{f}"),
                phrase("A weight meets another number of {x} at each place of the kernel. Its gradient is the sum of "
                    "these numbers, each times the gradient {d} of the output that it went into.",
                    x=x, d=d), ring),
            *([shares] if it.bias else []),
            Definition(f"d{x}", size, to_input, of_input(x),
                phrase("A number of {x} goes into every output whose window covers it. Its gradient is the sum of {d} "
                    "there, each times the weight it met. Over all places that is the full convolution of {d} with the "
                    "kernel turned by 180°.", x=x, d=d)),
        ]  # fmt: skip

    def by_torch(images: Tensor, given: Mapping[str, Tensor]) -> Tensor:
        run = functional.conv1d if len(size) == 3 else functional.conv2d
        w = it.window
        result: Tensor = run(images, given[f], given.get(b), w.stride, w.padding, w.dilation, it.groups)
        return result

    given = {f: it.kernel} | ({b: it.bias} if it.bias else {})
    return Layer("convolution", given, (forward,), backward, by_torch, Kernel(f, kernel, it.window, it.groups))


def told(before: Before, it: Convolution, f: str, b: str) -> str:
    """The layer in words."""
    w, x = it.window, before.name
    laid = (
        phrase(
            "The kernel {f} is laid on {x}; numbers that lie on each other are multiplied, and the products summed, "
            "and the filter's bias {b} is added.",
            f=f,
            x=x,
            b=b,
        )
        if it.bias
        else phrase(
            "The kernel {f} is laid on {x}; numbers that lie on each other are multiplied, and the products summed.",
            f=f,
            x=x,
        )
    )
    parts = [laid]
    if set(w.stride) != {1}:
        parts.append(phrase("It moves {n} places at a time (stride).", n=evenly(w.stride)))
    if any(w.padding):
        parts.append(
            phrase(
                "Zeros lie around {x}, {n} on each side (padding); they add nothing to a sum.",
                x=x,
                n=evenly(w.padding),
            )
        )
    if set(w.dilation) != {1}:
        parts.append(
            phrase(
                "Its weights lie {n} places apart (dilation, or à trous: with holes): as many weights as before cover "
                "{spans}.",
                n=evenly(w.dilation),
                spans=sizes(w.span),
            )
        )
    if it.groups > 1:
        few, channels = it.kernel.shape[1], before.shape[1]
        parts.append(
            phrase(
                "In {n} groups: a filter sees {few} of {channels} channels.", n=it.groups, few=few, channels=channels
            )
        )
    return " ".join(parts)


def evenly(steps: Shape) -> int | str:
    """2 for 2 along every axis, else ``2 × 1``."""
    return steps[0] if len(set(steps)) == 1 else sizes(steps)
