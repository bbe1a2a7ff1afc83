"""Three ways to the same gradients, and how far they are from those that were worked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float64
from scipy.signal import convolve
from torch import Tensor

from assay.language.script import phrase
from assay.language.speech import later, say
from assay.tools.worked.building import INPUT, Built
from assay.tools.worked.expressions import Arrays, Expression, Numbers, Ref, Shape, entries_of, refs, value
from assay.tools.worked.layer import Kernel, Layer
from assay.tools.worked.working import Worked

STEP = Fraction(1, 10**6)
"""Of the central differences."""
ENOUGH = 1e-9
"""A larger difference is a contradiction: doubles give about 1e-15, central differences the square of their step."""
KINK = Fraction(1, 1000)
"""Where slopes to both sides differ by more there is a corner, as of a maximum of equals, and no gradient."""


@dataclass(frozen=True)
class Check:
    """One other way."""

    way: str
    text: str
    """What was compared; this and the way are said in the language in which they are asked for."""
    parts: Mapping[str, object]
    """Of the text."""
    difference: float | None
    """The largest, of all entries; None where the way does not go here."""

    @property
    def name(self) -> str:
        """The way."""
        return say(self.way)

    @property
    def words(self) -> str:
        """What was compared."""
        return phrase(self.text, **self.parts)

    @property
    def passes(self) -> bool:
        """Whether both ways agree."""
        return self.difference is None or self.difference <= ENOUGH


def checks(worked: Worked) -> list[Check]:
    """Autograd, the full convolution with the turned kernel, central differences."""
    return [autograd(worked), full_convolution(worked), central_differences(worked)]


def tensor(numbers: Numbers) -> Tensor:
    """In float64."""
    return torch.tensor([float(v) for v in numbers.values], dtype=torch.float64).reshape(numbers.shape)


def autograd(worked: Worked) -> Check:
    """torch's own gradients of the same layers, in float64; the loss is compared too."""
    built, arrays = worked.built, worked.arrays
    leaves = {name: tensor(arrays[name]).requires_grad_() for name in parameters(built)}
    out = leaves[INPUT]
    for layer in built.layers:
        out = layer.by_torch(out, leaves)
    loss = built.loss.by_torch(out)
    gradients = torch.autograd.grad(loss, list(leaves.values()))
    apart = [float((tensor(arrays["L"]) - loss.detach()).abs())]
    for name, gradient in zip(leaves, gradients, strict=True):
        apart.append(float((tensor(arrays[f"d{name}"]) - gradient).abs().max() / max(1.0, float(gradient.abs().max()))))
    torch_used = f"torch {torch.__version__.split('+')[0]}"
    text = later("{torch} in double precision: the loss, and {gradients}.")
    return Check(later("Autograd"), text, {"torch": torch_used, "gradients": listed(leaves)}, max(apart))


def parameters(built: Built) -> list[str]:
    """What gradients are for: the input and all parameters."""
    return [INPUT, *(name for layer in built.layers for name in layer.given)]


def listed(names: Mapping[str, object] | Sequence[str]) -> str:
    """``dX, dF``."""
    return ", ".join(f"d{name}" for name in names)


def full_convolution(worked: Worked) -> Check:
    """dX of every convolution as scipy's full convolution, which turns the kernel."""
    way, found = later("Full convolution with the turned kernel"), []
    for layer, d_in, d_out in gradients(worked):
        if layer.kernel is not None:
            result = convolved(layer.kernel, worked.arrays, d_out, worked.arrays[d_in].shape)
            found.append(float(np.abs(result - tensor(worked.arrays[d_in]).numpy()).max()))
    if not found:
        return Check(way, later("There is no convolution here."), {}, None)
    text = later("The gradient of the output, spread by the stride, convolved by {function} in its mode {mode}.")
    return Check(way, text, {"function": "scipy.signal.convolve", "mode": "'full'"}, max(found))


