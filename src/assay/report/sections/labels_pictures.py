"""The section of pictures, of labels: a sample, the surest false alarms and misses, the least sure answers."""

from typing import Any

from assay.report.section import Line, Picture, Section
from assay.report.sections.galleries import drawn, right_of, section_of, share
from assay.report.subject import Subject
from assay.results.formats import grouped

HEADINGS = {
    "sample": "A sample",
    "false_alarm": "The surest false alarms",
    "miss": "The surest misses",
    "unsure": "The least sure",
}
"""Of each kind of picture, in the order of the page."""
NONE = "none"

SHOWS = (
    "makes of test images. Bold: the labels that are there; below them those that are said, right (✓) only where all "
    "are, or the answer about one label, with its probability."
)


def section(subject: Subject) -> Section | None:
    """The pictures of the best variant."""
    return section_of(subject, drawn(subject, subject.best, HEADINGS, _picture, _caption), SHOWS)


def _picture(row: dict[str, Any], about: dict[str, Any]) -> Picture:
    truth, said, label = row["tags"], row["predicted"], row["label"]
    if label is None:
        line, is_right = Line(", ".join(said) or NONE), truth == said
    else:
        words = label if label in said else f"not {label}"
        line, is_right = Line(words, share(row["probability"])), (label in truth) == (label in said)
    return Picture(row["name"], row["png"], ", ".join(truth) or NONE, [line], "right" if is_right else "wrong")


def _caption(kind: str, those: list[Picture], tested: int) -> str:
    right = right_of(those)
    return {
        "sample": f"Drawn by the seed from {grouped(tested)} test images; all labels of {right}.",
        "false_alarm": "Labels that are said and not there, those with the highest probability first.",
        "miss": "Labels that are there and not said, those with the lowest probability first.",
        "unsure": f"Labels with a probability next to one half; {right}.",
    }[kind]
