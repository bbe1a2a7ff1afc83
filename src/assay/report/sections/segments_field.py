"""What ``predict.crf: tune`` has chosen, run by run."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from assay.language.speech import later, say
from assay.recipe.crf import Crf
from assay.report.section import Group
from assay.report.subject import Subject
from assay.report.tables import Cell, Column, Table
from assay.runs.crf import FILE
from assay.system.files import read_object

CAPTION = later(
    "predict.crf: tune lets no field and each of its settings answer validation pictures; the least negative "
    "log-likelihood of a known pixel, in nats, is chosen, and of equals none. That is no promise for the test pictures."
)


def group(subject: Subject) -> Group | None:
    """A row a run that has chosen; None where none has."""
    found = list(_rows(subject))
    if not found:
        return None
    headings = (
        say("seed"),
        say("validation loss without a field"),
        say("with what was chosen"),
        say("pictures asked"),
    )
    columns = [Column(subject.heading, "left"), Column(say("chosen"), "left"), *map(Column, headings)]
    lines = [
        [
            Cell(subject.shown[row["variant"]], is_name=True),
            Cell(say(row["chosen"])),
            Cell(str(row["seed"]), value=row["seed"]),
            *(Cell(f"{row[key]:.4f}", value=row[key]) for key in ("without", "with")),
            Cell(f"{row['pictures']:,}", value=row["pictures"]),
        ]
        for row in found
    ]
    table = Table("crf", say(CAPTION), columns, lines, pl.DataFrame(found), fixed=False)
    return Group(say("Which field was chosen"), [table])


def _rows(subject: Subject) -> Iterator[dict[str, Any]]:
    for variant in subject.order:
        for run in subject.runs(variant):
            tuned = read_object(run.folder / FILE, missing={})
            if tuned:
                yield {"variant": variant, "seed": run.seed, **_choice(tuned)}


def _choice(tuned: dict[str, Any]) -> dict[str, Any]:
    losses = {str(one["crf"]): one["loss"] for one in tuned["tried"]}
    chosen = tuned["chosen"]
    settings = later("none") if chosen is None else ", ".join(f"{key} {chosen[key]:g}" for key in Crf.model_fields)
    return {
        "chosen": settings,
        "without": losses[str(None)],
        "with": losses[str(chosen)],
        "pictures": tuned["pictures"],
    }
