"""The section of pictures, of classification: a sample, the surest mistakes, the least sure answers."""

from typing import Any

from assay.report.section import Gallery, Line, Picture, Section
from assay.report.sections.galleries import drawn, right_of, section_of, share
from assay.report.subject import Subject
from assay.results.formats import grouped

HEADINGS = {"sample": "A sample", "mistake": "The surest mistakes", "unsure": "The least sure"}
"""Of each kind of picture, in the order of the page."""

SHOWS = (
    "makes of test images. Bold: the true class; below it the predicted one, right (✓) or wrong (✗, and a dashed "
    "frame), with its probability."
)


def section(subject: Subject) -> Section | None:
    """The pictures of the best variant."""
    return section_of(subject, galleries(subject, subject.best), SHOWS)


def galleries(subject: Subject, variant: str | None) -> list[Gallery]:
    """The pictures that ``variant`` has kept; an older run has fewer kinds."""
    return drawn(subject, variant, HEADINGS, _picture, _caption)


def _picture(row: dict[str, Any], about: dict[str, Any]) -> Picture:
    classes, is_right = about["classes"], row["label"] == row["predicted"]
    said = Line(classes[row["predicted"]], share(row["confidence"]))
    return Picture(row["name"], row["png"], classes[row["label"]], [said], "right" if is_right else "wrong")


def _caption(kind: str, those: list[Picture], tested: int) -> str:
    if kind == "sample":
        return f"Drawn by the seed from {grouped(tested)} test images; {right_of(those)}."
    if kind == "mistake":
        return "The wrong answers with the highest probability of the predicted class, highest first."
    return f"The answers with the lowest probability of the predicted class, lowest first; {right_of(those)}."
