"""The section of pictures, of classification: a sample, the surest mistakes, the least sure answers."""

from dataclasses import replace
from typing import Any

import polars as pl

from assay.language.speech import later, say
from assay.report.section import Gallery, Line, Picture, Section, Sheet, Text
from assay.report.sections.galleries import drawn, right_of, section_of, share
from assay.report.subject import Subject
from assay.results.formats import grouped

HEADINGS = {"sample": later("A sample"), "mistake": later("The surest mistakes"), "unsure": later("The least sure")}
"""Of each kind of picture, in the order of the page."""

SHOWS = later(
    "makes of test images. Bold: the true class; below it the predicted one, right (✓) or wrong (✗, and a dashed "
    "frame), with its probability."
)


def section(subject: Subject) -> Section | None:
    """The pictures of the best variant, and all its answers as a file."""
    found = section_of(subject, galleries(subject, subject.best), say(SHOWS))
    if found is None or subject.best is None:
        return found
    every = Text((say("Every answer to a test image, with the names of the classes: "), answers(subject, subject.best)))
    return replace(found, parts=[*found.parts, every])


def answers(subject: Subject, variant: str) -> Sheet:
    """A row a finished seed and test image: seed, image, true and predicted class, confidence."""
    frames = []
    for run in subject.runs(variant):
        names = pl.Series(subject.results.data(run)["classes"], dtype=pl.String)
        tested = subject.results.predictions(run).filter(split="test")
        classes = {word: names[tested[column].to_list()] for word, column in (("true", "label"), ("predicted",) * 2)}
        columns = {"seed": run.seed, "image": tested["name"], **classes, "confidence": tested["confidence"]}
        frames.append(pl.DataFrame(columns))
    return Sheet("answers", pl.concat(frames))


def galleries(subject: Subject, variant: str | None) -> list[Gallery]:
    """The pictures that ``variant`` has kept; an older run has fewer kinds."""
    return drawn(subject, variant, HEADINGS, _picture, _caption)


def _picture(row: dict[str, Any], about: dict[str, Any]) -> Picture:
    classes, is_right = about["classes"], row["label"] == row["predicted"]
    said = Line(classes[row["predicted"]], share(row["confidence"]))
    return Picture(row["name"], row["png"], classes[row["label"]], [said], "right" if is_right else "wrong")


def _caption(kind: str, those: list[Picture], tested: int) -> str:
    if kind == "sample":
        return say("Drawn by the seed from {n} test images; {right}.", n=grouped(tested), right=right_of(those))
    if kind == "mistake":
        return say("The wrong answers with the highest probability of the predicted class, highest first.")
    return say(
        "The answers with the lowest probability of the predicted class, lowest first; {right}.", right=right_of(those)
    )
