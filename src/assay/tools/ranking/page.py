"""The page of a ranking: the recommendation, the backbones side by side, the study to run next."""

import shlex
from pathlib import Path

import polars as pl

from assay.report.figures import Figure
from assay.report.section import Code, Command, Grid, Part, Section, Sentences
from assay.report.tables import Cell, Column, Table, skipped_table
from assay.results.formats import fixed
from assay.tools.page import Page, reproduced, write_sections
from assay.tools.ranking import charts
from assay.tools.ranking.in_words import is_behind
from assay.tools.ranking.ranking import Ranking

NEXT = "next.yaml"
WORDS = {
    "cross_si": "cross-SI: the nearest training image has the class",
    "cross_csi": "cross-CSI: the nearest class mean has the class",
}
CAPTION = (
    "Nothing was trained, and no test image was looked at. Each network ran once over the same images; measured are "
    "the features that its head would get. The order is by the mean of the places in cross-SI, cross-CSI and LogME."
)
METHOD = [
    "cross-SI: the share of validation images whose nearest training image has their class; cross-CSI: the same for "
    "the nearest class mean; both with 95 % intervals.",
    "LogME (You et al., arXiv:2102.11005): how well a linear model on the training features explains the labels, as "
    "the largest log evidence for each image; only its order means anything.",
    "The measures judge features as they are: they speak of a trained head, less of a network that is fine-tuned "
    "whole.",
]


def write_ranking(
    found: Ranking, name: str, facts: str, study: str, folder: Path, command: str = "", root: Path | None = None
) -> Path:
    """Write the page of a ranking on the images ``name`` into ``folder``, beside it the ``study`` to run next (empty
    where there is none), under the data root ``root``."""
    ranked = found.table.filter(pl.col("place").is_not_null())
    parts: list[Part] = [table(ranked)]
    if len(ranked) > 1:
        parts += [Grid([quality_figure(ranked, name) for name in WORDS]), cost_figure(ranked)]
    missing = found.table.filter(pl.col("place").is_null())
    untold: list[Part] = []
    if len(missing):
        untold.append(Sentences([f"{row['model']}: {row['reason']}" for row in missing.iter_rows(named=True)]))
    if found.left_out:
        untold.append(skipped_table(found.left_out))
    sections = [Section("ranking", "Ranking", CAPTION, parts)] if len(ranked) else []
    if untold:
        sections.append(Section("missing", "What is missing", "", untold, word="Missing"))
    if study:
        words = ["assay", "run", str(folder / NEXT), *(["--data", str(root)] if root else [])]
        run = Command("run-next", shlex.join(words))
        text = "Heads on the frozen backbones that lead, or cannot be told from the first, trained with three seeds:"
        sections.append(Section("next", "The study to run next", text, [Code(study), run], word="Next"))
    sections.append(Section("method", "Method", "", [Sentences(METHOD), *reproduced(command)]))
    page = Page("rank", f"Which backbone for {name}?", found.recommendation, facts, sections)
    return write_sections(page, folder, {NEXT: study} if study else {})


def table(ranked: pl.DataFrame) -> Table:
    """A row a backbone, the recommended one first."""
    lines = []
    for row in ranked.iter_rows(named=True):
        qualities = [f"{row[n]:.3f} ({row[f'{n}_low']:.3f} to {row[f'{n}_high']:.3f})" for n in WORDS]
        bests = [row[n] == ranked[n].max() for n in (*WORDS, "logme")]
        shown = zip([*qualities, fixed(row["logme"], 4)], bests, strict=True)
        costs = [f"{row['parameters'] / 1e6:.1f}", f"{row['macs'] / 1e6:,.0f}"]
        lines.append(
            [
                Cell(row["model"], is_name=True),
                Cell(str(row["place"])),
                *(Cell(text, "best" if is_best else "") for text, is_best in shown),
                *map(Cell, costs),
            ]
        )
    headings = ["place", "cross-SI", "cross-CSI", "LogME", "parameters (M)", "MACs (M)"]
    columns = [Column("backbone", "left"), *map(Column, headings)]
    caption = (
        "With 95 % intervals; the best of each measure is marked. The CSV also has the width of the features, the size "
        "of the images, and the seconds that the features took."
    )
    return Table("ranking", caption, columns, lines, ranked.drop("reason"))


def quality_figure(ranked: pl.DataFrame, index: str) -> Figure:
    """One index of each backbone."""
    frame = _of(ranked, index)
    models = frame["short"].to_list()
    said = "; ".join(f"{row['model']} {row['value']:.3f}" for row in frame.iter_rows(named=True))
    short, _, meaning = WORDS[index].partition(": ")
    caption = f"The share of validation images of which {meaning}."
    chart = charts.qualities(frame, models, short)
    return Figure(index.replace("_", "-"), short, caption, said, chart, frame, wide=len(models) > 8)


def cost_figure(ranked: pl.DataFrame) -> Figure:
    """Cross-CSI against the cost of an image."""
    frame = _of(ranked, "cross_csi")
    said = "; ".join(f"{row['model']}: {row['value']:.3f} at {row['macs']:,.0f}" for row in frame.iter_rows(named=True))
    return Figure("cost", "Quality and cost", "", said, charts.cost(frame, "cross-CSI"), frame)


def _of(ranked: pl.DataFrame, index: str) -> pl.DataFrame:
    """model, short (without the library where that is clear), value, low, high, macs in millions, and place: how it
    stands to the first."""
    rows = ranked.rows(named=True)
    places = [
        "first" if row is rows[0] else "behind" if is_behind(row, rows[0]) else "not clearly behind" for row in rows
    ]
    short = pl.col("model").str.split("/").list.last()
    return ranked.select(
        "model",
        short=pl.when(short.is_unique()).then(short).otherwise("model"),
        value=index,
        low=f"{index}_low",
        high=f"{index}_high",
        macs=pl.col("macs") / 1e6,
        place=pl.Series(places, dtype=pl.String),
    )
