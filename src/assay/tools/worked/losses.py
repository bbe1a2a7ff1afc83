"""What the last output is held against: one number L, and its gradient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import torch
from torch import Tensor
from torch.nn import functional

from assay.language.script import phrase
from assay.language.speech import say
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


def of_output(name: str) -> str:
    """The title of the gradient of the last output."""
    return phrase("Gradient of the output: {array}", array=f"d{name}")


def weighted(output: str, shape: Shape, share: Fraction, title: str, words: str) -> Loss:
    """Every number of the output times ``share``, summed."""
    count = prod(shape)
    entries = summed(
        (), ((0, (share, (output, place)) if share != 1 else ((output, place),)) for place in range(count))
    )
    gradient = Definition(
        f"d{output}", shape, (Sum(((share,),)),) * count, of_output(output),
        phrase("Each number of {output} counts {share} in {loss}, so the gradient is {share} everywhere.",
            output=output, share=str(share), loss="L"),
    )  # fmt: skip
    return Loss({}, (Definition("L", (), entries, title, words),), gradient, lambda out: out.sum() * float(share))


def mean(output: str, shape: Shape) -> Loss:
    """The mean of all numbers."""
    words = phrase("{loss} is the mean of the {n} numbers of {output}.", loss="L", n=prod(shape), output=output)
    return weighted(output, shape, Fraction(1, prod(shape)), phrase("Loss: their mean"), words)


def total(output: str, shape: Shape) -> Loss:
    """The sum of all numbers."""
    words = phrase("{loss} is the sum of the numbers of {output}.", loss="L", output=output)
    return weighted(output, shape, Fraction(1), phrase("Loss: their sum"), words)


def upstream(output: str, gradient: Numbers) -> Loss:
    """A gradient that comes from elsewhere: the same as the loss Σ G·O."""
    shape, places = gradient.shape, range(prod(gradient.shape))
    entries = summed((), ((0, (("G", place), (output, place))) for place in places))
    back = tuple(Sum(((("G", place),),)) for place in places)
    given = torch.tensor([float(v) for v in gradient.values], dtype=torch.float64).reshape(shape)
    words = phrase("A gradient {g} that is given is that of {formula}.", g="G", formula=f"L = Σ G · {output}")
    return Loss(
        {"G": gradient},
        (Definition("L", (), entries, phrase("Loss: the given gradient"), words),),
        Definition(f"d{output}", shape, back, of_output(output), phrase("It is given.")),
        lambda out: (out * given).sum(),
    )  # fmt: skip


def cross_entropy(output: str, shape: Shape, classes: Sequence[int]) -> Loss:
    """Softmax, then the mean of −log of the true class's probability; ``classes`` from 0, one a row."""
    rows, width = shape
    share = Fraction(1, rows)
    places = range(rows * width)
    one = (rows,)
    true = [row * width + label for row, label in enumerate(classes)]
    of_rows = [phrase("class {label} of row {row}", label=label, row=row) for row, label in enumerate(classes, start=1)]
    forward = (
        Definition("E", shape, tuple(Call("exp", ((output, p),)) for p in places),
            phrase("Exponentials: {array}", array="E"),
            phrase("{e} to the power of each logit in {output}; kept to 40 decimal places, of which 6 digits are "
                "shown.",
                e="e", output=output)),
        Definition("S", one, summed(one, ((p // width, (("E", p),)) for p in places)),
            phrase("Their sum: {array}", array="S"),
            phrase("A row's exponentials together.")),
        Definition("1/S", one, tuple(Call("inverse", (("S", row),)) for row in range(rows)),
            phrase("One over it: {array}", array="1/S"),
            phrase("By which a row is multiplied so that its sum is 1.")),
        Definition("P", shape, summed(shape, ((p, (("E", p), ("1/S", p // width))) for p in places)),
            phrase("Softmax: {array}", array="P"),
            phrase("Exponentials over their sum: probabilities, whose sum is 1.")),
        Definition("H", one, tuple(Call("-log", (("P", p),)) for p in true),
            phrase("Cross-entropy: {array}", array="H"),
            phrase("{minus_log} of the probability of the true class: {those} (classes from 0).",
                minus_log="−log", those=say(", ").join(of_rows))),
        Definition("L", (), summed((), ((0, (share, ("H", row))) for row in range(rows))), phrase("Loss: their mean"),
            phrase("{loss} is the mean of {h} over {n} rows.", loss="L", h="H", n=rows) if rows > 1 else
            phrase("{loss} is {h}.", loss="L", h="H")),
    )  # fmt: skip
    back = ((p, (share, ("P", p))) for p in places)
    taken = ((p, (-share,)) for p in true)
    gradient = Definition(
        f"d{output}", shape, summed(shape, [*back, *taken]),
        phrase("Gradient of the logits: {array}", array=f"d{output}"),
        phrase("The probabilities less 1 at the true class, over the {n} rows. Softmax and logarithm together have no "
            "simpler gradient.", n=rows) if rows > 1 else
        phrase("The probabilities less 1 at the true class. Softmax and logarithm together have no simpler gradient."),
    )  # fmt: skip
    labels = torch.tensor(list(classes))
    return Loss({}, forward, gradient, lambda out: functional.cross_entropy(out, labels))
