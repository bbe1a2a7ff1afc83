"""The network that is asked about, and all that its table and drawing show."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import nn

from assay import seeds
from assay.errors import AssayError, unknown
from assay.models.catalogue import build, inputs
from assay.models.layer_table import Layer, Summary, summary
from assay.models.layer_table.counting import tensors
from assay.models.layer_table.window import times, window
from assay.models.modes import evaluating, watched
from assay.models.tracing import Field, Graph, Untraceable, receptive_fields, trace
from assay.recipe import Model
from assay.recipe.overrides import parse, put
from assay.recipe.study import load_study
from assay.recipe.validation import validate
from assay.recipe.yaml_files import read_yaml
from assay.results.folders import read_table
from assay.tools.page import named
from assay.tools.predict import load_run

UNSEEN = ("Identity",)
"""Kinds of layers that do nothing."""
INDICES = {"separation": "SI", "center": "CSI"}


@dataclass(frozen=True)
class Anatomy:
    """A network taken apart."""

    title: str
    shape: tuple[int, ...]
    """Of an image: channels, then its dimensions."""
    summary: Summary
    fields: Mapping[str, Field]
    """Layer → receptive field; empty where the paths cannot be followed."""
    graph: Graph | None
    trouble: str
    """Why there are no fields and no drawing; empty where there are."""
    separation: Mapping[str, Mapping[str, float]]
    """SI and CSI → layer → value, of a run that measured them."""
    split: str
    """Of the images on which they were measured."""

    @property
    def layers(self) -> list[Layer]:
        """Those that do something."""
        return [layer for layer in self.summary.layers if layer.kind not in UNSEEN]


def anatomy(
    target: str,
    shape: str | None = None,
    changes: Sequence[str] = (),
    outputs: int | None = None,
    variant: str | None = None,
) -> Anatomy:
    """Take apart the network of a finished run, of a file with ``model:``, or one by name.

    ``shape`` is that of an image, ``3,32,32``; a run has its own, and most networks off the shelf. ``changes`` are
    ``model.key=value``; ``variant`` is one of a study's, whose base is meant without. Raises AssayError for a network
    that is not known, does not fit, or has no shape.
    """
    folder = Path(target)
    if folder.is_dir():
        if shape or changes or outputs or variant:
            raise AssayError(f"{target}: a run has its own network; leave out --shape, --set, --outputs and --variant")
        _, about, network = load_run(folder)
        indices, split = _separation(folder)
        return take_apart(network, tuple(about["shape"]), named(folder), indices, split)
    model = _model(target, changes, variant)
    sides = _shape(shape, model)
    many = outputs or (1000 if "/" in model.name else 10)
    try:
        with seeds.scoped(0, "trial"):
            network = build(model, sides, many)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise AssayError(f"model '{model.name}' does not fit images of {times(sides)}: {error}") from None
    title = model.name if target == model.name else folder.stem
    return take_apart(network, sides, f"{title}, {variant}" if variant else title)


def take_apart(
    network: nn.Module,
    shape: tuple[int, ...],
    title: str,
    separation: Mapping[str, Mapping[str, float]] | None = None,
    split: str = "",
) -> Anatomy:
    """The same of any network. Raises AssayError where it does not take an image of ``shape``."""
    try:
        found = summary(network, shape)
    except (RuntimeError, AssertionError, ValueError, IndexError, TypeError) as error:
        said = _refusing(network, shape) or str(error).splitlines()[0]
        raise AssayError(f"{title} does not take an image of {times(shape)}: {said}") from None
    graph, fields, trouble = None, {}, ""
    try:
        graph = trace(network, shape)
        fields = receptive_fields(network, shape, graph)
    except Untraceable as reason:
        graph, fields, trouble = None, {}, f"Without receptive fields and drawing: {reason}."
    if any(value.is_complex() for value in [*network.parameters(), *network.buffers()]):
        trouble = "Without receptive fields and drawing: it computes with complex numbers, each counted as one."
    return Anatomy(title, shape, found, fields, graph, trouble, separation or {}, split)


def _refusing(network: nn.Module, shape: tuple[int, ...]) -> str:
    """Which layer cannot take what comes in; empty where that goes wrong between layers."""
    inside: list[tuple[nn.Module, str]] = []
    with suppress(Exception), evaluating(network):

        def before(module: nn.Module, given: tuple[Any, ...]) -> None:
            inside.append((module, " and ".join(times(each.shape[1:]) for each in tensors(given))))

        def after(*_: Any) -> None:
            inside.pop()

        with watched(network.modules(), before, after):
            network(torch.zeros(1, *shape))
    if not inside or any(True for _ in inside[-1][0].children()):
        return ""
    module, given = inside[-1]
    name = next(name for name, each in network.named_modules() if each is module)
    about = ", ".join(filter(None, [type(module).__name__, str(window(module) or "")]))
    return f"its layer {name or about} ({about}) cannot take the {given} that come in"


def _model(target: str, changes: Sequence[str], variant: str | None = None) -> Model:
    """By name, or of a file with the key ``model``, of a study too."""
    tree: dict[str, Any] = {"model": {"name": target}}
    if target.endswith((".yaml", ".yml")):
        found = read_yaml(Path(target))
        tree = found.get("base", found) if isinstance(found, dict) else {}
        if "model" not in tree:
            raise AssayError(f"{target}: the key 'model' is missing")
        if variant:
            tree = {"model": _of_variant(target, variant)}
    elif variant:
        raise AssayError(f"--variant {variant}: {target} is no study file, expected one with variants")
    for change in changes:
        key, value = parse(change)
        if not key.startswith("model."):
            raise AssayError(f"--set {change}: expected a key of the model, such as model.norm=batch")
        tree = put(tree, key, value)
    model = tree["model"]
    return validate(Model, {"name": model} if isinstance(model, str) else model, target)


def _of_variant(study: str, variant: str) -> dict[str, Any]:
    """The values of its ``model``."""
    plan = load_study(study).plan
    if variant not in plan:
        raise AssayError(f"{study}: {unknown('variant', variant, plan)}")
    return plan[variant].recipe.model.model_dump()


def _shape(text: str | None, model: Model) -> tuple[int, ...]:
    if text is None:
        made_for = inputs(model)
        if made_for is None:
            raise AssayError(f"--shape is missing: that of an image for '{model.name}', such as 3,32,32")
        return (3, *made_for.size)
    parts = text.replace("×", ",").replace("x", ",").split(",")
    if not 1 <= len(parts) <= 4 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise AssayError(f"--shape: found {text!r}, expected channels and up to three sides, such as 3,32,32")
    return tuple(map(int, parts))


def _separation(run: Path) -> tuple[dict[str, dict[str, float]], str]:
    """Of the test images, else of the last split that was measured."""
    if not (run / "separation.parquet").is_file():
        return {}, ""
    table = read_table(run / "separation.parquet").filter(pl.col("value").is_not_null())
    splits = table["split"].unique(maintain_order=True).to_list()
    split = "test" if "test" in splits or not splits else splits[-1]
    rows = table.filter(pl.col("split") == split).select("index", "layer", "value").rows()
    return {
        short: {layer: value for index, layer, value in rows if index == name}
        for name, short in INDICES.items()
        if any(index == name for index, _, _ in rows)
    }, split
