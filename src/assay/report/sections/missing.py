"""The section on what is missing: runs that have not finished, images that could not be read."""

import polars as pl

from assay.language.speech import say
from assay.report.section import Section
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table, skipped_table


def section(subject: Subject) -> Section | None:
    """None where nothing is missing; the head of the page links here."""
    parts = [table for table in (unfinished(subject), skipped(subject)) if table is not None]
    return Section("trouble", say("What is missing"), "", parts, word=say("Missing")) if parts else None


def unfinished(subject: Subject) -> Table | None:
    """The runs that are missing from the numbers, and why."""
    runs = subject.unfinished
    if not runs:
        return None
    columns = [Column(subject.heading, "left"), Column(say("seed"))]
    columns += [Column(say("state"), "left"), Column(say("reason"), "left")]
    lines = [
        [
            Cell(subject.shown[r.variant], is_name=True),
            Cell(str(r.seed)),
            Cell(say(r.state)),
            Cell(r.reason or "", is_name=True),
        ]
        for r in runs
    ]
    rows = [{"variant": r.variant, "seed": r.seed, "state": r.state, "reason": r.reason} for r in runs]
    frame = pl.DataFrame(rows, schema={"variant": pl.String, "seed": pl.Int64, "state": pl.String, "reason": pl.String})
    return Table("unfinished", say("Runs missing from the numbers above."), columns, lines, frame, fixed=False)


def skipped(subject: Subject) -> Table | None:
    """Images left out under ``on_bad_image: skip``, once each."""
    return skipped_table(subject.skipped) if subject.skipped else None
