"""What a figure is: a chart with its words, and the numbers behind it."""

from dataclasses import dataclass

import polars as pl

from assay.report.charts import Chart


@dataclass(frozen=True)
class Figure:
    """A chart with its words; ``frame`` is what it shows, or more, and becomes the CSV."""

    name: str
    """File stem of the SVG and the CSV."""
    title: str
    caption: str
    alt: str
    """For those who do not see the chart."""
    chart: Chart
    frame: pl.DataFrame
    wide: bool = True
    legend: bool = True
    """Its own; on the page one legend may serve several figures."""
    is_file: bool = True
    """An SVG too; otherwise the page alone draws it."""
