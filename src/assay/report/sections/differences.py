"""The table of every comparison: each variant against the base and against the best, in full."""

import polars as pl

from assay.language.speech import say
from assay.report.sections.variants import difference, mark
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.results.comparing.comparison import Comparison
from assay.results.comparing.standing import percent
from assay.results.comparing.superiority import Share, chance_to_beat, share_text
from assay.results.formats import heading, p_value, value
from assay.results.metrics import is_share, label


def differences(subject: Subject) -> Table | None:
    """Every variant against the base and against the best, in full."""
    if subject.comparisons is None:
        return None
    answer = subject.results.answering(subject.metric)
    groups = [subject.comparisons] if answer is subject.comparisons else [subject.comparisons, answer]
    beats = [chance_to_beat(c) for group in groups for c in group]
    ends = {end: [share and getattr(share, end) for share in beats] for end in Share._fields}
    frame = pl.concat([group.frame for group in groups]).with_columns(
        pl.Series(f"beats_{end}".removesuffix("_value"), ends[end], pl.Float64) for end in ends
    )
    columns = [Column(subject.heading, "left"), Column(say("against"), "left"), Column(say("pairs"))]
    columns.append(Column(say("difference")))
    images = next((group.images for group in groups if group.images), None)
    columns += [Column(say("± by seeds")), Column(say("± by images"))] if images else []
    tested = any(c.p is not None for group in groups for c in group)
    columns += [Column("p")] * tested + [Column(say("beats it in"))] * any(beats)
    columns.append(Column(say("verdict"), "left"))
    lines = [
        [
            Cell(subject.shown[c.variant], is_name=True),
            Cell(subject.shown[c.reference], is_name=True),
            Cell(str(c.pairs)),
            Cell(difference(c)),
            *(_parts(c) if images else ()),
            *[Cell(p_value(c.p))] * tested,
            *[Cell(share_text(share))] * any(beats),
            Cell(say(c.decided), mark(c)),
        ]
        for c, share in zip((c for group in groups for c in group), beats, strict=True)
    ]
    told = [
        say(
            "Paired differences in {metric} ({unit}), variant minus reference, with intervals that hold together in "
            "{level} of studies.",
            metric=label(subject.metric),
            unit=say("percentage points") if is_share(subject.metric) else heading(subject.metric),
            level=percent(groups[-1].alpha),
        )
    ]
    if any(beats):
        told.append(say("Beats it in: of so many seeds a run of the variant is better than that of the reference."))
    if images:
        told.append(
            say(
                "They cover other seeds and other test images like these {images:,}; the part by images is what no "
                "number of seeds takes away.",
                images=images,
            )
        )
    return Table(f"differences{subject.suffix}", " ".join(told), columns, lines, frame)


def _parts(c: Comparison) -> list[Cell]:
    """Of the half width of the interval, the seeds' part, never more than the whole, and the test images'."""
    if not c.error or c.low is None or c.high is None or c.is_too_wide:
        return [Cell("–"), Cell("–")]
    half = (c.high - c.low) / 2
    parts = (None if part is None else half * min(part / c.error, 1.0) for part in (c.seeds_error, c.images_error))
    return [Cell(value(part, c.metric, half)) for part in parts]
