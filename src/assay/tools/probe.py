"""The layers of a finished run, or of a network off the shelf, measured without training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from assay.errors import AssayError
from assay.recipe import Data, Recipe, SeparationMeasure
from assay.recipe.validation import validate
from assay.runs.display import unread

if TYPE_CHECKING:
    from assay.data import ImageData
    from assay.recipe.data import Layout
    from assay.separation import Layers

Progress = Callable[[int, int], None]
IMAGES = 1000.0
"""Of each split, unless asked otherwise, for a network without a run."""


def probe(
    run: str | Path,
    layers: str | Sequence[str] = "blocks",
    splits: Sequence[str] = ("train", "test"),
    images: int | float = 1.0,
    root: str | Path | None = None,
    measuring: Progress | None = None,
) -> "Layers":
    """SI and CSI of the layers of a finished run on its own splits, without augmentation; of regression SmI.

    Arguments are those of the measure ``separation``; ``root`` is the data root, and ``measuring`` is called with
    (layers done, layers to do). Raises AssayError for a folder without a finished run, a pattern that matches no layer,
    or data that are no longer those of the run.
    """
    from assay.evaluate.separation import measured_layers
    from assay.runs.data import load_data_of
    from assay.system.machine import device_here
    from assay.tools.predict import load_run

    options = chosen_options(layers, splits, images)
    recipe, about, model = load_run(Path(run))
    device = device_here(recipe.train.device)
    data = load_data_of(Path(run), recipe, about, root)
    options = suited(options, data)
    return measured_layers(model.to(device), data, recipe.seed, options, device, measuring)


def probe_model(
    model: str | Mapping[str, Any],
    source: str | Path,
    layers: str | Sequence[str] = "blocks",
    splits: Sequence[str] = ("train", "test"),
    images: int | float = IMAGES,
    size: int | Sequence[int] | None = None,
    root: str | Path | None = None,
    decoding: Progress | None = None,
    measuring: Progress | None = None,
    layout: "Layout | None" = None,
) -> "Layers":
    """SI and CSI of the layers of a network that no run trained, on the images of ``source``.

    ``model`` is what a recipe says of it: a name such as ``timm/resnet18``, or ``{"name": …, "pretrained": True}``.
    ``source``, ``size`` and ``layout`` are those of a recipe's data. The images are split as a run with seed 0 would,
    those that the source has for validation are no training images, and of a source without them a tenth is cut where
    that split is asked for; only those that are measured are decoded, and what is found over images, such as the
    normalisation of a network of assay's own, is so over them. Those that cannot be read are in ``left_out``.
    ``decoding`` is called with (images done, images to do). Raises AssayError for an unknown name, weights that do not
    fit, a source that is not there, images that do not fit, or a pattern that matches no layer.
    """
    from assay.data import data_root, load_chosen
    from assay.data.loading import validates
    from assay.evaluate.separation import chosen, measured_layers
    from assay.models.catalogue import complete, try_out
    from assay.models.weights import initial_network
    from assay.system.machine import resolve_device

    options = chosen_options(layers, splits, images)
    stated = {"source": str(source), "layout": layout, "size": size, "on_bad_image": "skip"}
    is_own = validates(validate(Data, stated, "probe"), data_root(root))
    share = None if is_own else 0.1 if "validation" in splits else 0
    values = {
        "data": stated | {"validation": share},
        "model": {"name": model} if isinstance(model, str) else dict(model),
        "train": {"keep": "last"},
    }
    recipe = complete(validate(Recipe, values, "probe"))

    def choose(whole: "ImageData") -> "ImageData":
        return chosen(whole, recipe.seed, suited(options, whole))

    data = load_chosen(recipe.data, recipe.seed, data_root(root), choose, decoding)
    every = suited(options, data).model_copy(update={"images": 1.0})
    try_out(recipe.model, data.shape, len(data.classes))
    network, _ = initial_network(recipe, data.shape, len(data.classes), data.classes)
    device = resolve_device(recipe.train.device)
    found = measured_layers(network.to(device), data, recipe.seed, every, device, measuring)
    return replace(found, left_out=data.images.skipped)


def chosen_options(layers: str | Sequence[str], splits: Sequence[str], images: int | float) -> SeparationMeasure:
    """The measure's options; a single pattern may stand alone. Raises AssayError for what they cannot be."""
    named = layers if layers in ("blocks", "leaves") else [layers] if isinstance(layers, str) else list(layers)
    return validate(SeparationMeasure, {"layers": named, "splits": list(splits), "images": images}, "probe")


def suited(options: SeparationMeasure, data: "ImageData") -> SeparationMeasure:
    """The options with an index that suits what is true of the images. AssayError where none does."""
    from assay.data.targets import Labels, Values

    if isinstance(data.images.targets, Values):
        return options.of_values
    if not isinstance(data.images.targets, Labels):
        there = f"the images of {data.images.source} have {data.images.targets.kind}"
        raise AssayError(f"probe needs one label or numbers an image, and {there}")
    return options


def probe_table(found: "Layers") -> RenderableType:
    """The layers for the terminal: a row each, a column for each index and split, and how to read them."""
    from assay.separation import reading

    columns = found.table.select("split", "index").unique(maintain_order=True).rows()
    table = Table("layer", "width", *(f"{index} {split}" for split, index in columns), box=None, pad_edge=False)
    for (layer, width), rows in found.table.group_by("layer", "width", maintain_order=True):
        values = {(row["split"], row["index"]): row for row in rows.iter_rows(named=True)}
        cells = [f"{values[c]['value']:.4f}" if c in values else "" for c in columns]
        table.add_row(Text(str(layer)), f"{width:,}", *cells)
    skipped = [Text(f"{layer}, not measured: {reason}") for layer, reason in found.skipped]
    skipped += [Text(note) for note in found.notes]
    index = "smoothness" if "smoothness" in found.table["index"] else "separation"
    splits = found.table["split"].unique(maintain_order=True)
    said = [Text(reading(found.table, index, split)) for split in splits]
    return Group(table, *skipped, *unread(found.left_out), *said)
