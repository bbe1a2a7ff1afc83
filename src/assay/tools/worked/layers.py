"""The layers beside the convolution: pooling, dense, ReLU, flatten."""

from collections.abc import Mapping
from fractions import Fraction
from math import prod

from torch import Tensor
from torch.nn import functional

from assay.errors import AssayError
from assay.language.script import phrase
from assay.tools.worked.expressions import Arrays, Call, Definition, Numbers, Sum
from assay.tools.worked.layer import Before, Layer, of_bias, of_input
from assay.tools.worked.matrices import sizes
from assay.tools.worked.windows import Window, summed


def pooled(before: Before, window: Window) -> tuple[tuple[int, ...], list[list[int]]]:
    """The output's shape and, for each output, the places of the input that it sees."""
    size = before.shape
    out = (*size[:2], *window.out(size[2:], before.where))
    area, across = prod(size[2:]), prod(out[2:])
    seen: list[list[int]] = [[] for _ in range(prod(out))]
    inside = list(window.seen(size[2:], out[2:]))
    for plane in range(size[0] * size[1]):
        for o, x, _ in inside:
            seen[plane * across + o].append(plane * area + x)
    return out, seen


def max_pool(before: Before, window: Window) -> Layer:
    """The largest of each window."""
    x, o = before.name, before.naming("O")
    out, seen = pooled(before, window)
    forward = Definition(
        o, out, tuple(Call("max", tuple((x, place) for place in places)) for places in seen),
        phrase("Max pooling: {array}", array=o),
        phrase("Of each window of {size} numbers of {x} the largest is kept.", size=sizes(window.kernel), x=x),
        {x: window.padding},
    )  # fmt: skip

    def backward(d: str, arrays: Arrays) -> list[Definition]:
        values = arrays[x].values
        taken = [max(places, key=lambda place: (values[place], -place)) for places in seen]
        return [
            Definition(
                f"d{x}", before.shape, summed(before.shape, ((q, ((d, p),)) for p, q in enumerate(taken))),
                of_input(x),
                phrase("Only the largest number of a window goes on, so it alone gets the output's gradient, of equals "
                    "the first; all others get 0."),
            )
        ]  # fmt: skip

    def by_torch(images: Tensor, given: Mapping[str, Tensor]) -> Tensor:
        run = functional.max_pool1d if len(out) == 3 else functional.max_pool2d
        result: Tensor = run(images, window.kernel, window.stride, window.padding, window.dilation)
        return result

    return Layer("max_pool", {}, (forward,), backward, by_torch)


def average_pool(before: Before, window: Window) -> Layer:
    """The mean of each window; zeros around the input count."""
    x, o, share = before.name, before.naming("O"), Fraction(1, prod(window.kernel))
    out, seen = pooled(before, window)
    forward = Definition(
        o, out, summed(out, ((p, (share, (x, q))) for p, places in enumerate(seen) for q in places)),
        phrase("Average pooling: {array}", array=o),
        phrase("Each number of {o} is the mean of a window of {size} of {x}.", o=o, size=sizes(window.kernel), x=x),
        {x: window.padding},
    )  # fmt: skip

    def backward(d: str, arrays: Arrays) -> list[Definition]:
        entries = summed(before.shape, ((q, (share, (d, p))) for p, places in enumerate(seen) for q in places))
        words = phrase(
            "Every number of a window has the same share, {share}, of the output's gradient.", share=str(share)
        )
        return [Definition(f"d{x}", before.shape, entries, of_input(x), words)]

    def by_torch(images: Tensor, given: Mapping[str, Tensor]) -> Tensor:
        run = functional.avg_pool1d if len(out) == 3 else functional.avg_pool2d
        result: Tensor = run(images, window.kernel, window.stride, window.padding)
        return result

    return Layer("average_pool", {}, (forward,), backward, by_torch)


