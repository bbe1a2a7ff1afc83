"""What the last output is held against: one number L, and its gradient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import torch
from torch import Tensor
from torch.nn import functional

from assay.tools.worked.expressions import Call, Definition, Numbers, Shape, Sum
from assay.tools.worked.windows import summed


@dataclass(frozen=True)
class Loss:
    """A loss of an output."""

    given: dict[str, Numbers]
    forward: tuple[Definition, ...]
    """``L`` last."""
    gradient: Definition
    """Of the output."""
    by_torch: Callable[[Tensor], Tensor]


def weighted(output: str, shape: Shape, share: Fraction, title: str, words: str) -> Loss:
    """Every number of the output times ``share``, summed."""
    count = prod(shape)
    entries = summed(
        (), ((0, (share, (output, place)) if share != 1 else ((output, place),)) for place in range(count))
    )
    gradient = Definition(
        f"d{output}", shape, (Sum(((share,),)),) * count, f"Gradient of the output: d{output}",
        f"Each number of {output} counts {share} in L, so the gradient is {share} everywhere.",
    )  # fmt: skip
    return Loss({}, (Definition("L", (), entries, title, words),), gradient, lambda out: out.sum() * float(share))


def mean(output: str, shape: Shape) -> Loss:
    """The mean of all numbers."""
    words = f"L is the mean of the {prod(shape)} numbers of {output}."
    return weighted(output, shape, Fraction(1, prod(shape)), "Loss: their mean", words)


def total(output: str, shape: Shape) -> Loss:
    """The sum of all numbers."""
    return weighted(output, shape, Fraction(1), "Loss: their sum", f"L is the sum of the numbers of {output}.")


def upstream(output: str, gradient: Numbers) -> Loss:
    """A gradient that comes from elsewhere: the same as the loss Σ G·O."""
    shape, places = gradient.shape, range(prod(gradient.shape))
    entries = summed((), ((0, (("G", place), (output, place))) for place in places))
    back = tuple(Sum(((("G", place),),)) for place in places)
    given = torch.tensor([float(v) for v in gradient.values], dtype=torch.float64).reshape(shape)
    words = f"A gradient G that is given is that of L = Σ G · {output}."
    return Loss(
        {"G": gradient},
        (Definition("L", (), entries, "Loss: the given gradient", words),),
        Definition(f"d{output}", shape, back, f"Gradient of the output: d{output}", "It is given."),
        lambda out: (out * given).sum(),
    )  # fmt: skip


def cross_entropy(output: str, shape: Shape, classes: Sequence[int]) -> Loss:
    """Softmax, then the mean of −log of the true class's probability; ``classes`` from 0, one a row."""
    rows, width = shape
    share = Fraction(1, rows)
    places = range(rows * width)
    one = (rows,)
    true = [row * width + label for row, label in enumerate(classes)]
    forward = (
        Definition("E", shape, tuple(Call("exp", ((output, p),)) for p in places), "Exponentials: E",
            f"e to the power of each logit in {output}; kept to 40 decimal places, of which 6 digits are shown."),
        Definition("S", one, summed(one, ((p // width, (("E", p),)) for p in places)), "Their sum: S",
            "A row's exponentials together."),
        Definition("1/S", one, tuple(Call("inverse", (("S", row),)) for row in range(rows)), "One over it: 1/S",
            "By which a row is multiplied so that its sum is 1."),
        Definition("P", shape, summed(shape, ((p, (("E", p), ("1/S", p // width))) for p in places)), "Softmax: P",
            "Exponentials over their sum: probabilities, whose sum is 1."),
        Definition("H", one, tuple(Call("-log", (("P", p),)) for p in true), "Cross-entropy: H",
            "−log of the probability of the true class: "
            + ", ".join(f"class {label} of row {row + 1}" for row, label in enumerate(classes)) + " (classes from 0)."),
        Definition("L", (), summed((), ((0, (share, ("H", row))) for row in range(rows))), "Loss: their mean",
            f"L is the mean of H over {rows} rows." if rows > 1 else "L is H."),
    )  # fmt: skip
    back = ((p, (share, ("P", p))) for p in places)
    taken = ((p, (-share,)) for p in true)
    gradient = Definition(
        f"d{output}", shape, summed(shape, [*back, *taken]), f"Gradient of the logits: d{output}",
        "The probabilities less 1 at the true class" + (f", over the {rows} rows." if rows > 1 else ".")
        + " Softmax and logarithm together have no simpler gradient.",
    )  # fmt: skip
    labels = torch.tensor(list(classes))
    return Loss({}, forward, gradient, lambda out: functional.cross_entropy(out, labels))
