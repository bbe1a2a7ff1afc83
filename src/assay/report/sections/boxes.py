"""The section on the classes of boxes: AP of each, which AP it is, precision and recall, curves, confusion."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from assay.language.script import as_name
from assay.language.speech import later, say
from assay.report.figures import Figure
from assay.report.section import Grid, Group, Legend, Name, Part, Section, Text, listing
from assay.report.sections import boxes_confusion, boxes_curves, labels_charts
from assay.report.sections.classes_confusion import MOST_MATRICES
from assay.report.sections.classes_curves import MOST_CLASSES
from assay.report.sections.spreads import marks, over_seeds, spread
from assay.report.sections.variants import first_of
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.results.formats import fixed, grouped, plus_minus
from assay.results.statistics.intervals import mean_interval

AREAS = {"ap": later("AP (%)"), "ap_50": later("AP50 (%)")}
SHARES = AREAS | {"precision": later("precision (%)"), "recall": later("recall (%)"), "f1": later("F1 (%)")}
TITLES = {"ap": later("AP of every class"), "ap_50": later("AP50 of every class")}
HARDEST = {"ap": later("AP of the {n} hardest classes"), "ap_50": later("AP50 of the {n} hardest classes")}
READ = {
    "ap": later("AP of {n} classes for {variants} variants; the numbers are in the CSV."),
    "ap_50": later("AP50 of {n} classes for {variants} variants; the numbers are in the CSV."),
}
TO_ONE = (0.0, 1.0)

WHAT = later(
    "AP as COCO counts it: the area under the precision–recall curve, read at 101 recalls, of at most 100 boxes of a "
    "class and image; the mean over overlaps (IoU) from 0.50 to 0.95, or at 0.50 alone (AP50). mAP is its mean over "
    "the classes that occur."
)
AT_THRESHOLDS = later(
    "Precision, recall and F1: of the boxes whose score reaches the threshold of their class, at an IoU of 0.5."
)
CHOSEN = later(
    "The threshold is the one that gives the highest F1 on validation images; no test image chose it. It is 0.5 where "
    "there are none, and of a class of which nothing is found on them."
)


def section(subject: Subject) -> Section | None:
    """Of what the measure detection found, what there is."""
    table = subject.stacked("classes")
    if table.is_empty() or "ap" not in table.columns:
        return None
    parts: list[Part] = [
        Legend(subject.heading, subject.colors),
        Text(words(subject, table)),
        Grid(list(figures(subject, table))),
    ]
    groups = (reports(subject, table), boxes_curves.group(subject), boxes_confusion.group(subject))
    return Section("classes", say("Classes"), "", [*parts, *(one for one in groups if one is not None)])


def words(subject: Subject, table: pl.DataFrame) -> list[str | Name]:
    """What is measured, by which selection of boxes, how to read the figures, and which classes have no box."""
    said = " ".join(filter(None, [say(WHAT), selection(subject)])) + marks(subject)
    if table["class"].n_unique() > MOST_CLASSES:
        said += say(" The {n} classes with the lowest AP; the CSV has every class.", n=MOST_CLASSES)
    absent = table.filter(pl.col("boxes") == 0)["class"].unique(maintain_order=True)
    before = say(" Without a box in the test images, so without AP and in no mean over classes: ")
    return [said, *listing(before, absent)]


def selection(subject: Subject) -> str:
    """Which boxes an AP was counted of, without which it cannot be compared; empty where the runs do not say."""
    kept = [subject.results.metrics(run) for run in subject.results.finished]
    told = {(one.get("score_floor"), one.get("nms"), one.get("most")) for one in kept if "score_floor" in one}
    if len(told) > 1:
        return say(
            "The variants select their boxes in different ways: results.csv has score_floor, nms and most of each."
        )
    if not told:
        return ""
    floor, nms, most = told.pop()
    removed = (
        say("no box removed for its overlap")
        if nms is None
        else say("NMS of each class at an IoU of {overlap:g}", overlap=nms)
    )
    return say(
        "Boxes: a score of at least {floor:g}, {removed}, at most {most:g} an image.",
        floor=floor,
        removed=removed,
        most=most,
    )


def figures(subject: Subject, table: pl.DataFrame) -> Iterator[Figure]:
    """Both AP of every class, all variants side by side."""
    hardest = table.group_by("class", maintain_order=True).agg(pl.col("ap").mean())
    kept = hardest.sort("ap", nulls_last=True, maintain_order=True)["class"].head(MOST_CLASSES).to_list()
    shown = [one for one in table["class"].unique(maintain_order=True) if one in kept]
    for area in TITLES:
        frame = spread(subject, table, "class", 100 * pl.col(area), "boxes")
        seen = frame.filter(pl.col("label").is_in(shown))
        yield Figure(
            f"classes-{area.replace('_', '-')}",
            say(TITLES[area]) if table["class"].n_unique() <= MOST_CLASSES else say(HARDEST[area], n=len(shown)),
            "",
            say(READ[area], n=len(shown), variants=frame["variant"].n_unique()),
            labels_charts.by_label(seen, shown, say(AREAS[area]), subject.colors, say("test boxes")),
            frame.rename({"label": "class", "images": "boxes"}),
            wide=False,
            legend=False,
        )


def reports(subject: Subject, table: pl.DataFrame) -> Group | None:
    """The classes by the best variant, those by others folded away."""
    order = sorted(subject.order, key=lambda name: name != subject.best)
    found = [(name, table.filter(pl.col("variant") == name)) for name in order]
    tables = [(subject.shown[name], _report(subject, name, own)) for name, own in found if own.height]
    return first_of(say("Every class"), tables[:MOST_MATRICES])


def _report(subject: Subject, variant: str, own: pl.DataFrame) -> Table:
    rows = list(_rows(own))
    shares = {key: words for key, words in SHARES.items() if key in own.columns}
    columns = [Column(say("class"), "left"), *(Column(say(words)) for words in shares.values())]
    columns += [Column(say(words)) for key, words in COUNTS.items() if key in own.columns]
    lines = [
        [
            Cell(row["class"], is_name=True),
            *(Cell(plus_minus(row[m], row[f"{m}_low"], row[f"{m}_high"], "map"), value=row[m]) for m in shares),
            *(Cell(_written(key, row[key]), value=row[key]) for key in COUNTS if key in own.columns),
        ]
        for row in rows
    ]
    caption = [
        f"{as_name(subject.shown[variant])}.",
        over_seeds(own["seed"].n_unique() > 1),
        *([say(AT_THRESHOLDS), say(CHOSEN)] if "threshold" in own.columns else []),
    ]
    return Table(f"classes-{subject.stem(variant)}", " ".join(caption), columns, lines, pl.DataFrame(rows), fixed=False)


COUNTS = {"threshold": later("threshold"), "boxes": later("test boxes")}


def _written(key: str, number: float | None) -> str:
    if number is None:
        return "–"
    if key != "threshold":
        return grouped(number)
    return fixed(number, 2) if number >= 0.01 else f"{number:.1g}"


def _rows(own: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """A row a class: of each share the mean and the ends of its interval; the means of threshold and boxes."""
    for (name,), one in own.group_by("class", maintain_order=True):
        row: dict[str, Any] = {"class": name}
        for share in SHARES:
            if share in own.columns:
                found = mean_interval(one[share].drop_nulls().to_list(), within=TO_ONE)
                row |= {share: found.mean, f"{share}_low": found.low, f"{share}_high": found.high}
        yield row | {key: one[key].mean() for key in COUNTS if key in own.columns}
