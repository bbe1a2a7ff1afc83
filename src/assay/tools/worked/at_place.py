"""``assay explain RUN --layer conv1 --picture p.png --at y,x``: a place of a picture, worked with the run's weights."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import torch
from torch import Tensor, nn

from assay.errors import AssayError
from assay.language.script import phrase
from assay.language.speech import later
from assay.models.layer_table.window import window_of
from assay.recipe.tasks import TASKS, answered
from assay.tools.page import named
from assay.tools.predict import load_run, read_picture
from assay.tools.worked.building import Built
from assay.tools.worked.checks import Check, checks
from assay.tools.worked.convolution import Convolution, convolution
from assay.tools.worked.expressions import Definition, Numbers, Sum, evaluate
from assay.tools.worked.layer import Before
from assay.tools.worked.losses import upstream
from assay.tools.worked.matrices import sizes
from assay.tools.worked.place import Pass, convolution_called, parse_place, run_through, scaled
from assay.tools.worked.problem import Problem
from assay.tools.worked.windows import Window
from assay.tools.worked.working import Worked, work_built

MOST_CHANNELS = 12
"""Channels that are worked number by number, those that give most; the others are one number."""


@dataclass(frozen=True)
class Seen:
    """What a page shows beside the numbers."""

    pixels: Tensor
    """uint8 (channels, height, width), as the network sees the picture."""
    place: tuple[int, int]
    """The row and column that were asked for."""
    answer: str
    facts: str
    filters: list[tuple[str, str, str]]
    """Number, output and gradient of every filter at the place."""
    following: list[tuple[str, str, str]]
    """Layer, kind and number at the place, after the convolution."""


@dataclass(frozen=True)
class Spot:
    """Where a convolution is worked."""

    layer: str
    module: nn.Conv2d
    passed: Pass
    at: tuple[int, int]
    """Of the output."""
    filter: int
    """The one with the largest output there."""

    @property
    def kept(self) -> list[int]:
        """The channels of the filter's group that give most to the sum, in their order."""
        shares = (patch(self) * self.module.weight[self.filter].detach()).sum(dim=(1, 2))
        return sorted(shares.abs().topk(min(MOST_CHANNELS, len(shares))).indices.tolist())


