"""The section of pictures that the first finished seed of the best variant has kept, by kinds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assay.language.speech import say
from assay.report.section import Gallery, Name, Picture, Section
from assay.report.subject import Subject

Drawing = Callable[[dict[str, Any], dict[str, Any]], Picture]
"""(row of the kept pictures, the run's data.json) → the picture."""
Caption = Callable[[str, list[Picture], int], str]
"""(kind, its pictures, number of test images) → what the reader is told of them."""


def drawn(
    subject: Subject, variant: str | None, headings: Mapping[str, str], drawing: Drawing, caption: Caption
) -> list[Gallery]:
    """The pictures kept by the first finished seed of ``variant``, each kind of ``headings`` that has any."""
    runs = subject.runs(variant) if variant else []
    if not runs or not (runs[0].folder / "pictures.parquet").exists():
        return []
    about = subject.results.data(runs[0])
    found: dict[str, list[Picture]] = {}
    for row in subject.results.pictures(runs[0]).iter_rows(named=True):
        found.setdefault(row["kind"], []).append(drawing(row, about))
    tested = about["counts"]["test"]
    return [
        Gallery(say(heading), caption(kind, found[kind], tested), found[kind])
        for kind, heading in headings.items()
        if kind in found
    ]


def section_of(subject: Subject, galleries: Sequence[Gallery], *shows: str | Name) -> Section | None:
    """``galleries`` of the best variant; ``shows`` goes on from "What the variant, seed 0, "."""
    if subject.best is None or not galleries:
        return None
    seed = subject.runs(subject.best)[0].seed
    of_seed = say(", seed {seed}, ", seed=seed)
    caption = (say("What "), Name(subject.shown[subject.best]), of_seed, *shows)
    return Section("pictures", say("Pictures"), caption, galleries)


def right_of(those: Sequence[Picture]) -> str:
    """How many of the pictures are answered right, in words."""
    return say("{right} of {n} right", right=sum(picture.state == "right" for picture in those), n=len(those))


def share(probability: float) -> str:
    """In percent, which rounding makes neither certain nor impossible: ``87 %``, ``> 99 %``."""
    percent = round(100 * probability)
    return "> 99 %" if percent == 100 else "< 1 %" if percent == 0 else f"{percent} %"
