"""The looks, stated once: the palette, the Altair theme made of it, and the CSS variables of the page.

The categorical colours are those of Okabe & Ito (2008), darkened where they would fade on white; charts are drawn in
the light palette, and on the page each of its colours becomes a CSS variable, so that dark mode needs no second chart.
"""

from typing import Any

import altair as alt

LIGHT = {
    "ground": "#ffffff",
    "raised": "#f6f7f8",
    "ink": "#1a1f26",
    "muted": "#59636f",
    "line": "#d9dde2",
    "grid": "#e9ecef",
    "accent": "#0b6aa8",
    "accent-ink": "#fefefe",
    "good": "#00795a",
    "bad": "#b8460e",
    "unsure": "#78828d",
    "c0": "#0072b2",
    "c1": "#d55e00",
    "c2": "#009e73",
    "c3": "#c0609a",
    "c4": "#d99600",
    "c5": "#4aa8dd",
    "c6": "#7f5f2a",
    "c7": "#666f79",
    "rest": "#b9c0c8",
    "s0": "#3b1c6b",
    "s1": "#3b3a83",
    "s2": "#2f5a8f",
    "s3": "#22768f",
    "s4": "#12918b",
    "s5": "#2bab7d",
    "s6": "#63bf63",
    "s7": "#8fb836",
    "s8": "#bdb200",
}
"""Name → colour on white: text, lines, the categorical c0…c7 and the sequential s0…s8."""

DARK = {
    "ground": "#14171c",
    "raised": "#1c2026",
    "ink": "#e7eaee",
    "muted": "#a0a9b4",
    "line": "#353c45",
    "grid": "#262c34",
    "accent": "#62b5ea",
    "accent-ink": "#10141a",
    "good": "#3fc79c",
    "bad": "#f2935c",
    "unsure": "#8f99a5",
    "c0": "#4fa8e0",
    "c1": "#f0884a",
    "c2": "#34c79c",
    "c3": "#e394c4",
    "c4": "#f3bb4c",
    "c5": "#95d3f6",
    "c6": "#c9a56a",
    "c7": "#a8b1bb",
    "rest": "#49525d",
    "s0": "#8c6fd0",
    "s1": "#7d84dc",
    "s2": "#629cdc",
    "s3": "#4bb0d3",
    "s4": "#40bfbd",
    "s5": "#52cc9f",
    "s6": "#80d880",
    "s7": "#b3df5f",
    "s8": "#e2dd50",
}
"""The same names on a dark ground."""

PAPER_FONT = "Helvetica, Arial, 'Liberation Sans', 'Noto Sans', sans-serif"
PAGE_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial, sans-serif"

CATEGORIES = 8


def categorical(n: int) -> list[str]:
    """``n`` colours that are told apart without their order; beyond eight, the grey of "the rest"."""
    return [LIGHT[f"c{i}"] if i < CATEGORIES else LIGHT["rest"] for i in range(n)]


def sequential(n: int) -> list[str]:
    """``n`` colours from dark to bright, for levels that have an order."""
    return [LIGHT[f"s{round(i * 8 / max(n - 1, 1))}"] for i in range(n)]


def variable(color: str) -> str:
    """A colour of the light palette as the CSS variable that also knows its dark twin."""
    return next((f"var(--{name})" for name, value in LIGHT.items() if value == color), color)


def css_variables(palette: dict[str, str]) -> str:
    """The palette as declarations for a ``:root`` rule."""
    return " ".join(f"--{name}: {color};" for name, color in palette.items())


def with_css_colors(spec: Any) -> Any:
    """A chart (or configuration) whose colours are CSS variables; its data and scale domains are left alone."""
    if isinstance(spec, dict):
        return {k: v if k in ("datasets", "domain", "params") else with_css_colors(v) for k, v in spec.items()}
    if isinstance(spec, list):
        return [with_css_colors(v) for v in spec]
    return variable(spec) if isinstance(spec, str) and spec.startswith("#") else spec


@alt.theme.register("assay", enable=False)
def theme() -> alt.theme.ThemeConfig:
    """The looks of a chart outside of the page, also for ``altair.theme.enable("assay")`` in a notebook."""
    return alt.theme.ThemeConfig(config=config(PAPER_FONT))  # type: ignore[typeddict-item]


def config(font: str) -> dict[str, Any]:
    """Vega-Lite's configuration: quiet axes, no frame, transparent ground."""
    text = {"font": font, "color": LIGHT["ink"], "fontSize": 12}
    axis = {
        "labelFont": font,
        "titleFont": font,
        "labelColor": LIGHT["muted"],
        "titleColor": LIGHT["muted"],
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": LIGHT["grid"],
        "domainColor": LIGHT["line"],
        "tickColor": LIGHT["line"],
        "labelPadding": 6,
        "titlePadding": 10,
        "labelLimit": 300,
    }
    return {
        "background": "transparent",
        "font": font,
        "padding": {"left": 4, "right": 12, "top": 8, "bottom": 4},
        "view": {"stroke": None, "continuousWidth": 640, "continuousHeight": 260, "discreteWidth": 640},
        "axis": axis,
        "axisX": {"domain": True, "ticks": True, "tickSize": 4},
        "axisXQuantitative": {"tickCount": 8},
        "axisYQuantitative": {"tickCount": 6},
        "axisY": {"domain": False, "ticks": False},
        "axisYBand": {"labelColor": LIGHT["ink"], "grid": False},
        "legend": {
            "symbolOpacity": 1,
            "labelFont": font,
            "titleFont": font,
            "labelColor": LIGHT["ink"],
            "titleColor": LIGHT["muted"],
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "labelLimit": 320,
            "orient": "bottom",
            "columns": 3,
            "offset": 16,
            "symbolStrokeWidth": 2.5,
        },
        "title": {"font": font, "color": LIGHT["ink"], "fontSize": 13, "fontWeight": 600, "anchor": "start"},
        "text": text,
        "rule": {"color": LIGHT["muted"]},
        "line": {"strokeWidth": 2.2, "strokeCap": "round", "strokeJoin": "round"},
        "bar": {"color": LIGHT["accent"]},
        "range": {"category": categorical(CATEGORIES), "ordinal": sequential(9)},
    }
