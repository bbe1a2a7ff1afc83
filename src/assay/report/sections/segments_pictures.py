"""The section of pictures, of label maps: picture, truth, answer, what is wrong, and where the network is unsure."""

from typing import Any

import numpy as np

from assay.data.palette import palette, with_void
from assay.data.targets import VOID
from assay.language.speech import later, say
from assay.report.section import Name, Section, Strip, Strips, Swatches
from assay.report.subject import Subject
from assay.results.formats import grouped, with_unit
from assay.tasks.segmentation.maps import decoded, png

HEADINGS = {
    "worst": later("The worst"),
    "middle": later("In the middle"),
    "best": later("The best"),
    "sample": later("A sample"),
}
"""Of each kind of picture, in the order of the page."""
CAPTIONS = {
    "worst": later("The lowest mean IoU over the classes of the image."),
    "middle": later("Around the median."),
    "best": later("The highest mean IoU."),
    "sample": later("Drawn by the seed from {n} test images."),
}
PANELS = later("picture"), later("truth"), later("answer"), later("wrong"), later("unsure")
SHOWS = later(
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
    panels = [say(panel) for panel in (PANELS if "unsure" in table.columns else PANELS[:-1])]
    tested = grouped(about["counts"]["test"])
    legend = {name: "#" + bytes(colour).hex() for name, colour in zip(classes, colours.tolist(), strict=True)}
    parts = [
        Strips(say(heading), say(CAPTIONS[kind], n=tested), panels, kinds[kind])
        for kind, heading in HEADINGS.items()
        if kind in kinds
    ]
    of_seed = say(", seed {seed}, ", seed=runs[0].seed)
    shown = (say("What "), Name(subject.shown[str(subject.best)]), of_seed, say(SHOWS))
    return Section("pictures", say("Pictures"), shown, [Swatches(legend), *parts])


def strip(row: dict[str, Any], colours: np.ndarray) -> Strip:
    """The panels of one picture."""
    truth, said = decoded(row["truth"]), decoded(row["said"])
    wrong = np.where(truth == VOID, VOID, np.where(said == truth, VOID - 1, said)).astype(np.uint8)
    full = with_void(colours)
    marked = full.copy()
    marked[VOID - 1] = RIGHT
    panels = [row["png"], png(truth, full), png(said, full), png(wrong, marked)]
    panels += [row["unsure"]] if "unsure" in row else []  # which runs of older versions lack
    note = say("no known pixel") if row["miou"] is None else f"IoU {with_unit(row['miou'], 'miou')}"
    return Strip(row["name"], note, panels)
