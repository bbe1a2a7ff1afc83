"""The section of pictures, of regression: a sample, and those with the largest losses."""

from typing import Any

from assay.report.section import Gallery, Line, Name, Picture, Section
from assay.report.subject import SEPARATOR, Subject
from assay.results.formats import grouped
from assay.results.metrics import number

HEADINGS = {"sample": "A sample", "worst": "The worst"}
"""Of each kind of picture, in the order of the page."""


def section(subject: Subject) -> Section | None:
    """The pictures of one run: the first finished seed of the best variant."""
    runs = subject.runs(subject.best) if subject.best else []
    if subject.best is None or not (runs[0].folder / "pictures.parquet").exists():
        return None
    data = subject.results.data(runs[0])
    found: dict[str, list[Picture]] = {}
    for row in subject.results.pictures(runs[0]).iter_rows(named=True):
        found.setdefault(row["kind"], []).append(_picture(row))
    captions = {
        "sample": f"Drawn by the seed from {grouped(data['counts']['test'])} test images.",
        "worst": "The largest losses of all test images, largest first.",
    }
    caption = (
        "What ",
        Name(subject.shown[subject.best]),
        f", seed {runs[0].seed}, says of test images. Bold: the true ",
        Name(SEPARATOR.join(data["classes"])),
        "; below it what is predicted, and how far that is off.",
    )
    galleries = [Gallery(HEADINGS[kind], captions[kind], found[kind]) for kind in HEADINGS if kind in found]
    return Section("pictures", "Pictures", caption, galleries) if galleries else None


def _picture(row: dict[str, Any]) -> Picture:
    truth, said = row["truth"], row["said"]
    off = [_signed(said[target] - truth[target]) for target in truth]
    line = Line(SEPARATOR.join(_number(value) for value in said.values()), SEPARATOR.join(off))
    return Picture(row["name"], row["png"], SEPARATOR.join(_number(value) for value in truth.values()), [line])


def _number(value: float) -> str:
    return number(value).replace("-", "−")


def _signed(value: float) -> str:
    """To two digits."""
    return f"{value:+.2g}".replace("-", "−") if abs(value) < 1000 else _number(value)
