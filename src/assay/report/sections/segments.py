"""The section on the classes of pixels: IoU of each, what the mIoU means and what others call so, confusion."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from assay.language.script import as_name
from assay.language.speech import later, say
from assay.recipe import SegmentationMeasure
from assay.report.figures import Figure
from assay.report.section import Grid, Group, Legend, Name, Part, Section, Text, listing
from assay.report.sections import classes_confusion, labels_charts, segments_field
from assay.report.sections.classes_confusion import MOST_MATRICES
from assay.report.sections.classes_curves import MOST_CLASSES
from assay.report.sections.spreads import marks, over_seeds, spread
from assay.report.sections.variants import first_of, variants_table
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.results.formats import grouped, plus_minus
from assay.results.statistics.intervals import mean_interval
from assay.tasks.segmentation.metrics import DILATION, NEAR, near_names

MEANINGS = ("miou", "miou_per_image", "miou_per_pair", "iou_micro")
"""Of the same answers: what one tool or another calls the mean IoU."""
SHARES_OF_ALL = ("dice_macro", "pixel_accuracy", "class_accuracy")
SHARES = {
    "iou": later("IoU (%)"),
    "dice": later("Dice (%)"),
    "precision": later("precision (%)"),
    "recall": later("recall (%)"),
}
TO_ONE = (0.0, 1.0)

WHAT = later(
    "IoU of a class: of the pixels that are of it or were given it, over all test images together, the share of which "
    "both is true. mIoU: the mean over the classes that occur or were said; one that was only said counts as 0. Pixels "
    "of no known class count nowhere."
)
BY_OTHER_NAMES = later(
    "The same answers, as others count them. mIoU: over the set, as mmsegmentation and torchvision's references report "
    "it. Per image: the mean of each image's own mean, over the classes that it has or was said to have "
    "(smp's imagewise reductions count a class that an image lacks as 1). Per image and class: the mean over all "
    "pairs. Pooled: hits and unions of all classes together, smp's micro; it follows from the accuracy. Compare only "
    "numbers of one kind."
)


def section(subject: Subject) -> Section | None:
    """Of what the measure segmentation found, what there is."""
    table = subject.stacked("classes")
    if table.is_empty() or "iou" not in table.columns:
        return None
    test = table.filter(pl.col("split") == "test")
    parts: list[Part] = [
        Legend(subject.heading, subject.colors),
        Text(words(subject, test)),
        Grid([figure(subject, test)]),
    ]
    groups = (by_other_names(subject), reports(subject, test), segments_field.group(subject))
    parts += [group for group in groups if group is not None]
    matrices = classes_confusion.group(subject, "pixels")
    return Section("classes", say("Classes"), "", [*parts, *([matrices] if matrices else [])])


def words(subject: Subject, test: pl.DataFrame) -> list[str | Name]:
    """What is measured, how to read the figure, and which classes the test images lack."""
    said = say(WHAT) + marks(subject)
    if test["class"].n_unique() > MOST_CLASSES:
        said += say(" The {n} classes with the lowest IoU; the CSV has every class.", n=MOST_CLASSES)
    absent = test.filter(pl.col("pixels") == 0)["class"].unique(maintain_order=True)
    return [said, *listing(say(" Without a pixel in the test images: "), absent)]


def figure(subject: Subject, test: pl.DataFrame) -> Figure:
    """The IoU of every class, all variants side by side."""
    frame = spread(subject, test, "class", 100 * pl.col("iou"), "pixels")
    mean = frame.group_by("label", maintain_order=True).agg(pl.col("mean").mean())
    hardest = mean.sort("mean", nulls_last=True, maintain_order=True)["label"].head(MOST_CLASSES).to_list()
    classes = test["class"].unique(maintain_order=True).to_list()
    shown = [one for one in classes if one in hardest]
    title = say("IoU of every class")
    if len(classes) > MOST_CLASSES:
        title = say("IoU of the {n} hardest classes", n=len(shown))
    return Figure(
        "classes-iou",
        title,
        "",
        say(
            "IoU of {n} classes for {variants} variants; the numbers are in the CSV.",
            n=len(shown),
            variants=frame["variant"].n_unique(),
        ),
        labels_charts.by_label(
            frame.filter(pl.col("label").is_in(shown)), shown, say(SHARES["iou"]), subject.colors, say("test pixels")
        ),
        frame.rename({"label": "class", "images": "pixels"}),
        legend=False,
    )


def by_other_names(subject: Subject) -> Group | None:
    """The table that says which mIoU it is, and the one of borders."""
    there, borders = subject.results.metric_names, stated_borders(subject)
    near = (*SHARES_OF_ALL, *(name for border in borders for name in near_names(border)))
    tables = [
        variants_table(subject, name, caption, known)
        for name, caption, metrics in (
            ("meanings", say(BY_OTHER_NAMES), MEANINGS),
            ("borders", at_borders(borders), near),
        )
        if (known := [metric for metric in metrics if metric in there])
    ]
    return Group(say("Which mean IoU"), tables) if tables else None


def stated_borders(subject: Subject) -> list[int | None]:
    """The pixels that the recipes state for what is near a border, each once; None of those that state none."""
    recipes = (variant.recipe for variant in subject.results.study.plan.values())
    measures = (measure for recipe in recipes for measure in recipe.evaluate)
    return list(dict.fromkeys(measure.border for measure in measures if isinstance(measure, SegmentationMeasure)))


def at_borders(stated: Sequence[int | None]) -> str:
    """What the numbers of the table of borders mean."""
    near = say(" or ").join(str(border or NEAR) for border in stated)
    usual = say("{share:g} % of a picture's diagonal", share=100 * DILATION)
    bands = say(" or ").join(usual if border is None else say("{n} pixels", n=border) for border in stated)
    return say(
        "Dice: the mean over classes, over the set. Near borders: only the pixels within {near} of the border between "
        "two classes. Boundary IoU compares the outlines alone, bands of {bands} (Cheng et al. 2021).",
        near=near,
        bands=bands,
    )


def reports(subject: Subject, test: pl.DataFrame) -> Group | None:
    """The classes by the best variant, those by others folded away."""
    order = sorted(subject.order, key=lambda name: name != subject.best)
    found = [(name, test.filter(pl.col("variant") == name)) for name in order]
    tables = [(subject.shown[name], _report(subject, name, own)) for name, own in found if own.height]
    return first_of(say("Every class"), tables[:MOST_MATRICES])


def _report(subject: Subject, variant: str, own: pl.DataFrame) -> Table:
    rows = list(_rows(own))
    total = sum(row["pixels"] for row in rows) or 1
    columns = [Column(say("class"), "left"), *(Column(say(heading)) for heading in SHARES.values())]
    columns += [Column(say("test pixels")), Column(say("share (%)"))]
    lines = [
        [
            Cell(row["class"], is_name=True),
            *(Cell(plus_minus(row[m], row[f"{m}_low"], row[f"{m}_high"], "miou"), value=row[m]) for m in SHARES),
            Cell(grouped(row["pixels"]), value=row["pixels"]),
            Cell(f"{100 * row['pixels'] / total:.1f}"),
        ]
        for row in rows
    ]
    caption = f"{as_name(subject.shown[variant])}. {over_seeds(own['seed'].n_unique() > 1)}"
    return Table(f"classes-{subject.stem(variant)}", caption, columns, lines, pl.DataFrame(rows), fixed=False)


def _rows(own: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """A row a class: the mean of its test pixels, and of each share the mean and the ends of its interval."""
    for (name,), one in own.group_by("class", maintain_order=True):
        row: dict[str, Any] = {"class": name, "pixels": one["pixels"].mean()}
        for share in SHARES:
            found = mean_interval(one[share].drop_nulls().to_list(), within=TO_ONE)
            row |= {share: found.mean, f"{share}_low": found.low, f"{share}_high": found.high}
        yield row
