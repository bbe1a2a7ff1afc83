"""The section of pictures, of labels: a sample, the surest false alarms and misses, the least sure answers."""

from typing import Any

from assay.language.script import as_name
from assay.language.speech import later, say
from assay.report.section import Line, Picture, Section
from assay.report.sections.galleries import drawn, right_of, section_of, share
from assay.report.subject import Subject
from assay.results.formats import grouped

HEADINGS = {
    "sample": later("A sample"),
    "false_alarm": later("The surest false alarms"),
    "miss": later("The surest misses"),
    "unsure": later("The least sure"),
}
"""Of each kind of picture, in the order of the page."""
NONE = later("none")

SHOWS = later(
    "makes of test images. Bold: the labels that are there; below them those that are said, right (✓) only where all "
    "are, or the answer about one label, with its probability."
)


def section(subject: Subject) -> Section | None:
    """The pictures of the best variant."""
    return section_of(subject, drawn(subject, subject.best, HEADINGS, _picture, _caption), say(SHOWS))


def _picture(row: dict[str, Any], about: dict[str, Any]) -> Picture:
    truth, said, label = row["tags"], row["predicted"], row["label"]
    if label is None:
        line, is_right = Line(", ".join(said) or say(NONE)), truth == said
    else:
        words = label if label in said else say("not {label}", label=as_name(label))
        line, is_right = Line(words, share(row["probability"])), (label in truth) == (label in said)
    return Picture(row["name"], row["png"], ", ".join(truth) or say(NONE), [line], "right" if is_right else "wrong")


def _caption(kind: str, those: list[Picture], tested: int) -> str:
    right = right_of(those)
    return {
        "sample": say("Drawn by the seed from {n} test images; all labels of {right}.", n=grouped(tested), right=right),
        "false_alarm": say("Labels that are said and not there, those with the highest probability first."),
        "miss": say("Labels that are there and not said, those with the lowest probability first."),
        "unsure": say("Labels with a probability next to one half; {right}.", right=right),
    }[kind]
