"""Tables: what the page shows as text, what the CSV holds as numbers, and the same rows in LaTeX."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from assay.language.speech import say

Mark = Literal["", "best", "better", "worse"]


@dataclass(frozen=True)
class Cell:
    """One entry as it is read; ``mark`` lifts the best of a column, ``is_name`` is somebody's own text."""

    text: str
    mark: Mark = ""
    is_name: bool = False
    hint: str = ""
    """A word beside a name, set small: ``base``."""
    value: int | float | None = None
    """What a reader sorts by; None where there is none."""


@dataclass(frozen=True)
class Column:
    """A heading; numbers are set right, names left."""

    heading: str
    align: Literal["left", "right"] = "right"


@dataclass(frozen=True)
class Table:
    """A table of the page and the data behind it."""

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    data: pl.DataFrame
    fixed: bool = True
    """As wide as its numbers; otherwise as the page, and text is broken into lines."""
    is_of_variants: bool = False
    """A row a variant: on the page it can be sorted and filtered, and variants picked out."""


def skipped_table(skipped: Sequence[tuple[str, str]]) -> Table:
    """The (name, reason) of images that could not be read."""
    columns = [Column(say("image"), "left"), Column(say("reason"), "left")]
    lines = [[Cell(name, is_name=True), Cell(why, is_name=True)] for name, why in skipped]
    frame = pl.DataFrame(list(skipped), schema={"image": pl.String, "reason": pl.String}, orient="row")
    caption = say("Images that could not be read and were left out.")
    return Table("skipped", caption, columns, lines, frame, fixed=False)


def csv(frame: pl.DataFrame) -> str:
    """The frame as CSV, full precision; what a spreadsheet would take for a formula gets an apostrophe in front.

    Names of classes and images come with data sets that other people made, and a cell such as ``=HYPERLINK(…)`` runs
    when the file is opened. Text that is a number, ``-1``, stays as it is.
    """
    safe = [
        pl.when(pl.col(name).str.contains(r"^[=+\-@\t\r]") & pl.col(name).cast(pl.Float64, strict=False).is_null())
        .then(pl.lit("'") + pl.col(name))
        .otherwise(pl.col(name))
        .alias(name)
        for name, kind in frame.schema.items()
        if kind == pl.String
    ]
    return frame.with_columns(safe).write_csv()


LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": r"$-$",
    "±": r"$\pm$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\u202f": r"\,",
    "–": "--",
}


def latex_text(text: str) -> str:
    """Any text as LaTeX that typesets it: specials escaped, line breaks made blanks, other scripts left alone."""
    return "".join(LATEX.get(c, " " if ord(c) < 32 or ord(c) == 127 else c) for c in text)


def latex(table: Table) -> str:
    """A ``table`` with its caption, label and a ``tabular`` for the booktabs package, its best entries bold."""
    caption = latex_text(table.caption.replace("● the", "Bold: the"))
    spec = "".join("l" if column.align == "left" else "r" for column in table.columns)
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{spec}}}",
        r"\toprule",
        _row([latex_text(column.heading) for column in table.columns]),
        r"\midrule",
        *(_row([_latex_cell(cell) for cell in row]) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_cell(cell: Cell) -> str:
    text = latex_text(f"{cell.text} ({cell.hint})" if cell.hint else cell.text)
    return rf"\textbf{{{text}}}" if cell.mark == "best" else text


def _row(cells: list[str]) -> str:
    """A row's cells; ``{}`` keeps LaTeX from reading a leading ``[`` or ``*`` as an argument of the row before."""
    guard = "{}" if cells and cells[0].lstrip()[:1] in ("[", "*") else ""
    return guard + " & ".join(cells) + r" \\"
