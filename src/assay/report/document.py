"""What every page of assay is made of: one file with its styles, scripts, charts and images, which opens anywhere."""

import base64
import gzip
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import altair as alt
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from assay.errors import AssayError
from assay.language.script import digits, direction
from assay.language.speech import SOURCE, plural, say, spoken
from assay.report import drawing, glossary, style
from assay.report.bundle import VEGA_LITE, javascript_bundle
from assay.report.figures import Figure
from assay.report.labels import NARROW, with_short_names
from assay.report.tables import Table, csv, latex
from assay.system.files import write

AUTOSIZE = {"type": "fit-x", "contains": "padding"}
WIDE, HALF = 680, 440
"""Widths of the plots in the SVG files, in pixels."""
WIDE_ROOM, HALF_ROOM = 40, 24
"""Letters of a name beside these plots."""
SCRIPTS = ("files.js", "print.js", "metric.js", "variants.js", "terms.js", "boxes.js", "page.js")
"""In this order: the last tells the others of every chart that it has drawn."""

IN_SCRIPTS = re.compile(r"say\(([\"`])(.*?)\1\)")
IN_TEXTS = re.compile(r"\$\{(.*?)\}")

Files = dict[str, str | bytes]
"""Path beside the page → content."""


def document(
    template: str,
    figures: Sequence[Figure],
    beside: Files,
    /,
    script: str = "",
    paper: Sequence[Figure] = (),
    **values: Any,
) -> tuple[str, Files]:
    """A page from a template that extends ``report/base.html.j2`` and uses these values; and what lies beside it.

    To the files of ``beside`` come each figure's SVG and PDF. The page holds all of them itself but the SVGs, which
    are made in the browser from the charts as they then are, and gives them to those who have the page alone.
    ``script`` is what this page alone runs, last; ``paper`` are the figures as they are drawn for the files, where they
    are not those of the page.
    """
    specs = {figure.name: specification(figure) for figure in figures}
    sized = {
        figure.name: {"width": WIDE if figure.wide else HALF, **specification(figure)}
        for figure in paper or figures
        if figure.is_file
    }
    drawn = drawing.draw(sized, style.config(style.PAPER_FONT), VEGA_LITE)
    own = [*map(_asset, SCRIPTS), *filter(None, [script])]
    scripts = [*([javascript_bundle()] if figures else []), *map(_told, own)]
    if drawn.trouble:
        print(f"assay: {drawn.trouble}", file=sys.stderr)
    kept = beside | {f"figures/{name}.pdf": content for name, content in drawn.pdf.items()}
    palette = f":root {{ --sans: {style.PAGE_FONT}; {style.css_variables(style.LIGHT)} }}\n"
    page = (
        _templates()
        .get_template(template)
        .render(
            css=Markup(palette + _asset("page.css")),
            dark=Markup(style.css_variables(style.DARK)),
            light=Markup(style.css_variables(style.LIGHT)),
            glossary=glossary.TERMS,
            charts=Markup(json_for_script(charts_for_page(specs))),
            held=Markup(json_for_script(files_for_page(kept))),
            scripts=[Markup(script) for script in scripts],
            policy=content_policy(scripts),
            images={name: f"data:image/svg+xml,{quote(text)}" for name, text in drawn.svg.items()},
            trouble=drawn.trouble,
            **values,
        )
    )
    return page, kept | {f"figures/{name}.svg": text for name, text in drawn.svg.items()}


def charts_for_page(specs: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """What the page's scripts draw."""
    config = style.with_css_colors(style.config(style.PAGE_FONT))
    return {"specs": {name: for_page(spec) for name, spec in specs.items()}, "config": config}


def files_for_page(files: Files) -> dict[str, Any]:
    """What the page holds, compressed and in letters, and the looks of the figures that it makes itself."""
    raw = {path: content.encode() if isinstance(content, str) else content for path, content in files.items()}
    held = {path: base64.b64encode(gzip.compress(content, mtime=0)).decode() for path, content in raw.items()}
    paper = {"config": style.config(style.PAPER_FONT), "colors": style.LIGHT, "wide": WIDE, "half": HALF}
    return {"files": held, "paper": paper}


def table_files(tables: Iterable[Table]) -> Files:
    """Each table as CSV and as LaTeX."""
    files: Files = {}
    for table in tables:
        files |= {f"tables/{table.name}.csv": csv(table.data), f"tables/{table.name}.tex": latex(table)}
    return files


def write_page(folder: Path, page: str, beside: Files) -> Path:
    """Write ``index.html`` and what lies beside it; the tables and figures of an earlier state are removed.

    Raises AssayError where ``folder`` cannot be made, as where it, or what it should lie in, is a file.
    """
    if file := next((path for path in (folder, *folder.parents) if path.is_file()), None):
        raise AssayError(f"{file} is a file, expected a folder for the page")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AssayError(f"{folder} cannot be made, expected a folder for the page: {error.strerror}") from None
    for name, content in beside.items():
        write(folder / name, content)
    write(folder / "index.html", page)
    written = {folder / name for name in beside}
    for path in [*folder.glob("tables/[!.]*"), *folder.glob("figures/[!.]*")]:
        if path not in written:
            path.unlink(missing_ok=True)
    return folder / "index.html"


def specification(figure: Figure) -> dict[str, Any]:
    """The chart as Vega-Lite, without size and theme."""
    with alt.theme.enable("none"), alt.data_transformers.enable("default", max_rows=None):
        spec: dict[str, Any] = figure.chart.properties(description=figure.alt).to_dict(validate=False)
    return with_short_names(spec, WIDE_ROOM if figure.wide else HALF_ROOM)


def for_page(spec: dict[str, Any]) -> dict[str, Any]:
    """As wide as its place, unless it has a width of its own, in CSS variables for colours."""
    sized = spec if "width" in spec else {**spec, "width": "container", "autosize": AUTOSIZE}
    return style.with_css_colors(_rounded(sized))  # type: ignore[no-any-return]


def json_for_script(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def content_policy(scripts: list[str]) -> str:
    """The policy under which nothing is fetched and only these scripts run (Vega itself compiles expressions)."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-eval' {allowed}"


@cache
def _templates() -> Environment:
    found = Environment(
        loader=PackageLoader("assay", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "kind": lambda part: type(part).__name__,
        "variable": style.variable,
        "terms": glossary.with_terms,
        "digits": digits,
        "breakable": breakable,
    }
    found.globals |= {"say": say, "plural": plural, "spoken": spoken, "direction": direction}
    return found


def breakable(name: str) -> Markup:
    """A long name that lines may break behind what separates its parts, so that none begins with a lone bracket."""
    return Markup("<wbr>").join(re.split(r"(?<=[(,=_])(?=[^)\s])", name) if len(name) > NARROW else [name])


def _told(script: str) -> str:
    """A script with its texts in the language of the page: what is ``say("copied")`` in the file is ``"copied"``."""
    return IN_SCRIPTS.sub(lambda found: found[1] + _counted(say(found[2])) + found[1], script)


def _counted(text: str) -> str:
    """A script's text whose numbers are in the page's digits when it runs; strings among them stay as they are."""
    return text if spoken() == SOURCE else IN_TEXTS.sub(rf'${{(\1).toLocaleString("{spoken()}")}}', text)


def _asset(name: str) -> str:
    return resources.files("assay.report").joinpath(name).read_text(encoding="utf-8")


def data_address(png: bytes) -> str:
    """An image as the address of an ``img`` element that holds it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _rounded(value: Any) -> Any:
    """Floats to seven digits, which no screen can show more of, for a smaller page."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list) else value
