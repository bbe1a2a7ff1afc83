"""The table of layers: for the terminal, for the page and its CSV."""

from typing import Any

import polars as pl
from rich.console import Group
from rich.table import Table as Terminal

from assay.language.speech import later, say
from assay.models.layer_table import Layer
from assay.models.layer_table.window import times
from assay.report.tables import Cell, Column, Table
from assay.results.formats import fixed
from assay.tools.anatomy.anatomy import Anatomy

LEFT = (
    later("layer"), later("kind"), later("input"), later("output"), later("window"), later("receptive field"),
    later("parameters"), later("multiply-accumulates"),
)  # fmt: skip
OPERATIONS, BYTES = later("operations"), later("bytes out")
CAPTION = later(
    "Parameters and multiply-accumulates with what they are counted by: outputs · kernel · inputs of a group, and a "
    "bias. Operations are the others: additions, comparisons, functions; a convolution's own are its biases. Receptive "
    "field: how much of the image one unit depends on; all is the whole, however large. Floating-point operations are "
    "2 · multiply-accumulates + operations."
)


def headings(found: Anatomy) -> list[str]:
    """Of the columns."""
    own = [f"{index}, {found.split}" for index in found.separation]
    left = [heading for heading in LEFT if heading != "receptive field" or found.fields]
    return [*left, *own, OPERATIONS, BYTES]


def row(found: Anatomy, layer: Layer) -> list[str]:
    """A layer as it is read."""
    fields = [str(found.fields.get(layer.name, ""))] if found.fields else []
    return [
        layer.name,
        layer.kind,
        times(layer.input_shape),
        times(layer.output_shape),
        str(layer.window or ""),
        *fields,
        counted(layer.parameters_formula, layer.parameters),
        layer.counted(counted(layer.macs_formula, layer.macs)),
        *(fixed(values[layer.name], 3) if layer.name in values else "" for values in found.separation.values()),
        f"{layer.operations:,}",
        f"{layer.activation_bytes:,}",
    ]


def counted(formula: str, value: int) -> str:
    """``16·(3·7+1) = 352``."""
    return f"{formula} = {value:,}" if formula and formula != f"{value:,}" else f"{value:,}"


def totals(found: Anatomy) -> list[str]:
    """The last row."""
    made = found.summary
    said = {
        "layer": say("total"),
        "parameters": f"{made.parameters:,}",
        "multiply-accumulates": f"{made.macs:,}",
        OPERATIONS: f"{made.operations:,}",
        BYTES: f"{made.activation_bytes:,}",
    }
    return [said.get(heading, "") for heading in headings(found)]


def terminal(found: Anatomy) -> Group:
    """For the terminal."""
    table = Terminal(box=None, pad_edge=False, header_style="")
    for heading in headings(found):
        table.add_column(heading, justify="left" if heading in LEFT[:6] else "right")
    for layer in found.layers:
        table.add_row(*row(found, layer))
    table.add_section()
    table.add_row(*totals(found))
    return Group(table, *filter(None, [found.summary.facts, found.summary.uncounted, found.trouble]))


def page_table(found: Anatomy) -> Table:
    """For the page, with the numbers behind it."""
    columns = [Column(_told(heading, found), "left" if heading in LEFT else "right") for heading in headings(found)]
    lines = [*(row(found, layer) for layer in found.layers), totals(found)]
    rows = [[Cell(text, is_name=n < 2) for n, text in enumerate(line)] for line in lines]
    numbers = pl.DataFrame([_flat(record(found, each)) for each in found.layers])
    return Table("layers", say(CAPTION), columns, rows, numbers)


def _told(heading: str, found: Anatomy) -> str:
    """A heading in the language of the page; the indices of separation have no other name."""
    return heading if any(heading.startswith(index) for index in found.separation) else say(heading)


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """Lists as the text of one cell."""
    return {key: "×".join(map(str, value)) if isinstance(value, list) else value for key, value in values.items()}


def record(found: Anatomy, layer: Layer) -> dict[str, Any]:
    """A layer for programs; shapes as lists of numbers."""
    window = layer.window
    field = found.fields.get(layer.name)
    return {
        "layer": layer.name,
        "kind": layer.kind,
        "input": list(layer.input_shape),
        "output": list(layer.output_shape),
        "kernel": list(window.kernel) if window else None,
        "stride": list(window.stride) if window else None,
        "padding": list(window.padding) if window else None,
        "dilation": list(window.dilation) if window else None,
        "groups": window.groups if window else None,
        "parameters": layer.parameters,
        "parameters_formula": layer.parameters_formula,
        "macs": layer.macs,
        "macs_formula": layer.macs_formula,
        "operations": layer.operations,
        "activation_bytes": layer.activation_bytes,
        "uncounted": list(layer.uncounted),
        "field": list(field.sides) if field else None,
        "field_is_whole": field.is_whole if field else None,
        **{index: values.get(layer.name) for index, values in found.separation.items()},
    }