def gradients(worked: Worked) -> Iterator[tuple[Layer, str, str]]:
    """Each layer with the names of the gradients of its input and of its output."""
    name = INPUT
    for layer in worked.built.layers:
        yield layer, f"d{name}", f"d{layer.output}"
        name = layer.output


def convolved(kernel: Kernel, arrays: Arrays, d_out: str, shape: Shape) -> Float64[np.ndarray, "..."]:
    """The gradient of a convolution's input, of this shape: scipy's full convolution of that of its output."""
    out, weights = (tensor(arrays[name]).numpy() for name in (d_out, kernel.name))
    window = kernel.window
    spread = with_gaps(out, window.stride)
    holed = with_gaps(weights, window.dilation)
    padded = [n + 2 * p for n, p in zip(shape[2:], window.padding, strict=True)]
    found = np.zeros((*shape[:2], *padded))
    covered = tuple(slice(a + b - 1) for a, b in zip(spread.shape[2:], holed.shape[2:], strict=True))
    for sample in range(shape[0]):
        for f in range(kernel.shape[0]):
            first = f // (kernel.shape[0] // kernel.groups) * kernel.shape[1]
            for c in range(kernel.shape[1]):
                part = convolve(spread[sample, f], holed[f, c], mode="full", method="direct")
                found[sample, first + c][covered] += part
    inside = (slice(p, p + n) for n, p in zip(shape[2:], window.padding, strict=True))
    return found[(slice(None), slice(None), *inside)]


def with_gaps(values: Float64[np.ndarray, "..."], steps: Shape) -> Float64[np.ndarray, "..."]:
    """Numbers so many places apart along the axes behind the first two, zeros between them."""
    size = [(n - 1) * step + 1 for n, step in zip(values.shape[2:], steps, strict=True)]
    found = np.zeros((*values.shape[:2], *size))
    found[(slice(None), slice(None), *(slice(None, None, step) for step in steps))] = values
    return found


def central_differences(worked: Worked) -> Check:
    """(L(x + h) − L(x − h)) / 2h in fractions for every number given; entries at a corner are left out."""
    arrays = worked.arrays
    users = [used_by(step.entries) for step in worked.forward]
    apart, corners, count = [0.0], 0, 0
    for name in parameters(worked.built):
        for place, expected in enumerate(arrays[f"d{name}"].values):
            here = arrays["L"].values[0]
            up, down = (nudged(worked, users, (name, place), step) for step in (STEP, -STEP))
            count += 1
            if abs((up - here) - (here - down)) > KINK * STEP:
                corners += 1
            else:
                apart.append(float(abs((up - down) / (2 * STEP) - expected)))
    text = later("Each of the {n} numbers given a millionth up and down, the rest as it is.")
    if corners:
        text = later(
            "Each of the {n} numbers given a millionth up and down, the rest as it is; {corners} stand at a corner, "
            "where slopes differ to both sides, and are left out."
        )
    return Check(later("Central differences"), text, {"n": count, "corners": corners}, max(apart))


def used_by(entries: Sequence[Expression]) -> dict[Ref, list[int]]:
    """Entry of an earlier array → the entries that are made of it."""
    found: dict[Ref, list[int]] = {}
    for place, each in enumerate(entries):
        for ref in dict.fromkeys(refs(each)):
            found.setdefault(ref, []).append(place)
    return found


def nudged(worked: Worked, users: Sequence[Mapping[Ref, list[int]]], ref: Ref, by: Fraction) -> Fraction:
    """The loss where one number is larger by so much; only what depends on it is worked again."""
    before = entries_of(worked.arrays)
    changed = {ref: before(ref) + by}

    def look(each: Ref) -> Fraction:
        return changed[each] if each in changed else before(each)

    for step, used in zip(worked.forward, users, strict=True):
        touched = sorted({place for each in list(changed) for place in used.get(each, ())})
        changed |= {(step.name, place): value(step.entries[place], look) for place in touched}
    return look(("L", 0))
