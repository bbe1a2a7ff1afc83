"""The page of a tool, made of sections as a report is: ``index.html``, which opens anywhere, and its numbers beside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.report.document import document, table_files, write_page
from assay.report.figures import Figure
from assay.report.section import Command, Section, every
from assay.report.still import Still
from assay.report.tables import Table, csv


@dataclass(frozen=True)
class Page:
    """What a tool found, for a person."""

    tool: str
    """The command's name."""
    title: str
    verdict: str
    facts: str
    """One line, small."""
    sections: Sequence[Section]


def write_sections(page: Page, folder: Path, beside: Mapping[str, str] | None = None) -> Path:
    """Write ``index.html`` with its tables and figures, and the texts ``beside`` it by name; returns its path."""
    figures = list(every(Figure, page.sections))
    files = table_files(every(Table, page.sections)) | dict(beside or {})
    files |= {f"figures/{figure.name}.csv": csv(figure.frame) for figure in figures}
    for drawn in every(Still, page.sections):
        files |= drawn.files
    text, written = document("tools/page.html.j2", figures, files, page=page)
    return write_page(folder, text, written)


def named(run: Path) -> str:
    """``dropout=0.2, seed 1``: a run by its folder."""
    here = run.resolve()
    return f"{here.parent.name}, {here.name.replace('-', ' ')}"


def reproduced(command: str) -> list[Command]:
    """The command that wrote the page, where there was one."""
    return [Command("command", command)] if command else []
