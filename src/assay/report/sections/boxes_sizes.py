"""AP by the size of objects, with the number of boxes that each rests on."""

import polars as pl

from assay.language.speech import later, say
from assay.report.figures import Figure
from assay.report.section import Grid, Group, Legend, Part, Text
from assay.report.sections import labels_charts
from assay.report.sections.spreads import spread
from assay.report.subject import Subject
from assay.results.formats import grouped

SIZES = ("small", "medium", "large")
"""COCO's."""
FEW = 30
"""Boxes below which an AP says little."""
MEASURES = {"ap": later("AP (%)"), "recall": later("recall (%)")}
TITLES = {"ap": later("AP by size"), "recall": later("Recall by size")}
WORDS = later(
    "Small: under 32² pixels of the picture itself; medium: up to 96²; large: more. In brackets: test boxes. Recall: "
    "the share of objects that at most 100 boxes of a class and image find, the mean over overlaps from 0.50 to 0.95."
)


def group(subject: Subject) -> Group | None:
    """Both figures, and which sizes rest on few boxes."""
    table = subject.stacked("box_sizes")
    if table.is_empty():
        return None
    counts = {str(size): float(boxes) for size, boxes in table.group_by("size").agg(pl.col("boxes").mean()).iter_rows()}
    labels = {size: f"{say(size)} ({grouped(counts[size])})" for size in SIZES if size in counts}
    named = table.with_columns(pl.col("size").replace(labels))
    few = [labels[size] for size in labels if 0 < counts[size] < FEW]
    words = say(WORDS)
    if few:
        words += say(" Of few boxes, so hardly more than noise: {sizes}.", sizes=say(", ").join(few))
    drawn = [_figure(subject, named, measure, list(labels.values())) for measure in MEASURES]
    parts: list[Part] = [Legend(subject.heading, subject.colors), Text(words), Grid(drawn)]
    return Group(say("Sizes"), parts)


def _figure(subject: Subject, named: pl.DataFrame, measure: str, labels: list[str]) -> Figure:
    frame = spread(subject, named, "size", 100 * pl.col(measure), "boxes")
    shown = [one for one in labels if one in frame["label"]]
    return Figure(
        f"sizes-{measure}",
        say(TITLES[measure]),
        "",
        say(
            "{title}: {n} sizes for {variants} variants; the numbers are in the CSV.",
            title=say(TITLES[measure]),
            n=len(shown),
            variants=frame["variant"].n_unique(),
        ),
        labels_charts.by_label(frame, shown, say(MEASURES[measure]), subject.colors, say("test boxes")),
        frame.rename({"label": "size", "images": "boxes"}),
        wide=False,
        legend=False,
    )
