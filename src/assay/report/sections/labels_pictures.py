"""The section of pictures, of labels: a sample, the surest false alarms and misses, the least sure answers."""

from typing import Any

from assay.report.section import Gallery, Line, Name, Picture, Section
from assay.report.sections.pictures import share
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


def section(subject: Subject) -> Section | None:
    """The pictures of one run: the first finished seed of the best variant."""
    found = galleries(subject, subject.best)
    if subject.best is None or not found:
        return None
    caption = (
        "What ",
        Name(subject.shown[subject.best]),
        f", seed {subject.runs(subject.best)[0].seed}, makes of test images. Bold: the labels that are there; below "
        "them those that are said, right (✓) only where all are, or the answer about one label, with its probability.",
    )
    return Section("pictures", "Pictures", caption, found)


def galleries(subject: Subject, variant: str | None) -> list[Gallery]:
    """The pictures kept by the first finished seed of ``variant``, each kind that has any."""
    runs = subject.runs(variant) if variant else []
    if not runs or not (runs[0].folder / "pictures.parquet").exists():
        return []
    found: dict[str, list[Picture]] = {}
    for row in subject.results.pictures(runs[0]).iter_rows(named=True):
        found.setdefault(row["kind"], []).append(_picture(row))
    tested = subject.results.data(runs[0])["counts"]["test"]
    return [
        Gallery(heading, _caption(kind, found[kind], tested), found[kind])
        for kind, heading in HEADINGS.items()
        if kind in found
    ]


def _picture(row: dict[str, Any]) -> Picture:
    truth, said, label = row["tags"], row["predicted"], row["label"]
    if label is None:
        line, is_right = Line(", ".join(said) or NONE), truth == said
    else:
        words = label if label in said else f"not {label}"
        line, is_right = Line(words, share(row["probability"])), (label in truth) == (label in said)
    return Picture(row["name"], row["png"], ", ".join(truth) or NONE, [line], "right" if is_right else "wrong")


def _caption(kind: str, those: list[Picture], tested: int) -> str:
    right = f"{sum(picture.state == 'right' for picture in those)} of {len(those)} right"
    return {
        "sample": f"Drawn by the seed from {grouped(tested)} test images; all labels of {right}.",
        "false_alarm": "Labels that are said and not there, those with the highest probability first.",
        "miss": "Labels that are there and not said, those with the lowest probability first.",
        "unsure": f"Labels with a probability next to one half; {right}.",
    }[kind]
