"""The section of pictures, of label maps: picture, truth, answer, what is wrong, and where the network is unsure."""

from typing import Any

import numpy as np

from assay.data.palette import palette, with_void
from assay.data.targets import VOID
from assay.report.section import Name, Section, Strip, Strips, Swatches
from assay.report.subject import Subject
from assay.results.formats import grouped, with_unit
from assay.tasks.segmentation.maps import decoded, png

HEADINGS = {"worst": "The worst", "middle": "In the middle", "best": "The best", "sample": "A sample"}
"""Of each kind of picture, in the order of the page."""
CAPTIONS = {
    "worst": "The lowest mean IoU over the classes of the image.",
    "middle": "Around the median.",
    "best": "The highest mean IoU.",
    "sample": "Drawn by the seed from {} test images.",
}
PANELS = ("picture", "truth", "answer", "wrong", "unsure")
SHOWS = (
    "makes of test images. Wrong: pixels that were given another class, in the colour of the answer; gray ones are "
    "right, white ones of no known class. Unsure: white is sure, the darker the closer to mere chance."
)
RIGHT = (222, 222, 222)


def section(subject: Subject) -> Section | None:
    """The pictures that the first finished seed of the best variant has kept."""
    runs = subject.runs(subject.best) if subject.best else []
    if not runs or not (runs[0].folder / "pictures.parquet").exists():
        return None
    about = subject.results.data(runs[0])
    classes = about["classes"]
    colours = palette(classes, about.get("colours"))
    table, kinds = subject.results.pictures(runs[0]), dict[str, list[Strip]]()
    for row in table.iter_rows(named=True):
        kinds.setdefault(row["kind"], []).append(strip(row, colours))
    panels = PANELS if "unsure" in table.columns else PANELS[:-1]
    tested = grouped(about["counts"]["test"])
    legend = {name: "#" + bytes(colour).hex() for name, colour in zip(classes, colours.tolist(), strict=True)}
    parts = [
        Strips(heading, CAPTIONS[kind].format(tested), panels, kinds[kind])
        for kind, heading in HEADINGS.items()
        if kind in kinds
    ]
    shown = ("What ", Name(subject.shown[str(subject.best)]), f", seed {runs[0].seed}, ", SHOWS)
    return Section("pictures", "Pictures", shown, [Swatches(legend), *parts])


def strip(row: dict[str, Any], colours: np.ndarray) -> Strip:
    """The panels of one picture."""
    truth, said = decoded(row["truth"]), decoded(row["said"])
    wrong = np.where(truth == VOID, VOID, np.where(said == truth, VOID - 1, said)).astype(np.uint8)
    full = with_void(colours)
    marked = full.copy()
    marked[VOID - 1] = RIGHT
    panels = [row["png"], png(truth, full), png(said, full), png(wrong, marked)]
    panels += [row["unsure"]] if "unsure" in row else []  # which runs of older versions lack
    note = "no known pixel" if row["miou"] is None else f"IoU {with_unit(row['miou'], 'miou')}"
    return Strip(row["name"], note, panels)
