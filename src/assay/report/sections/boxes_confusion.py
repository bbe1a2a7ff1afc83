"""Which class boxes are given, with the background: objects that no box finds, and boxes where no object is."""

from collections.abc import Iterator

import polars as pl

from assay.language.script import as_name
from assay.language.speech import later, say
from assay.report.figures import Figure
from assay.report.section import Folded, Grid, Group, Part, Sheet, Text
from assay.report.sections import classes_charts
from assay.report.sections.classes_confusion import MOST_CELLS, MOST_MATRICES, OPEN
from assay.report.sections.variants import more
from assay.report.subject import Subject
from assay.tasks.detection.confusion import BACKGROUND

WORDS = later(
    "Boxes above the threshold of their class, matched with objects of any class by an IoU of 0.5. A row is what is "
    "there: its last column, objects that no box finds; the last row, boxes where nothing is. A cell shows the "
    "percentage of its row or, by the menu, the number of boxes, summed over seeds. Every matrix as numbers: "
)


def group(subject: Subject) -> Group | None:
    """The matrices of the best variant and the base, those of others folded away where there are many."""
    table = subject.stacked("box_confusion")
    if table.is_empty():
        return None
    summed = matrices(subject, table)
    drawn = list(figures(subject, summed))
    many = len(subject.order) > 4
    shown, folded = (drawn[:OPEN], drawn[OPEN:]) if many else (drawn, [])
    parts: list[Part] = [Text((say(WORDS), Sheet("confusion", summed))), Grid(shown)]
    if folded:
        parts.append(Folded(more(len(folded)), [Grid(folded)]))
    return Group(say("Confusion with the background"), parts)


def matrices(subject: Subject, table: pl.DataFrame) -> pl.DataFrame:
    """A row per variant and pair: variant, true, said, count summed over seeds, share of what is true."""
    summed = table.group_by("variant", "true", "said", maintain_order=True).agg(pl.col("count").sum())
    of_row = pl.col("count").sum().over("variant", "true").clip(lower_bound=1)
    return summed.with_columns(share=(pl.col("count") / of_row).round(6))


def figures(subject: Subject, summed: pl.DataFrame) -> Iterator[Figure]:
    """A matrix for each variant, first those of the best and of the base."""
    order = list(dict.fromkeys([subject.best, subject.base, *subject.order]))
    cells = 0
    for i, name in enumerate([one for one in order if one in subject.order][:MOST_MATRICES]):
        own = summed.filter(pl.col("variant") == name)
        own = own.with_columns(pl.col("true", "said").replace({BACKGROUND: say(BACKGROUND)}))
        cells += own.height
        if own.is_empty() or (i >= OPEN and cells > MOST_CELLS):
            continue
        classes = own["true"].unique(maintain_order=True).to_list()
        frame = own.select(
            "true",
            pl.col("said").alias("predicted"),
            "count",
            "share",
            percent=(100 * pl.col("share")).round(4),
            most=(pl.col("count") / pl.col("count").max().clip(lower_bound=1)).round(6),
            right=pl.col("true") == pl.col("said"),
        )
        yield Figure(
            f"confusion-{subject.stem(name)}",
            as_name(subject.shown[name]),
            "",
            say(
                "Confusion of boxes by {name}: {n} classes and the background.",
                name=as_name(subject.shown[name]),
                n=len(classes) - 1,
            ),
            classes_charts.confusion(
                frame.filter(pl.col("count") > 0) if len(classes) > 40 else frame, classes, "boxes"
            ),
            frame,
            wide=len(classes) > 12,
        )
