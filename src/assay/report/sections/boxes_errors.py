"""The section on errors: what each kind costs, AP by the size of objects, how far scores may be believed."""

from collections.abc import Iterator

import polars as pl

from assay.language.speech import later, say
from assay.report.figures import Figure
from assay.report.section import Facts, Group, Legend, Pairs, Part, Section, Text
from assay.report.sections import boxes_calibration, boxes_sizes, labels_charts
from assay.report.sections.spreads import spread
from assay.report.sections.variants import variants_table
from assay.report.subject import Subject

KINDS = {
    later("class"): later("on an object, of another class"),
    later("place"): later("of the right class, beside its object (IoU from 0.1 to 0.5)"),
    later("both"): later("of another class and beside the object"),
    later("copy"): later("on an object that a better box has found"),
    later("background"): later("where no object is (IoU below 0.1)"),
    later("missed"): later("an object that no box finds, in none of these ways either"),
}
"""Kind of error → what it is."""
WORDS = later(
    "What AP50 would gain, in points, were all errors of one kind put right and the others left (TIDE: Bolya et al. "
    "2020). The gains of several kinds do not add up: putting one right may bring others to light."
)


def section(subject: Subject) -> Section | None:
    """Of the kinds of errors, sizes and calibration, what the runs measured."""
    groups = (kinds(subject), boxes_sizes.group(subject), boxes_calibration.group(subject))
    parts = [one for one in groups if one is not None]
    return Section("errors", say("Errors"), "", parts) if parts else None


def kinds(subject: Subject) -> Group | None:
    """What each kind of error costs."""
    table = subject.stacked("box_errors")
    if table.is_empty():
        return None
    metrics = [name for kind in KINDS if (name := f"error_{kind}") in subject.results.metric_names]
    seeds = (
        say("Mean over seeds ± half of its 95 % t interval.") if subject.seeds > 1 else say("One seed: no intervals.")
    )
    parts: list[Part] = [
        Text(say(WORDS)),
        Facts([Pairs(say("What is wrong with a box"), [(say(kind), say(what)) for kind, what in KINDS.items()])]),
        Legend(subject.heading, subject.colors),
        *figures(subject, table),
    ]
    if metrics:
        parts.append(
            variants_table(subject, "errors", say("Points of AP50 that each kind costs.") + f" {seeds}", metrics)
        )
    return Group(say("Kinds of errors"), parts)


def figures(subject: Subject, table: pl.DataFrame) -> Iterator[Figure]:
    """What each kind costs, all variants side by side."""
    named = table.with_columns(pl.col("kind").replace({kind: say(kind) for kind in KINDS}))
    frame = spread(subject, named, "kind", 100 * pl.col("cost"), "count")
    shown = [say(kind) for kind in KINDS if say(kind) in frame["label"]]
    yield Figure(
        "errors",
        say("What each kind of error costs"),
        "",
        say(
            "Points of AP50 that {n} kinds of errors cost, {variants} variants; the numbers are in the CSV.",
            n=len(shown),
            variants=frame["variant"].n_unique(),
        ),
        labels_charts.by_label(frame, shown, say("points of AP50"), subject.colors, say("boxes of this kind")),
        frame.rename({"label": "kind", "images": "boxes"}),
        legend=False,
    )
