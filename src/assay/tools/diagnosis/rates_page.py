"""The page of a range of learning rates: the loss at each rate, a line a seed."""

from pathlib import Path
from typing import Any

import altair as alt
import polars as pl

from assay.report.charts import Chart, layered, variant_color
from assay.report.figures import Figure
from assay.report.section import Section, Sentences
from assay.report.still import still
from assay.report.style import LIGHT, categorical
from assay.report.tables import Cell, Column, Table
from assay.tools.diagnosis.rates import LOST, POWERS, Range, Rates
from assay.tools.page import Page, reproduced, write_sections

METHOD = [
    "Each training begins anew, with the seed's own weights, split and order, and has a constant rate.",
    f"A range has the rates around the best that lose less than {LOST:.0%} of what the best gains over the lowest "
    "rate, at which next to nothing is learned.",
    "The loss is that of the validation images; where there are none, that of the training.",
    "Short trainings favour high rates: what learns fastest at first is not always best in the end.",
]


def write_rates(found: Rates, subject: str, facts: str, folder: Path, command: str = "") -> Path:
    """Write ``index.html`` into ``folder``; returns its path."""
    title = f"Which learning rates suit {subject}?"
    caption = f"The loss after {found.epochs} epochs, {found.steps} steps of the optimizer, at each rate."
    sections = [
        Section("rates", "Learning rates", caption, [still(figure(found)), table(found)]),
        Section("method", "Method", "", [Sentences(METHOD), *reproduced(command)]),
    ]
    return write_sections(Page("diagnose --rates", title, found.verdict, facts, sections), folder)


def figure(found: Rates) -> Figure:
    """A line a seed; where the loss was not finite there is no point."""
    frame = found.table.select(seed=pl.format("seed {}", "seed"), rate="rate", loss="loss").drop_nulls()
    lowest = frame.sort("loss").group_by("seed", maintain_order=True).first()
    said = "; ".join(f"{r['seed']}: least {r['loss']:.3g} at {r['rate']:g}" for r in lowest.iter_rows(named=True))
    return Figure("rates", "Loss by learning rate", "", said, chart(frame, found.together), frame, wide=True)


def chart(frame: pl.DataFrame, found: Range | None) -> Chart:
    """Both axes are logarithmic; the range is shaded. Columns: seed, rate, loss."""
    seeds = frame["seed"].unique(maintain_order=True).to_list()
    color = variant_color("seed", dict(zip(seeds, categorical(len(seeds)), strict=True)))
    across: dict[str, Any] = {
        "title": "learning rate",
        "scale": alt.Scale(type="log"),
        "axis": alt.Axis(format="~e", values=[10.0**power for power in POWERS[::2]], labelSeparation=8),
    }
    x = alt.X("rate:Q", **across)
    y = alt.Y("loss:Q", title="loss", scale=alt.Scale(type="log", nice=True))
    tooltip = [alt.Tooltip("seed:N"), alt.Tooltip("rate:Q", format="~g"), alt.Tooltip("loss:Q", format=".4~g")]
    base = alt.Chart()
    marks = [
        base.mark_line().encode(x=x, y=y, color=color),
        base.mark_point(filled=True, size=36, opacity=1).encode(x=x, y=y, color=color, tooltip=tooltip),
    ]
    if found is not None:
        band = pl.DataFrame({"low": [found.low], "high": [found.high]})
        marks.insert(
            0,
            alt.Chart(band)
            .mark_rect(color=LIGHT["accent"], opacity=0.12)
            .encode(x=alt.X("low:Q", **across), x2="high:Q"),
        )
    return layered(frame, *marks, height=300)


def table(found: Rates) -> Table:
    """A row a rate, a column a seed; the least of each seed is marked."""
    seeds = found.table["seed"].unique(maintain_order=True).to_list()
    wide = found.table.pivot("seed", index="rate", values="loss").sort("rate")
    least = {seed: wide[str(seed)].min() for seed in seeds}
    rows = []
    for row in wide.iter_rows(named=True):
        values = [(row[str(seed)], row[str(seed)] == least[seed]) for seed in seeds]
        cells = [Cell("not finite" if v is None else f"{v:.4g}", "best" if is_best else "") for v, is_best in values]
        rows.append([Cell(f"{row['rate']:g}"), *cells])
    columns = [Column("rate"), *(Column(f"seed {seed}") for seed in seeds)]
    return Table("rates", "Loss; the least of each seed is marked.", columns, rows, found.table)
