"""A file of numbers: an input, the layers it goes through, a loss, and what somebody claims the results are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import AssayError, enumerated, nearest
from assay.recipe.yaml_files import read_yaml
from assay.tools.worked.expressions import Numbers
from assay.tools.worked.matrices import array

KEYS = ("title", "input", "layers", "loss", "claimed")
WINDOW = ("stride", "padding", "dilation")
LAYERS = {
    "convolution": ("kernel", "bias", *WINDOW, "groups", "axes"),
    "max_pool": ("size", *WINDOW, "axes"),
    "average_pool": ("size", "stride", "padding", "axes"),
    "dense": ("weight", "bias"),
    "batch_norm": ("scale", "shift", "epsilon"),
    "relu": (),
    "flatten": (),
}
"""Layer → its keys."""
NEEDED = {"convolution": "kernel", "max_pool": "size", "average_pool": "size", "dense": "weight"}
"""Layer → the key that it cannot do without, which stands alone as ``max_pool: 2``."""
LOSSES = ("mean", "sum", "cross_entropy", "gradient")


@dataclass(frozen=True)
class Asked:
    """A layer as it stands in the file."""

    kind: str
    options: Mapping[str, Any]
    where: str
    """File and key."""


@dataclass(frozen=True)
class Problem:
    """What is to be worked."""

    title: str
    input: Numbers
    layers: tuple[Asked, ...]
    loss: tuple[str, Any]
    """Its name, and what stands behind it."""
    claimed: Mapping[str, Numbers]
    where: str
    """The file."""


def read_problem(path: Path) -> Problem:
    """The problem in a YAML file. AssayError for a key that is not known, no input, and lists that are no arrays."""
    return problem(read_yaml(path), str(path))


def problem(values: Mapping[str, Any], where: str) -> Problem:
    """The problem that these keys and values state; errors as of ``read_problem``, which begin with ``where``."""
    only(values, KEYS, where)
    if "input" not in values:
        raise AssayError(f"{where}: there is no input; expected the key 'input' with a list of numbers, or of rows")
    layers = values.get("layers", [])
    if not isinstance(layers, list):
        raise AssayError(f"{where}: layers: expected a list such as [convolution: {{kernel: [[1, 2], [3, 4]]}}]")
    claimed = values.get("claimed") or {}
    if not isinstance(claimed, dict):
        raise AssayError(f"{where}: claimed: expected names of arrays with their numbers, as dX: [[1, 2], [3, 4]]")
    return Problem(
        str(values.get("title", Path(where).stem)),
        array(values["input"], f"{where}: input"),
        tuple(asked(each, f"{where}: layers[{place}]") for place, each in enumerate(layers)),
        loss(values.get("loss", "mean"), f"{where}: loss"),
        {str(name): array(each, f"{where}: claimed.{name}") for name, each in claimed.items()},
        where,
    )


def only(values: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    """AssayError for a key that is not known."""
    for key in values:
        if key not in known:
            raise AssayError(f"{where}: unknown key {key!r}; {nearest(key, known)}")


def asked(value: Any, where: str) -> Asked:
    """A layer by its name, or its name with options."""
    pair = {value: {}} if isinstance(value, str) else value
    if not isinstance(pair, dict) or len(pair) != 1:
        raise AssayError(f"{where}: expected a layer such as relu, or convolution: {{kernel: …}}, found {value!r}")
    ((kind, options),) = pair.items()
    if kind not in LAYERS:
        raise AssayError(f"{where}: unknown layer {str(kind)!r}; {nearest(kind, LAYERS)}")
    where = f"{where}.{kind}"
    needed = NEEDED.get(kind)
    if needed and options is not None and not isinstance(options, dict):
        options = {needed: options}
    if not isinstance(options or {}, dict):
        raise AssayError(f"{where}: expected keys and values, found {options!r}")
    only(options or {}, LAYERS[kind], where)
    if needed and needed not in (options or {}):
        raise AssayError(f"{where}: there is no {needed}; expected the key {needed!r}")
    return Asked(kind, options or {}, where)


def loss(value: Any, where: str) -> tuple[str, Any]:
    """A loss by its name, or its name with what it needs."""
    if isinstance(value, dict) and len(value) != 1:
        raise AssayError(f"{where}: expected one loss, found {enumerated(list(map(str, value))) or 'none'}")
    name, given = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else (value, None)
    if name not in LOSSES:
        raise AssayError(f"{where}: unknown loss {str(name)!r}; {nearest(name, LOSSES)}")
    if (name in ("mean", "sum")) != (given is None):
        needs = {
            "cross_entropy": "the true class, from 0, as cross_entropy: 2",
            "gradient": "numbers, as gradient: [[1, 0]]",
        }
        raise AssayError(f"{where}: expected {needs.get(name, f'{name} alone')}, found {value!r}")
    return name, given
