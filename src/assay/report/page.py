"""Writes the report: ``index.html``, which opens anywhere without a network, and its tables and figures as files."""

import base64
import hashlib
import json
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from assay.files import write
from assay.report import classes, contents, figures, style
from assay.report.figures import Figure
from assay.report.formats import duration
from assay.report.subject import Subject
from assay.report.tables import Table, csv, latex
from assay.results import Results

AUTOSIZE = {"type": "fit-x", "contains": "padding"}
WIDE, NARROW = 680, 440
"""Widths of the plots in the SVG files, in pixels."""
VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def write_report(results: Results) -> Path:
    """Write ``<study>/report/`` and return the path of its ``index.html``.

    The page holds everything it shows: styles, scripts, data, images. Beside it ``tables/*.csv`` and ``*.tex``, and for
    each figure ``figures/*.svg`` and the numbers behind it as ``*.csv``.
    """
    subject, folder = Subject(results), results.folder / "report"
    drawn = {
        "effect": list(figures.effect(subject)),
        "levels": list(figures.levels(subject)),
        "learning": list(figures.learning(subject)),
        "per_class": list(classes.per_class(subject)),
        "confusion": list(classes.confusion(subject)),
        "cost": [*figures.time(subject), *figures.tradeoff(subject)],
    }
    every = [figure for group in drawn.values() for figure in group]
    specs = {figure.name: specification(figure) for figure in every}
    svgs = {figure.name: svg(specs[figure.name], figure.wide) for figure in every}
    page, tables = render(subject, drawn, specs, svgs)
    beside = {"tables/runs.csv": csv(results.frame), "tables/confusion.csv": csv(contents.matrices(subject))}
    for table in tables:
        beside |= {f"tables/{table.name}.csv": csv(table.data), f"tables/{table.name}.tex": latex(table)}
    for figure in every:
        named = contents.full_names(subject, figure.frame) if "variant" in figure.frame.columns else figure.frame
        beside |= {f"figures/{figure.name}.svg": svgs[figure.name], f"figures/{figure.name}.csv": csv(named)}
    for name, text in beside.items():
        write(folder / name, text)
    write(folder / "index.html", page)
    remove_others(folder, {folder / name for name in beside})
    return folder / "index.html"


def remove_others(folder: Path, written: set[Path]) -> None:
    """Remove the tables and figures of an earlier state of the study."""
    for path in [*folder.glob("tables/[!.]*"), *folder.glob("figures/[!.]*")]:
        if path not in written:
            path.unlink(missing_ok=True)


def render(
    subject: Subject, drawn: dict[str, list[Figure]], specs: dict[str, dict[str, Any]], svgs: dict[str, str]
) -> tuple[str, list[Table]]:
    """The page, and the tables that are also written as files."""
    results = subject.results
    cost, shared = contents.cost(subject)
    tables = {
        "quality": contents.quality(subject),
        "cost": cost,
        "differences": contents.differences(subject),
        "per_class": contents.per_class(subject),
        "unfinished": contents.unfinished(subject),
        "skipped": contents.skipped(subject),
    }
    config = style.with_css_colors(style.config(style.PAGE_FONT))
    scripts = [javascript_bundle(), _asset("page.js")]
    seconds = results.frame["training_seconds"].sum() if "training_seconds" in results.metric_names else None
    page = (
        _templates()
        .get_template("page.html.j2")
        .render(
            subject=subject,
            study=results.study,
            results=results,
            verdict=results.verdict(subject.metric),
            notes=results.notes(subject.metric),
            tables=tables,
            shared=shared,
            figures=drawn,
            images={name: _data_address(svg) for name, svg in svgs.items()},
            pictures=contents.pictures(subject, subject.best) if subject.best else {},
            reproduction=contents.reproduction(subject),
            training=duration(float(seconds)) if seconds else None,
            css=Markup(
                f":root {{ --sans: {style.PAGE_FONT}; {style.css_variables(style.LIGHT)} }}\n" + _asset("page.css")
            ),
            dark=Markup(style.css_variables(style.DARK)),
            light=Markup(style.css_variables(style.LIGHT)),
            hidden_epochs=figures.opening(drawn["learning"][0].frame) if drawn["learning"] else 0,
            charts=Markup(
                json_for_script({"specs": {name: for_page(spec) for name, spec in specs.items()}, "config": config})
            ),
            scripts=[Markup(script) for script in scripts],
            policy=content_policy(scripts),
            variable=style.variable,
        )
    )
    return page, [table for table in tables.values() if table is not None]


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
    return Environment(
        loader=PackageLoader("assay.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _asset(name: str) -> str:
    return resources.files("assay.report").joinpath(name).read_text(encoding="utf-8")


def _data_address(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _rounded(value: Any) -> Any:
    """Floats to seven digits, which no screen can show more of, for a smaller page."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list) else value
