"""Images of each class or tag, as a chart and as a table."""

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from assay.data.targets import Tags
from assay.language.speech import later, say
from assay.report.figures import Figure
from assay.report.tables import Cell, Column, Table
from assay.results.formats import fixed, grouped
from assay.tools.inspection import charts
from assay.tools.inspection.inspecting import Inspection, split_names

MOST_CLASSES = 60
"""Classes in the chart: the largest and the smallest."""


def class_frame(found: Inspection) -> pl.DataFrame:
    """Images of each class and split, and their share of the split's images."""
    rows = []
    splits = np.array(split_names(found))
    for name in dict.fromkeys(splits.tolist()):
        there = splits == name
        counts = _counts(found, there)
        total = int(there.sum())
        rows += [
            {"class": c, "split": name, "images": int(n), "share": int(n) / total}
            for c, n in zip(found.images.classes, counts, strict=True)
        ]
    return pl.DataFrame(rows)


def _counts(found: Inspection, which: Bool[np.ndarray, " n"]) -> Int64[np.ndarray, " classes"]:
    """How many of the images are of each class, or have each tag."""
    targets, classes = found.images.targets, len(found.images.classes)
    if isinstance(targets, Tags):
        return np.asarray(targets.values[which].sum(axis=0, dtype=np.int64))
    return np.bincount(found.images.labels[which], minlength=classes)


def class_figure(found: Inspection, frame: pl.DataFrame) -> Figure:
    """Images of each class."""
    total = frame.group_by("class", maintain_order=True).agg(pl.col("images").sum())
    order, of_tags = total["class"].to_list(), isinstance(found.images.targets, Tags)
    caption = ""
    if len(order) > MOST_CLASSES:
        ranked = total.sort("images", descending=True)["class"].to_list()
        order, half = ranked[: MOST_CLASSES // 2] + ranked[-MOST_CLASSES // 2 :], MOST_CLASSES // 2
        largest = later("The {half} largest and the {half} smallest of {n} classes.")
        largest = later("The {half} largest and the {half} smallest of {n} tags.") if of_tags else largest
        caption = say(largest, half=half, n=len(ranked))
    alt = later("Images of {n} classes, from {low:,} to {high:,} each.")
    alt = later("Images of {n} tags, from {low:,} to {high:,} each.") if of_tags else alt
    low, high = int(total["images"].min()), int(total["images"].max())  # type: ignore[arg-type]
    return Figure(
        "classes",
        say("Images of each tag") if of_tags else say("Images of each class"),
        caption,
        say(alt, n=len(total), low=low, high=high),
        charts.class_counts(frame.filter(pl.col("class").is_in(order)), order),
        frame,
    )


def class_table(found: Inspection, frame: pl.DataFrame) -> Table:
    """Images of each class, with copies and, of labels, how many have a nearest image of their class."""
    splits = list(dict.fromkeys(split_names(found)))
    percents = {"copied_percent": (say("with a near copy (%)"), found.copies.copied)}
    if found.scores is not None:
        percents["agreeing_percent"] = (say("nearest image of this class (%)"), found.scores > 0)
    columns = [Column(say("tag") if isinstance(found.images.targets, Tags) else say("class"), "left")]
    columns += [Column(say("images") if split == "all" else say(split)) for split in splits]
    columns += [Column(heading) for heading, _ in percents.values()]
    there = np.maximum(_counts(found, np.ones(len(found.images), dtype=bool)), 1)
    wide = frame.pivot("split", index="class", values="images", maintain_order=True)
    wide = wide.with_columns(
        **{key: pl.Series(100 * _counts(found, which) / there) for key, (_, which) in percents.items()}
    )
    lines = []
    for row in wide.iter_rows(named=True):
        shares = [Cell(fixed(row[key], 1)) for key in percents]
        lines.append([Cell(row["class"], is_name=True), *(Cell(grouped(row[split])) for split in splits), *shares])
    return Table("classes", say("By the pixels of all images."), columns, lines, wide)