def dense(before: Before, weight: Numbers, bias: Numbers | None) -> Layer:
    """Each output a weighted sum of all inputs. AssayError where the weight is for other sizes."""
    x, (samples, width) = before.name, before.shape
    units = weight.shape[0]
    if weight.shape[1] != width:
        raise AssayError(f"{before.where}: the weight is for {weight.shape[1]} inputs, there are {width}")
    w, b, o = before.naming("W"), before.naming("b"), before.naming("O")
    places = [(n * units + u, n * width + i, u * width + i)
              for n in range(samples) for u in range(units) for i in range(width)]  # fmt: skip
    biases = [(n * units + u, ((b, u),)) for n in range(samples) for u in range(units)] if bias else []
    out = (samples, units)
    forward = Definition(
        o, out, summed(out, [*((p, ((x, q), (w, k))) for p, q, k in places), *biases]),
        phrase("Dense: {array}", array=o),
        phrase("Each output is the sum of all numbers of {x}, each times a weight of the output's row of {w}, and its "
            "bias in {b}.", x=x, w=w, b=b) if bias else
        phrase("Each output is the sum of all numbers of {x}, each times a weight of the output's row of {w}.",
            x=x, w=w),
    )  # fmt: skip

    def backward(d: str, arrays: Arrays) -> list[Definition]:
        to_bias = summed((units,), ((p % units, ((d, p),)) for p in range(samples * units)))
        shares = Definition(f"d{b}", (units,), to_bias, of_bias(b), phrase("The sum of {d} an output.", d=d))
        return [
            Definition(f"d{w}", weight.shape, summed(weight.shape, ((k, ((d, p), (x, q))) for p, q, k in places)),
                phrase("Gradient of the weights: {array}", array=f"d{w}"),
                phrase("A weight's gradient: its input times the gradient {d} of its output, summed over the samples.",
                    d=d)),
            *([shares] if bias else []),
            Definition(f"d{x}", before.shape, summed(before.shape, ((q, ((d, p), (w, k))) for p, q, k in places)),
                of_input(x), phrase("An input goes into all outputs: the sum of {d}, each times the weight on the way.",
                    d=d)),
        ]  # fmt: skip

    def by_torch(rows: Tensor, given: Mapping[str, Tensor]) -> Tensor:
        return functional.linear(rows, given[w], given.get(b))

    return Layer("dense", {w: weight} | ({b: bias} if bias else {}), (forward,), backward, by_torch)


def relu(before: Before) -> Layer:
    """What is below 0 becomes 0."""
    x, o, count = before.name, before.naming("O"), prod(before.shape)
    entries = tuple(Call("relu", ((x, place),)) for place in range(count))
    words = phrase("What is below 0 in {x} becomes 0, all else stays.", x=x)
    forward = Definition(o, before.shape, entries, phrase("ReLU: {array}", array=o), words)

    def backward(d: str, arrays: Arrays) -> list[Definition]:
        kept = (Sum((((d, p),),)) if arrays[x].values[p] > 0 else Sum() for p in range(count))
        words = phrase("The gradient goes through where {x} is above 0, and is 0 elsewhere.", x=x)
        return [Definition(f"d{x}", before.shape, tuple(kept), of_input(x), words)]

    return Layer("relu", {}, (forward,), backward, lambda rows, given: functional.relu(rows))


def flatten(before: Before) -> Layer:
    """All numbers of a sample in one row."""
    x, o, count = before.name, before.naming("O"), prod(before.shape)
    shape = (before.shape[0], count // before.shape[0])
    entries = tuple(Sum((((x, place),),)) for place in range(count))
    forward = Definition(
        o,
        shape,
        entries,
        phrase("Flatten: {array}", array=o),
        phrase("The numbers of {x} are written in one row.", x=x),
    )

    def backward(d: str, arrays: Arrays) -> list[Definition]:
        back = tuple(Sum((((d, place),),)) for place in range(count))
        words = phrase("The numbers of {d} go back to where those of {x} came from.", d=d, x=x)
        return [Definition(f"d{x}", before.shape, back, of_input(x), words)]

    return Layer("flatten", {}, (forward,), backward, lambda rows, given: rows.flatten(1))
