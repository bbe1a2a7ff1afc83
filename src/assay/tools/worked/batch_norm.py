"""Batch normalisation in training, one step after the other (Ioffe and Szegedy, arXiv:1502.03167, algorithm 1)."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod

from torch import Tensor

from assay.errors import AssayError
from assay.language.script import phrase
from assay.tools.worked.expressions import Arrays, Call, Definition, Numbers, Shape
from assay.tools.worked.layer import Before, Layer, of_input
from assay.tools.worked.windows import summed


def batch_norm(before: Before, scale: Numbers, shift: Numbers, epsilon: Fraction) -> Layer:
    """Each channel made mean 0 and variance 1 over samples and places, then scaled and shifted.

    AssayError for a single number a channel, and for a variance of 0 without epsilon.
    """
    x, size = before.name, before.shape
    channels, area = size[1], prod(size[2:])
    count = size[0] * area
    if count < 2:
        raise AssayError(f"{before.where}: a channel has a single number; expected at least 2 to take a variance of")
    names = {base: before.naming(base) for base in ("μ", "C", "V", "r", "N", "γ", "β", "O")}
    _, _, _, r, n, gamma, beta, _ = names.values()
    of = [place // area % channels for place in range(prod(size))]
    share, rows = Fraction(1, count), (channels,)

    def backward(d: str, arrays: Arrays) -> list[Definition]:
        inner, m1, m2 = f"d{n}", f"mean(d{n})", f"mean(d{n}·{n})"
        return [
            Definition(f"d{gamma}", rows, summed(rows, ((k, ((d, p), (n, p))) for p, k in enumerate(of))),
                phrase("Gradient of the scale: {array}", array=f"d{gamma}"),
                phrase("The sum over the channel of {d} times {n}.", d=d, n=n)),
            Definition(f"d{beta}", rows, summed(rows, ((k, ((d, p),)) for p, k in enumerate(of))),
                phrase("Gradient of the shift: {array}", array=f"d{beta}"),
                phrase("The sum of {d} over the channel.", d=d)),
            Definition(inner, size, summed(size, ((p, ((d, p), (gamma, k))) for p, k in enumerate(of))),
                phrase("Gradient of {n}: {array}", n=n, array=inner),
                phrase("{d} times the channel's {gamma}.", d=d, gamma=gamma)),
            Definition(m1, rows, summed(rows, ((k, (share, (inner, p))) for p, k in enumerate(of))),
                phrase("Mean of {array}", array=inner), phrase("What the mean took away, goes back to all.")),
            Definition(m2, rows, summed(rows, ((k, (share, (inner, p), (n, p))) for p, k in enumerate(of))),
                phrase("Mean of {array} times {n}", array=inner, n=n),
                phrase("What the deviation took away, goes back to all in proportion.")),
            Definition(f"d{x}", size, summed(size, (term for p, k in enumerate(of) for term in (
                (p, ((r, k), (inner, p))), (p, (Fraction(-1), (r, k), (m1, k))),
                (p, (Fraction(-1), (r, k), (n, p), (m2, k)))))),
                of_input(x), phrase("Every number of a channel moves its mean and its deviation, hence the two means: "
                    "{formula}.", formula=f"{r} · ({inner} − {m1} − {n} · {m2})")),
        ]  # fmt: skip

    def by_torch(rows: Tensor, given: Mapping[str, Tensor]) -> Tensor:
        return normalised(rows, given[gamma], given[beta], float(epsilon))

    return Layer("batch_norm", {gamma: scale, beta: shift}, steps(x, size, of, names, epsilon), backward, by_torch)


def steps(
    x: str, size: Shape, of: Sequence[int], names: Mapping[str, str], epsilon: Fraction
) -> tuple[Definition, ...]:
    """Forward, `x` of `size`: `of` says the channel of each number, `names` what each step's array is called here."""
    mu, c, v, r, n, gamma, beta, o = names.values()
    channels, count = size[1], prod(size) // size[1]
    share, rows = Fraction(1, count), (channels,)
    return (
        Definition(mu, rows, summed(rows, ((k, (share, (x, p))) for p, k in enumerate(of))),
            phrase("Means: {array}", array=mu),
            phrase("The mean of each channel of {x}, over {n} numbers.", x=x, n=count)),
        Definition(c, size, summed(size, (term for p, k in enumerate(of)
            for term in ((p, ((x, p),)), (p, (Fraction(-1), (mu, k)))))), phrase("Centred: {array}", array=c),
            phrase("{x} without its channel's mean.", x=x)),
        Definition(v, rows, summed(rows, [*((k, (share, (c, p), (c, p))) for p, k in enumerate(of)),
            *((k, (epsilon,)) for k in range(channels) if epsilon)]), phrase("Variances: {array}", array=v),
            phrase("The mean square of {c}, and {epsilon} so that none is 0.", c=c,
                epsilon=f"{float(epsilon):g}") if epsilon else
            phrase("The mean square of {c}.", c=c)),
        Definition(r, rows, tuple(Call("inverse root", ((v, k),)) for k in range(channels)),
            phrase("1 / deviation: {array}", array=r),
            phrase("One over the standard deviation. Roots that are no fractions are kept to 40 decimal places, of "
                "which 6 digits are shown.")),
        Definition(n, size, summed(size, ((p, ((c, p), (r, k))) for p, k in enumerate(of))),
            phrase("Normalised: {array}", array=n),
            phrase("{c} over the channel's deviation: mean 0, variance 1.", c=c)),
        Definition(o, size, summed(size, (term for p, k in enumerate(of)
            for term in ((p, ((gamma, k), (n, p))), (p, ((beta, k),))))),
            phrase("Batch normalisation: {array}", array=o),
            phrase("Scaled by the channel's {gamma} and shifted by its {beta}, which are learnt.", gamma=gamma,
                beta=beta)),
    )  # fmt: skip


def normalised(rows: Tensor, scale: Tensor, shift: Tensor, epsilon: float) -> Tensor:
    """Batch norm by torch's operations; its own function takes no epsilon of 0."""
    axes = [axis for axis in range(rows.ndim) if axis != 1]
    across = [1, -1, *[1] * (rows.ndim - 2)]
    centred = rows - rows.mean(axes, keepdim=True)
    deviation = (centred.square().mean(axes, keepdim=True) + epsilon).sqrt()
    return centred / deviation * scale.view(across) + shift.view(across)
