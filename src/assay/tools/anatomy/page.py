"""Writes a network taken apart: ``index.html``, which opens anywhere without a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.language.speech import SOURCE, Language, say, speaking
from assay.models.layer_table import Layer
from assay.models.layer_table.window import times
from assay.report.document import Files, document, table_files, write_page
from assay.results.formats import fixed
from assay.tools.anatomy.anatomy import Anatomy
from assay.tools.anatomy.drawing import HEIGHT, WIDTH, draw
from assay.tools.anatomy.table import page_table


@dataclass(frozen=True)
class Bar:
    """A share as a bar with its number."""

    share: float
    """From 0 to 1."""
    text: str


@dataclass(frozen=True)
class Line:
    """Where one layer stands."""

    name: str
    bars: Sequence[Bar | None]


def write_anatomy(found: Anatomy, folder: Path, command: str = "", language: Language = SOURCE) -> Path:
    """Write ``index.html`` in a language and the table, in English, into ``folder``; returns the page's path."""
    files = table_files([page_table(found)])
    with speaking(language):
        text, beside = _page(found, files, command)
    return write_page(folder, text, beside)


def _page(found: Anatomy, files: Files, command: str) -> tuple[str, Files]:
    return document(
        "tools/anatomy/page.html.j2",
        [],
        files,
        found=found,
        shape=times(found.shape),
        table=page_table(found),
        headings=[say("parameters"), say("multiply-accumulates"), say("bytes out"), *found.separation],
        lines=[
            line(found, layer) for layer in found.layers if layer.parameters or layer.macs or is_measured(found, layer)
        ],
        drawing=draw(found.graph) if found.graph else None,
        box=(WIDTH, HEIGHT),
        cut=cut,
        command=command,
    )


def is_measured(found: Anatomy, layer: Layer) -> bool:
    """Whether its separation is known."""
    return any(layer.name in values for values in found.separation.values())


def line(found: Anatomy, layer: Layer) -> Line:
    """The layer's share of each cost, and its separation."""
    costs = (
        (layer.parameters, found.summary.parameters),
        (layer.macs, found.summary.macs),
        (layer.activation_bytes, found.summary.activation_bytes),
    )
    shares = [
        Bar(value / total, f"{value / total:.1%}".replace("%", " %")) if total else None for value, total in costs
    ]
    kept = [values.get(layer.name) for values in found.separation.values()]
    return Line(layer.name, [*shares, *(None if each is None else Bar(each, fixed(each, 3)) for each in kept)])


def cut(text: str, most: int = 30) -> str:
    """The end of a long name, which tells it from others."""
    return text if len(text) <= most else "…" + text[1 - most :]
