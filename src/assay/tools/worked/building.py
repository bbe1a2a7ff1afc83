"""From what a file asks to layers with shapes and names."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.errors import AssayError
from assay.tools.worked import losses
from assay.tools.worked.batch_norm import batch_norm
from assay.tools.worked.convolution import Convolution, convolution
from assay.tools.worked.exact import number
from assay.tools.worked.expressions import Numbers, Shape
from assay.tools.worked.layer import Before, Layer, Naming
from assay.tools.worked.layers import average_pool, dense, flatten, max_pool, relu
from assay.tools.worked.losses import Loss
from assay.tools.worked.matrices import array, per_axis, reshaped, sizes, whole
from assay.tools.worked.problem import Asked, Problem
from assay.tools.worked.windows import Window

INPUT = "X"
BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
EPSILON = 1e-5
"""Added to a variance, where a file does not say."""


@dataclass(frozen=True)
class Built:
    """A problem ready to be worked."""

    input: Numbers
    """(batch, channels, axes…) or (batch, features)."""
    layers: tuple[Layer, ...]
    loss: Loss


def build(problem: Problem) -> Built:
    """The layers one after the other. AssayError, naming layer and sizes, for one that cannot take its input."""
    size = input_shape(problem)
    given = reshaped(problem.input, size, f"{problem.where}: input", "")
    layers: list[Layer] = []
    name, shape = INPUT, size
    todo = list(with_flatten(problem, size))
    naming = namings(todo)
    for place, asked in enumerate(todo):
        layer = MAKERS[asked.kind](Before(name, shape, naming(place), asked.where), asked.options)
        layers.append(layer)
        name, shape = layer.output, layer.shape
    return Built(given, tuple(layers), build_loss(problem, name, shape))


def input_shape(problem: Problem) -> Shape:
    """With batch and channels, which a file leaves out where they are 1; the first layer with axes decides."""
    shape = problem.input.shape
    first = next((each for each in problem.layers if each.kind not in ("relu",)), None)
    kind = first.kind if first else "dense"
    if first and "axes" in first.options:
        axes = whole(first.options["axes"], f"{first.where}.axes", 1)
        if axes > 2:
            raise AssayError(f"{first.where}.axes: expected 1 or 2, found {axes}")
    elif first and kind == "convolution":
        kernel = array(first.options["kernel"], f"{first.where}.kernel")
        axes = axes_of(shape, kernel.shape, first.where)
    elif first and kind in ("max_pool", "average_pool"):
        axes = (
            1 if len(shape) == 1 or (isinstance(first.options["size"], list) and len(first.options["size"]) == 1) else 2
        )
    elif kind == "batch_norm" and len(shape) > 2:
        axes = 2
    else:
        if len(shape) > 2 and kind != "flatten":
            raise AssayError(
                f"{problem.where}: input: expected a row of numbers, or a row a sample, found {sizes(shape)}"
            )
        if kind == "batch_norm" and len(shape) == 1:
            return (*shape, 1)
        return shape if len(shape) > 1 and kind != "flatten" else (1, *shape)
    if len(shape) > axes + 2:
        raise AssayError(f"{problem.where}: input: {sizes(shape)} has more than batch, channels and {axes} axes")
    return (1,) * (axes + 2 - len(shape)) + shape


def axes_of(shape: Shape, kernel: Shape, where: str) -> int:
    """In how many dimensions a kernel moves: (k), (c, k) no; (f, c, k) in one; (kh, kw), (f, c, kh, kw) in two."""
    if len(kernel) == 1 or (len(kernel) == 3 and len(shape) < 3):
        return 1
    if len(kernel) in (2, 4) or (len(kernel) == 3 and len(shape) >= 3):
        return 2
    raise AssayError(f"{where}.kernel: {sizes(kernel)} has {len(kernel)} dimensions; expected 1 to 4")


def with_flatten(problem: Problem, size: Shape) -> list[Asked]:
    """The layers, with a ``flatten`` before the first dense layer of maps, and before a loss of classes."""
    found: list[Asked] = []
    flat = len(size) == 2
    for each in problem.layers:
        if each.kind == "dense" and not flat:
            found.append(Asked("flatten", {}, each.where))
        flat = flat or each.kind in ("dense", "flatten")
        found.append(each)
    if problem.loss[0] == "cross_entropy" and not flat:
        found.append(Asked("flatten", {}, f"{problem.where}: loss"))
    return found


def namings(layers: list[Asked]) -> Callable[[int], Naming]:
    """How arrays are called: ``O`` where one layer has an O, else ``O₁``, ``O₂``, … by layer."""
    bases = {"convolution": "FbO", "dense": "WbO", "batch_norm": "μCVrNγβO"}
    count = Counter(base for each in layers for base in bases.get(each.kind, "O"))

    def naming(place: int) -> Naming:
        return lambda base: base if count[base] < 2 else f"{base}{str(place + 1).translate(BELOW)}"

    return naming


def _convolution(before: Before, options: Mapping[str, Any]) -> Layer:
    where, axes = before.where, axes_before(before)
    kernel = array(options["kernel"], f"{where}.kernel")
    full = kernel.shape if len(kernel.shape) == axes + 2 else (1,) * (axes + 2 - len(kernel.shape)) + kernel.shape
    if len(kernel.shape) not in (axes, axes + 1, axes + 2) or (len(kernel.shape) == axes + 1 and axes == 1):
        raise AssayError(
            f"{where}.kernel: {sizes(kernel.shape)} is no kernel for {axes} axes; expected filters × channels × "
            f"{'length' if axes == 1 else 'rows × columns'}, or {'a list' if axes == 1 else 'rows'} alone"
        )
    stated = options.get("bias")
    values = stated if isinstance(stated, list) else [stated] * full[0]
    bias = (
        None if stated is None else reshaped(array(values, f"{where}.bias"), full[:1], f"{where}.bias", "one a filter")
    )
    groups = whole(options.get("groups", 1), f"{where}.groups", 1)
    it = Convolution(Numbers(full, kernel.values), bias, window(options, full[2:], where), groups)
    return convolution(before, it)


def axes_before(before: Before) -> int:
    """The axes of maps. AssayError for rows, in which nothing has a place."""
    if len(before.shape) < 3:
        raise AssayError(f"{before.where}: expected maps, found rows of {before.shape[1]} numbers")
    return len(before.shape) - 2


def window(options: Mapping[str, Any], kernel: Shape, where: str, stride: Shape | None = None) -> Window:
    """Kernel and steps; a stride of 0 is an AssayError."""
    axes = len(kernel)
    return Window(
        kernel,
        stride
        if stride and "stride" not in options
        else per_axis(options.get("stride", 1), axes, f"{where}.stride", 1),
        per_axis(options.get("padding", 0), axes, f"{where}.padding", 0),
        per_axis(options.get("dilation", 1), axes, f"{where}.dilation", 1),
    )


def _pool(pool: Callable[[Before, Window], Layer]) -> Callable[[Before, Mapping[str, Any]], Layer]:
    def make(before: Before, options: Mapping[str, Any]) -> Layer:
        size = per_axis(options["size"], axes_before(before), f"{before.where}.size", 1)
        found = window(options, size, before.where, stride=size)
        if any(2 * p > k for p, k in zip(found.padding, size, strict=True)):
            raise AssayError(
                f"{before.where}: padding {sizes(found.padding)} is more than half of the window, {sizes(size)}, "
                "which would see nothing but zeros; expected at most half"
            )
        return pool(before, found)

    return make


def _dense(before: Before, options: Mapping[str, Any]) -> Layer:
    where = before.where
    weight = array(options["weight"], f"{where}.weight")
    if len(weight.shape) != 2:
        raise AssayError(f"{where}.weight: expected a matrix, a row an output, found {sizes(weight.shape)}")
    stated = options.get("bias")
    bias = None
    if stated is not None:
        values = stated if isinstance(stated, list) else [stated] * weight.shape[0]
        bias = reshaped(array(values, f"{where}.bias"), weight.shape[:1], f"{where}.bias", "one an output")
    return dense(before, weight, bias)


def _batch_norm(before: Before, options: Mapping[str, Any]) -> Layer:
    where, rows = before.where, (before.shape[1],)
    stated = {}
    for key, usual in (("scale", 1), ("shift", 0)):
        value = options.get(key, usual)
        values = value if isinstance(value, list) else [value] * rows[0]
        stated[key] = reshaped(array(values, f"{where}.{key}"), rows, f"{where}.{key}", "one a channel")
    epsilon = number(options.get("epsilon", EPSILON), f"{where}.epsilon")
    if epsilon < 0:
        raise AssayError(f"{where}.epsilon: expected at least 0, found {options['epsilon']}")
    return batch_norm(before, stated["scale"], stated["shift"], epsilon)


MAKERS: Mapping[str, Callable[[Before, Mapping[str, Any]], Layer]] = {
    "convolution": _convolution,
    "max_pool": _pool(max_pool),
    "average_pool": _pool(average_pool),
    "dense": _dense,
    "batch_norm": _batch_norm,
    "relu": lambda before, options: relu(before),
    "flatten": lambda before, options: flatten(before),
}


def build_loss(problem: Problem, output: str, shape: Shape) -> Loss:
    """The loss of an output. AssayError for classes that are not there, and a gradient of another size."""
    name, given = problem.loss
    where = f"{problem.where}: loss.{name}"
    if name == "gradient":
        return losses.upstream(output, reshaped(array(given, where), shape, where, f"one a number of {output}"))
    if name == "cross_entropy":
        classes = given if isinstance(given, list) else [given]
        if len(classes) != shape[0]:
            raise AssayError(f"{where}: expected {shape[0]} classes, one a row, found {len(classes)}")
        for label in classes:
            if whole(label, where, 0) >= shape[1]:
                raise AssayError(f"{where}: there are the classes 0 to {shape[1] - 1}, found {label}")
        return losses.cross_entropy(output, shape, classes)
    return losses.mean(output, shape) if name == "mean" else losses.total(output, shape)
