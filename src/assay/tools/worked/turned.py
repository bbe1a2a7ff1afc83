"""The kernel turned by 180°: the gradient of a convolution's input as a full convolution, and the usual mistake."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from assay.language.script import phrase
from assay.language.speech import say
from assay.tools.worked.checks import gradients
from assay.tools.worked.expressions import Arrays, Definition, Factor, Numbers, Shape, Sum, evaluate
from assay.tools.worked.layer import Kernel
from assay.tools.worked.windows import flat, summed
from assay.tools.worked.working import Worked

MOST = 1000
"""Products of a turned kernel that a page shows; larger convolutions go without."""


@dataclass(frozen=True)
class Turned:
    """One convolution's gradient by the turned kernel."""

    d_in: str
    """The name of the input's gradient."""
    kernel: str
    steps: tuple[Definition, ...]
    """The output's gradient in zeros, the kernel turned, both together, and with the kernel as it is."""
    arrays: Arrays
    """Their numbers."""
    differ: frozenset[int]
    """Places where the last is wrong."""

    @property
    def mistake(self) -> Numbers:
        """The input's gradient with the kernel as it is."""
        return self.arrays[self.steps[-1].name]


def turnings(worked: Worked) -> Iterator[Turned]:
    """Of every convolution that is not too large, the first layer first."""
    for layer, d_in, d_out in gradients(worked):
        size, out = worked.arrays[d_in].shape, worked.arrays[d_out].shape
        if layer.kernel is None or prod(size) * layer.kernel.shape[0] * prod(layer.kernel.shape[2:]) > MOST:
            continue
        steps = definitions(layer.kernel, d_in, d_out, size, out)
        arrays = dict(worked.arrays)
        for step in steps:
            arrays[step.name] = evaluate(step, arrays)
        right, mistake = worked.arrays[d_in].values, arrays[steps[-1].name].values
        differ = frozenset(place for place, value in enumerate(mistake) if value != right[place])
        own = {step.name: arrays[step.name] for step in steps}
        yield Turned(d_in, layer.kernel.name, steps, own, differ)


def definitions(kernel: Kernel, d_in: str, d_out: str, size: Shape, out: Shape) -> tuple[Definition, ...]:
    """Z, T, Z∗T and Z∗F."""
    f, number = kernel.name, kernel.name[1:]
    z, t = f"Z{number}", f"T{number}"
    around = (*size[:1], out[1], *(n + span - 1 for n, span in zip(size[2:], kernel.window.span, strict=True)))
    area = prod(kernel.shape[2:])
    last = [place - place % area + area - 1 - place % area for place in range(prod(kernel.shape))]
    around_it = [
        phrase("{d} with zeros around it, so many that the kernel can be laid wherever it covers one of its numbers.",
            d=d_out)
    ]  # fmt: skip
    if set(kernel.window.stride) != {1}:
        around_it.append(say("A stride lies between its numbers, filled with zeros."))
    upside_down = [phrase("Each plane of {f} upside down and back to front.", f=f)]
    if set(kernel.window.dilation) != {1}:
        upside_down.append(say("The holes between its weights stay."))
    return (
        Definition(z, around, tuple(in_zeros(kernel, d_out, out, around)),
            phrase("{d} in zeros: {array}", d=d_out, array=z), " ".join(around_it)),
        Definition(t, kernel.shape, tuple(Sum((((f, place),),)) for place in last),
            phrase("{f} turned by 180°: {array}", f=f, array=t), " ".join(upside_down)),
        Definition(f"{z}∗{t}", size, together(kernel, z, t, size, around),
            phrase("Laid on each other: {array}", array=f"{z}∗{t}"),
            phrase("The turned kernel moves over {z}, place by place. This is {d}, each number a sum that has the "
                "zeros in it too.", z=z, d=d_in)),
        Definition(f"{z}∗{f}", size, together(kernel, z, f, size, around),
            phrase("The usual mistake: {array}", array=f"{z}∗{f}"),
            phrase("{f} as it is in place of {t}. What is wrong is marked ✗.", f=f, t=t)),
    )  # fmt: skip


def in_zeros(kernel: Kernel, d_out: str, out: Shape, around: Shape) -> Iterator[Sum]:
    """The numbers of the output's gradient, a stride apart, with zeros around and between them."""
    window = kernel.window
    for sample, f, *place in product(*map(range, around)):
        spread = [a + p - span + 1 for a, p, span in zip(place, window.padding, window.span, strict=True)]
        o = [a // step for a, step in zip(spread, window.stride, strict=True)]
        on = [a % step == 0 and 0 <= a // step < n for a, step, n in zip(spread, window.stride, out[2:], strict=True)]
        yield Sum((((d_out, flat((sample, f, *o), out)),),)) if all(on) else Sum()


def together(kernel: Kernel, z: str, weights: str, size: Shape, around: Shape) -> tuple[Sum, ...]:
    """The kernel laid on ``z`` at every place of the input, zeros included."""
    filters, width = kernel.shape[0] // kernel.groups, kernel.shape[1]

    def products() -> Iterator[tuple[int, tuple[Factor, ...]]]:
        for sample, c, *x in product(*map(range, size)):
            for f in range(c // width * filters, (c // width + 1) * filters):
                for k in product(*map(range, kernel.shape[2:])):
                    at = (a + b * d for a, b, d in zip(x, k, kernel.window.dilation, strict=True))
                    weight = (weights, flat((f, c % width, *k), kernel.shape))
                    yield flat((sample, c, *x), size), ((z, flat((sample, f, *at), around)), weight)

    return summed(size, products())
