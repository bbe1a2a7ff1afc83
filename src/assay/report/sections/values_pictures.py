"""The section of pictures, of regression: a sample, and those with the largest losses."""

from typing import Any

from assay.language.speech import later, say
from assay.recipe.names import SEPARATOR
from assay.report.section import Line, Name, Picture, Section
from assay.report.sections.galleries import drawn, section_of
from assay.report.subject import Subject
from assay.results.formats import grouped
from assay.results.metrics import number

HEADINGS = {"sample": later("A sample"), "worst": later("The worst")}
"""Of each kind of picture, in the order of the page."""


def section(subject: Subject) -> Section | None:
    """The pictures of the best variant."""
    galleries = drawn(subject, subject.best, HEADINGS, _picture, _caption)
    if subject.best is None or not galleries:
        return None
    targets = Name(SEPARATOR.join(subject.results.data(subject.runs(subject.best)[0])["classes"]))
    said = say("; below it what is predicted, and how far that is off.")
    return section_of(subject, galleries, say("says of test images. Bold: the true "), targets, said)


def _picture(row: dict[str, Any], about: dict[str, Any]) -> Picture:
    truth, said = row["truth"], row["said"]
    off = [_signed(said[target] - truth[target]) for target in truth]
    line = Line(SEPARATOR.join(_number(value) for value in said.values()), SEPARATOR.join(off))
    return Picture(row["name"], row["png"], SEPARATOR.join(_number(value) for value in truth.values()), [line])


def _caption(kind: str, those: list[Picture], tested: int) -> str:
    if kind == "sample":
        return say("Drawn by the seed from {n} test images.", n=grouped(tested))
    return say("The largest losses of all test images, largest first.")


def _number(value: float) -> str:
    return number(value).replace("-", "−")


def _signed(value: float) -> str:
    """To two digits."""
    return f"{value:+.2g}".replace("-", "−") if abs(value) < 1000 else _number(value)
