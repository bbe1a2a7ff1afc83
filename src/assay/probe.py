"""The layers of a finished run, measured afterwards."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from assay.recipe import SeparationMeasure
from assay.validation import validate

if TYPE_CHECKING:
    from assay.separation import Layers


def probe(
    run: str | Path,
    layers: str | Sequence[str] = "blocks",
    splits: Sequence[str] = ("train", "test"),
    images: float = 1.0,
    root: str | Path | None = None,
) -> "Layers":
    """SI and CSI of the layers of a finished run on its own splits, without augmentation.

    Arguments are those of the measure ``separation``; ``root`` is the data root. Raises AssayError for a folder without
    a finished run, a pattern that matches no layer, or data that are no longer there.
    """
    from assay.data import data_root, load
    from assay.evaluate.separation import measured_layers
    from assay.machine import resolve_device
    from assay.prediction import load_run

    named = layers if layers in ("blocks", "leaves") else [layers] if isinstance(layers, str) else list(layers)
    options = validate(SeparationMeasure, {"layers": named, "splits": list(splits), "images": images}, "probe")
    recipe, _, model = load_run(Path(run))
    device = resolve_device(recipe.train.device)
    data = load(recipe.data, recipe.seed, data_root(root))
    return measured_layers(model.to(device), data, recipe.seed, options, device)


def probe_table(found: "Layers") -> RenderableType:
    """The layers for the terminal: a row each, a column for each index and split, and how to read them."""
    from assay.separation import reading

    columns = found.table.select("split", "index").unique(maintain_order=True).rows()
    table = Table("layer", "width", *(f"{index} {split}" for split, index in columns), box=None, pad_edge=False)
    for (layer, width), rows in found.table.group_by("layer", "width", maintain_order=True):
        values = {(row["split"], row["index"]): row for row in rows.iter_rows(named=True)}
        cells = [f"{values[c]['value']:.4f}" if c in values else "" for c in columns]
        table.add_row(Text(str(layer)), f"{width:,}", *cells)
    skipped = [Text(f"{layer} was not measured: {reason}") for layer, reason in found.skipped]
    splits = found.table["split"].unique(maintain_order=True)
    return Group(table, *skipped, *(Text(reading(found.table, split=split)) for split in splits))