def worked_at(run: Path, layer: str, picture: Path, at: str) -> tuple[Worked, list[Check], Seen]:
    """The convolution ``layer`` of a finished run at a place of a picture, worked in double precision.

    ``at`` is row and column from 0 of the picture as the network sees it. Raises AssayError for a run that is none or
    gives no classes, a layer that is no convolution of it, a place outside, and a picture that cannot be read.
    """
    recipe, about, model = load_run(run)
    if TASKS[recipe.task].target in ("values", "boxes"):
        raise AssayError(
            f"--layer: {run} does {recipe.task}; a place is worked towards a class's logit, expected a run of "
            "classification, multilabel or segmentation"
        )
    module = convolution_called(model, layer)
    image = read_picture(picture, about, recipe.data.fit)
    place = parse_place(at, *image.shape[1:])
    model.double()
    passed = run_through(model, module, layer, image.double(), place, len(about["classes"]))
    spot = where(layer, module, passed, scaled(place, passed.outputs.shape[1:], image.shape[1:]))
    worked = worked_spot(spot, f"{layer} of {named(run)} at {at} of {picture.name}")
    mean, std = (torch.tensor(about[name]).view(-1, 1, 1) for name in ("mean", "std"))
    pixels = ((image * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
    label = about["classes"][passed.winner]
    label = phrase("{label} at this pixel", label=label) if answered(recipe.task) == "pixel" else label
    held = [*checks(worked), own_output(worked, spot), own_gradient(worked, spot)]
    return worked, held, seen(spot, pixels, place, str(label))


def where(layer: str, module: nn.Conv2d, passed: Pass, at: tuple[int, int]) -> Spot:
    """The filter whose output is the largest at a place."""
    return Spot(layer, module, passed, at, int(passed.outputs[:, at[0], at[1]].argmax()))


def numbers(values: Tensor, shape: tuple[int, ...]) -> Numbers:
    """Doubles as the fractions they are, shown as decimals."""
    return Numbers(shape, tuple(Fraction(value) for value in values.flatten().tolist()), exact=False)


def patch(spot: Spot) -> Tensor:
    """What the kernel covers: (channels of the filter's group, rows, columns), zeros where it sees padding."""
    module, inputs, steps = spot.module, spot.passed.inputs, window_of(spot.module)
    width = inputs.shape[0] // module.groups
    first = spot.filter // (module.out_channels // module.groups) * width
    (y, x), (height, columns) = corner(spot), inputs.shape[1:]
    found = torch.zeros((width, *steps.kernel), dtype=inputs.dtype)
    for i, j in product(*map(range, steps.kernel)):
        row, column = y + i * steps.dilation[0], x + j * steps.dilation[1]
        if 0 <= row < height and 0 <= column < columns:
            found[:, i, j] = inputs[first : first + width, row, column]
    return found


def corner(spot: Spot) -> tuple[int, int]:
    """The place of the layer's input under the kernel's first weight; below 0 on padding."""
    steps = window_of(spot.module)
    y, x = (a * s - p for a, s, p in zip(spot.at, steps.stride, steps.padding, strict=True))
    return y, x


def worked_spot(spot: Spot, title: str) -> Worked:
    """The filter at the place, forward and backward, and the gradient of the layer's input in the patch's middle."""
    under, weights = patch(spot), spot.module.weight[spot.filter].detach()
    kept = spot.kept
    rest = float((under * weights).sum() - (under[kept] * weights[kept]).sum())
    own = float(spot.module.bias[spot.filter].detach()) if spot.module.bias is not None else 0.0
    shape = (1, len(kept), *weights.shape[1:])
    kernel = numbers(weights[kept], shape)
    ones = (1, 1)
    window = Window(shape[2:], ones, (0, 0), ones)
    bias = numbers(torch.tensor([own + rest], dtype=torch.float64), (1,))
    x = numbers(under[kept], shape)
    layer = convolution(Before("X", shape, lambda base: base, spot.layer), Convolution(kernel, bias, window, 1))
    gradient = numbers(spot.passed.d_outputs[spot.filter, spot.at[0], spot.at[1]], (1, 1, 1, 1))
    problem = Problem(title, x, (), ("gradient", None), {}, spot.layer)
    return with_whole_gradient(work_built(problem, Built(x, (layer,), upstream("O", gradient))), spot)


def middle(spot: Spot) -> tuple[int, int] | None:
    """The place of the layer's input under the kernel's middle; None where that is padding."""
    steps = window_of(spot.module)
    y, x = (a + k // 2 * d for a, k, d in zip(corner(spot), steps.kernel, steps.dilation, strict=True))
    height, width = spot.passed.inputs.shape[1:]
    return (y, x) if 0 <= y < height and 0 <= x < width else None


def covering(spot: Spot, place: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """(output row, output column, kernel row, kernel column) of all windows that cover a place of the input."""
    steps, (rows, columns) = window_of(spot.module), spot.passed.outputs.shape[1:]
    for i, j in product(*map(range, steps.kernel)):
        y, x = (a + p - k * d for a, p, k, d in zip(place, steps.padding, (i, j), steps.dilation, strict=True))
        (o, p), on = (y // steps.stride[0], x // steps.stride[1]), y % steps.stride[0] == x % steps.stride[1] == 0
        if on and 0 <= o < rows and 0 <= p < columns:
            yield o, p, i, j


def with_whole_gradient(worked: Worked, spot: Spot) -> Worked:
    """With the gradient of the layer's input at one place: over all filters and all windows that cover it."""
    place, module, channel = middle(spot), spot.module, spot.kept[0]
    if place is None or module.groups > 1:
        return worked
    windows = list(covering(spot, place))
    d = torch.stack([spot.passed.d_outputs[:, o, p] for o, p, _, _ in windows], dim=1)
    w = torch.stack([module.weight[:, channel, i, j].detach() for _, _, i, j in windows], dim=1)
    shape = tuple(d.shape)
    arrays = {**worked.arrays, "D": numbers(d, shape), "W": numbers(w, shape)}
    entries = (Sum(tuple((("D", n), ("W", n)) for n in range(d.numel()))),)
    step = Definition(
        "dX∑", (), entries, phrase("The whole gradient of the middle number: {array}", array="dX∑"),
        phrase("The middle number of the first channel goes into {places} places of all {filters} filters, not into "
            "this one alone. {d} has their gradients and {w} the weights that it met, a row a filter; the sum of all "
            "products is the network's own gradient there.",
            places=len(windows), filters=shape[0], d="D", w="W"),
    )  # fmt: skip
    arrays["dX∑"] = evaluate(step, arrays)
    return replace(worked, backward=[*worked.backward, step], arrays=arrays)


def own_output(worked: Worked, spot: Spot) -> Check:
    """The sum against what the layer itself gives."""
    theirs = float(spot.passed.outputs[spot.filter, spot.at[0], spot.at[1]])
    apart = abs(float(worked.arrays["O"].values[0]) - theirs)
    parts = {"layer": spot.layer, "output": f"{theirs:.6g}"}
    return Check(later("The layer's own output"), later("{layer} gives {output} here."), parts, apart)


def own_gradient(worked: Worked, spot: Spot) -> Check:
    """The whole gradient against autograd through the whole network."""
    way, place = later("Autograd through the network"), middle(spot)
    if "dX∑" not in worked.arrays or place is None:
        return Check(way, later("The middle of the kernel lies on padding, or the layer has groups."), {}, None)
    theirs = float(spot.passed.d_inputs[spot.kept[0], place[0], place[1]])
    apart = abs(float(worked.arrays["dX∑"].values[0]) - theirs)
    text = later("The gradient of the winning class's logit with respect to {layer}'s input.")
    return Check(way, text, {"layer": spot.layer}, apart)


def seen(spot: Spot, pixels: Tensor, place: tuple[int, int], label: str) -> Seen:
    """What stands beside the numbers."""
    (y, x), passed = spot.at, spot.passed
    outputs, gradients = passed.outputs[:, y, x].tolist(), passed.d_outputs[:, y, x].tolist()
    filters = [(str(n), digits(o), digits(g)) for n, (o, g) in enumerate(zip(outputs, gradients, strict=True))]
    after = [(each.name, each.kind, digits(float(each.output[spot.filter, y, x]))) for each in passed.following]
    channels, kept = spot.module.in_channels // spot.module.groups, spot.kept
    facts = [
        phrase(
            "Filter {filter} of 0 to {last}, the one with the largest output at row {row}, column {column} of its "
            "{size}.",
            filter=spot.filter,
            last=len(outputs) - 1,
            row=y,
            column=x,
            size=outputs_size(passed),
        )
    ]
    if len(kept) < channels:
        facts.append(
            phrase(
                "Of {channels} channels the {n} that give most are shown; from 0 they are {those}. {b} is the bias and "
                "what the others give.",
                channels=channels,
                n=len(kept),
                those=", ".join(map(str, kept)),
                b="b",
            )
        )
    facts.append(
        phrase("The gradient {g} is that of the logit of {label}, which the network says.", g="G", label=label)
    )
    return Seen(pixels, place, label, " ".join(facts), filters, after)


def outputs_size(passed: Pass) -> str:
    """``26 × 26``."""
    return sizes(passed.outputs.shape[1:])


def digits(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}".replace("-", "−")
