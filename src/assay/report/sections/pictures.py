"""The section of pictures, of classification: a sample, the surest mistakes, the least sure answers."""

from typing import Any

from assay.report.section import Gallery, Line, Name, Picture, Section
from assay.report.subject import Subject
from assay.results.formats import grouped

HEADINGS = {"sample": "A sample", "mistake": "The surest mistakes", "unsure": "The least sure"}
"""Of each kind of picture, in the order of the page."""


def section(subject: Subject) -> Section | None:
    """The pictures of one run: the first finished seed of the best variant."""
    found = galleries(subject, subject.best)
    if subject.best is None or not found:
        return None
    caption = (
        "What ",
        Name(subject.shown[subject.best]),
        f", seed {subject.runs(subject.best)[0].seed}, makes of test images. Bold: the true class; below it the "
        "predicted one, right (✓) or wrong (✗, and a dashed frame), with its probability.",
    )
    return Section("pictures", "Pictures", caption, found)


def galleries(subject: Subject, variant: str | None) -> list[Gallery]:
    """The pictures kept by the first finished seed of ``variant``, each kind that has any; an older run has fewer."""
    runs = subject.runs(variant) if variant else []
    if not runs or not (runs[0].folder / "pictures.parquet").exists():
        return []
    data = subject.results.data(runs[0])
    found: dict[str, list[Picture]] = {}
    for row in subject.results.pictures(runs[0]).iter_rows(named=True):
        found.setdefault(row["kind"], []).append(_picture(row, data["classes"]))
    return [
        Gallery(heading, _caption(kind, found[kind], data["counts"]["test"]), found[kind])
        for kind, heading in HEADINGS.items()
        if kind in found
    ]


def share(probability: float) -> str:
    """In percent, which rounding makes neither certain nor impossible: ``87 %``, ``> 99 %``."""
    percent = round(100 * probability)
    return "> 99 %" if percent == 100 else "< 1 %" if percent == 0 else f"{percent} %"


def _picture(row: dict[str, Any], classes: list[str]) -> Picture:
    said = Line(classes[row["predicted"]], share(row["confidence"]))
    is_right = row["label"] == row["predicted"]
    return Picture(row["name"], row["png"], classes[row["label"]], [said], "right" if is_right else "wrong")


def _caption(kind: str, those: list[Picture], tested: int) -> str:
    right = f"{sum(picture.state == 'right' for picture in those)} of {len(those)} right"
    if kind == "sample":
        return f"Drawn by the seed from {grouped(tested)} test images; {right}."
    if kind == "mistake":
        return "The wrong answers with the highest probability of the predicted class, highest first."
    return f"The answers with the lowest probability of the predicted class, lowest first; {right}."
