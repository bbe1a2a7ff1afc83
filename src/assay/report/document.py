"""What every page of assay is made of: one file with its styles, scripts, charts and images, which opens anywhere."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from assay.report import glossary, style
from assay.report.figures import Figure
from assay.report.tables import Table, csv, latex
from assay.system.files import write

AUTOSIZE = {"type": "fit-x", "contains": "padding"}
WIDE, NARROW = 680, 440
"""Widths of the plots in the SVG files, in pixels."""
VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def document(template: str, figures: Sequence[Figure], /, **values: Any) -> tuple[str, dict[str, str]]:
    """A page from a template that extends ``report/base.html.j2`` and uses these values; each figure's SVG by name."""
    specs = {figure.name: specification(figure) for figure in figures}
    svgs = {figure.name: svg(specs[figure.name], figure.wide) for figure in figures if figure.is_file}
    config = style.with_css_colors(style.config(style.PAGE_FONT))
    charts = {"specs": {name: for_page(spec) for name, spec in specs.items()}, "config": config}
    scripts = [
        *([javascript_bundle()] if figures else []),
        *map(_asset, ("metric.js", "variants.js", "terms.js", "page.js")),
    ]
    palette = f":root {{ --sans: {style.PAGE_FONT}; {style.css_variables(style.LIGHT)} }}\n"
    page = (
        _templates()
        .get_template(template)
        .render(
            css=Markup(palette + _asset("page.css")),
            dark=Markup(style.css_variables(style.DARK)),
            light=Markup(style.css_variables(style.LIGHT)),
            glossary=glossary.TERMS,
            charts=Markup(json_for_script(charts)),
            scripts=[Markup(script) for script in scripts],
            policy=content_policy(scripts),
            images={name: data_address(drawn.encode(), "svg+xml") for name, drawn in svgs.items()},
            **values,
        )
    )
    return page, svgs


def table_files(tables: Iterable[Table]) -> dict[str, str]:
    """Path beside the page → content, of each table as CSV and as LaTeX."""
    files: dict[str, str] = {}
    for table in tables:
        files |= {f"tables/{table.name}.csv": csv(table.data), f"tables/{table.name}.tex": latex(table)}
    return files


def figure_files(name: str, drawn: str | None, frame: pl.DataFrame) -> dict[str, str]:
    """Path beside the page → content, of a figure as SVG, where it is one, and the numbers behind it."""
    return ({f"figures/{name}.svg": drawn} if drawn else {}) | {f"figures/{name}.csv": csv(frame)}


def write_page(folder: Path, page: str, beside: dict[str, str]) -> Path:
    """Write ``index.html`` and what lies beside it; the tables and figures of an earlier state are removed."""
    for name, text in beside.items():
        write(folder / name, text)
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
    return spec


def for_page(spec: dict[str, Any]) -> dict[str, Any]:
    """As wide as its place, in CSS variables for colours."""
    return style.with_css_colors(_rounded({**spec, "width": "container", "autosize": AUTOSIZE}))  # type: ignore[no-any-return]


def svg(spec: dict[str, Any], wide: bool) -> str:
    """As an SVG of its own, in the light palette; vl-convert counts clip paths on and on, here each file from zero."""
    sized = {**spec, "width": WIDE if wide else NARROW}
    drawn: str = vl_convert.vegalite_to_svg(sized, vl_version=VEGA_LITE, config=style.config(style.PAPER_FONT))
    numbers = {old: str(new) for new, old in enumerate(dict.fromkeys(re.findall(r'<clipPath id="clip(\d+)"', drawn)))}
    renumbered: str = re.sub(
        r'(<clipPath id="clip|clip-path="url\(#clip)(\d+)', lambda m: m[1] + numbers.get(m[2], m[2]), drawn
    )
    return renumbered


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
def javascript_bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, from the installed vl-convert; sets ``window.vegaEmbed``."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE)
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


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
    }
    return found


def _asset(name: str) -> str:
    return resources.files("assay.report").joinpath(name).read_text(encoding="utf-8")


def data_address(content: bytes, kind: str = "png") -> str:
    """An image as the address of an ``img`` element that holds it."""
    return f"data:image/{kind};base64," + base64.b64encode(content).decode()


def _rounded(value: Any) -> Any:
    """Floats to seven digits, which no screen can show more of, for a smaller page."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list) else value
