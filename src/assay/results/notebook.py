"""How results show themselves in a notebook: small HTML tables, every text escaped."""

from collections.abc import Sequence
from html import escape

import polars as pl

from assay.results.metrics import label, value_text


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of plain texts; ``<bdi>`` keeps right-to-left names inside their cell."""
    cells = "".join(f"<th>{escape(text)}</th>" for text in head)
    body = "".join("<tr>" + "".join(f"<td><bdi>{escape(t)}</bdi></td>" for t in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def results_html(title: str, verdict: str, table: pl.DataFrame, notes: Sequence[str]) -> str:
    """The question, the verdict, a table variant × metric with 95 % intervals, and what it rests on."""
    metrics = [c.removesuffix("_low") for c in table.columns if c.endswith("_low")]
    rows = []
    for row in table.iter_rows(named=True):
        cells = ("" if row[m] is None else value_text(m, row[m], row[f"{m}_low"], row[f"{m}_high"]) for m in metrics)
        rows.append([row["variant"], str(row["seeds"]), *cells])
    parts = [f"<h3><bdi>{escape(title)}</bdi></h3>", f"<p><b>{escape(verdict)}</b></p>"]
    parts.append(html_table(["variant", "seeds", *map(label, metrics)], rows))
    return "".join([*parts, *(f"<p><small>{escape(note)}</small></p>" for note in notes)])
