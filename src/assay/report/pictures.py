"""Results → the test images on the page: a sample, the surest mistakes, the least sure answers."""

from dataclasses import dataclass

from assay.report.document import data_address
from assay.report.subject import Subject
from assay.results.formats import grouped

HEADINGS = {"sample": "A sample", "mistake": "The surest mistakes", "unsure": "The least sure"}
"""Of each kind of picture, in the order of the page."""


@dataclass(frozen=True)
class Picture:
    """An image with what it is and what it was taken for."""

    name: str
    truth: str
    predicted: str
    confidence: float
    """The probability of the predicted class."""
    source: str
    """A ``data:`` address."""
    width: int
    height: int

    @property
    def right(self) -> bool:
        """Whether the prediction is correct."""
        return self.truth == self.predicted

    @property
    def small(self) -> bool:
        """Whether enlarging should keep its pixels apart."""
        return max(self.width, self.height) <= 64

    @property
    def share(self) -> str:
        """The confidence in percent, which rounding makes neither certain nor impossible: ``87 %``, ``> 99 %``."""
        percent = round(100 * self.confidence)
        return "> 99 %" if percent == 100 else "< 1 %" if percent == 0 else f"{percent} %"


@dataclass(frozen=True)
class Gallery:
    """Pictures chosen in one way."""

    heading: str
    caption: str
    pictures: list[Picture]


def galleries(subject: Subject, variant: str | None) -> list[Gallery]:
    """The pictures kept by the first finished seed of ``variant``, each kind that has any; an older run has fewer."""
    runs = subject.runs(variant) if variant else []
    if not runs or not (runs[0].folder / "pictures.parquet").exists():
        return []
    data = subject.results.data(runs[0])
    found: dict[str, list[Picture]] = {}
    for row in subject.results.pictures(runs[0]).iter_rows(named=True):
        truth, predicted = data["classes"][row["label"]], data["classes"][row["predicted"]]
        source, size = data_address(row["png"]), _png_size(row["png"])
        found.setdefault(row["kind"], []).append(
            Picture(row["name"], truth, predicted, row["confidence"], source, *size)
        )
    return [
        Gallery(heading, _caption(kind, found[kind], data["counts"]["test"]), found[kind])
        for kind, heading in HEADINGS.items()
        if kind in found
    ]


def _caption(kind: str, those: list[Picture], tested: int) -> str:
    right = f"{sum(picture.right for picture in those)} of {len(those)} right"
    if kind == "sample":
        return f"Drawn by the seed from {grouped(tested)} test images; {right}."
    if kind == "mistake":
        return "The wrong answers with the highest probability of the predicted class, highest first."
    return f"The answers with the lowest probability of the predicted class, lowest first; {right}."


def _png_size(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
