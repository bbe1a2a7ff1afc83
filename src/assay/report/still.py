"""Charts that are drawn once, as SVG in the page itself: no script comes with them, so that a page stays small."""

import re
from dataclasses import dataclass

from assay.report import drawing, style
from assay.report.bundle import VEGA_LITE
from assay.report.document import HALF, WIDE, Files, specification
from assay.report.figures import Figure
from assay.report.tables import csv

NARROW = HALF - 140
"""Width of the plot on a telephone, in pixels."""


@dataclass(frozen=True)
class Still:
    """A figure and its drawings, whose colours are the page's; without these where they could not be made."""

    figure: Figure
    wide: str
    narrow: str
    files: Files
    trouble: str = ""
    """Why there are no drawings."""


def still(figure: Figure) -> Still:
    """The figure for a wide page and for a narrow one; as SVG, PDF and CSV beside it."""
    name, spec = figure.name, specification(figure)
    widths = {"wide": WIDE, "narrow": NARROW}
    specs = {of: {"width": width, **spec} for of, width in widths.items()}
    drawn = drawing.draw(specs, style.config(style.PAPER_FONT), VEGA_LITE)
    files: Files = {f"figures/{name}.csv": csv(figure.frame)}
    if "wide" in drawn.pdf:
        files |= {f"figures/{name}.svg": drawn.svg["wide"], f"figures/{name}.pdf": drawn.pdf["wide"]}
    inline = {of: inlined(text, f"{name}-{of}") for of, text in drawn.svg.items()}
    return Still(figure, inline.get("wide", ""), inline.get("narrow", ""), files, drawn.trouble)


def inlined(svg: str, prefix: str) -> str:
    """A drawing as a part of a page: the colours of the palette as CSS variables, the names of clip paths its own."""
    colored = re.sub(r"(?<=\")#[0-9a-f]{6}(?=\")", lambda found: style.variable(found[0]), svg)
    return re.sub(r"(?<=id=\"|rl\(#)(?=clip\d)", f"{prefix}-", colored)
