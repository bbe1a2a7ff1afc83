"""The page of a probe: the layers' curves, how to read them, every number."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from assay.report.figures import Figure
from assay.report.section import Grid, Part, Section, Sentences
from assay.report.sections.layers import OF_CLASSES, OF_VALUES, WORDS
from assay.report.tables import Cell, Column, Table, skipped_table
from assay.results.formats import fixed, in_title
from assay.separation import reading
from assay.tools.page import Page, reproduced, write_sections
from assay.tools.probe_charts import over_layers

if TYPE_CHECKING:
    from assay.separation import Layers


def write_probe(found: "Layers", subject: str, facts: str, folder: Path, command: str = "") -> Path:
    """Write the page of the layers of ``subject`` into ``folder``; ``facts`` says what was measured on which images."""
    table = found.table
    splits = table["split"].unique(maintain_order=True).to_list()
    shown = "test" if "test" in splits else splits[-1] if splits else "test"
    index = table["index"][0] if len(table) else "separation"
    sections = [Section("layers", "Layers", OF_VALUES if index == "smoothness" else OF_CLASSES, parts(found, splits))]
    noted = [f"{layer}, not measured: {reason}" for layer, reason in found.skipped] + list(found.notes)
    aside: list[Part] = [Sentences(noted)] if noted else []
    aside += [skipped_table(found.left_out)] if found.left_out else []
    if aside:
        sections.append(Section("noted", "To note", "", aside))
    if command:
        sections.append(Section("reproduce", "Reproduce", "", reproduced(command)))
    title = f"Where in {subject} {'do neighbours agree' if index == 'smoothness' else 'do the classes come apart'}?"
    return write_sections(Page("probe", title, reading(table, index, shown), facts, sections), folder)


def parts(found: "Layers", splits: list[str]) -> list[Part]:
    """The curves, what each split says in words, and the table."""
    if found.table.is_empty():
        return []
    index = found.table["index"][0]
    said = [reading(found.table, index, split) for split in splits]
    return [Grid(list(curves(found.table))), Sentences(said), layer_table(found.table)]


def curves(table: pl.DataFrame) -> Iterator[Figure]:
    """A figure an index, and order where it has one."""
    layers = table.sort("depth")["layer"].unique(maintain_order=True).to_list()
    for index, order in table.select("index", "order").unique(maintain_order=True).iter_rows():
        frame = table.filter((pl.col("index") == index) & pl.col("order").eq_missing(pl.lit(order, pl.Int64)))
        named = f"{WORDS[index]}{f', k = {order}' if order else ''}"
        yield Figure(
            f"layers-{index}{f'-{order}' if order else ''}",
            in_title(named),
            "Bars: 95 % intervals over images.",
            f"{named} of {len(layers)} layers; the numbers are in the table.",
            over_layers(frame.sort("depth"), layers, named),
            frame,
            wide=len(layers) > 10,
        )


def layer_table(table: pl.DataFrame) -> Table:
    """A row a layer, a column for each index and split, with its interval."""
    keys = table.select("index", "order", "split").unique(maintain_order=True).rows()
    headings = [f"{WORDS[index]}{f', k = {order}' if order else ''}, {split}" for index, order, split in keys]
    best = {
        key: group.sort("value", descending=True)["layer"][0]
        for key, group in table.group_by("index", "order", "split", maintain_order=True)
    }
    rows = []
    for (layer, width), own in table.sort("depth").group_by("layer", "width", maintain_order=True):
        values = {(row["index"], row["order"], row["split"]): row for row in own.iter_rows(named=True)}
        cells = [Cell(str(layer), is_name=True), Cell(f"{width:,}")]
        for key in keys:
            row = values.get(key)
            text = f"{fixed(row['value'], 3)} ({fixed(row['low'], 3)} to {fixed(row['high'], 3)})" if row else "–"
            cells.append(Cell(text, "best" if best.get(key) == layer else ""))
        rows.append(cells)
    columns = [Column("layer", "left"), Column("width"), *map(Column, headings)]
    caption = "With 95 % intervals; the highest of each column is marked."
    return Table("layers", caption, columns, rows, table)
