"""The section of pictures, of boxes: what is there dashed, what was said solid, each class in its colour."""

from collections.abc import Mapping
from typing import Any

from assay.data.palette import palette
from assay.language.script import as_name, digits
from assay.language.speech import later, plural, say
from assay.report.frames import Framed, Frames, Mark
from assay.report.section import Name, Section, Swatches
from assay.report.subject import Subject
from assay.results.formats import grouped

HEADINGS = {
    "sample": later("A sample"),
    "false_alarm": later("The dearest false alarms"),
    "miss": later("The dearest misses"),
    "near": later("Nearest to the threshold"),
}
"""Of each kind of picture, in the order of the page."""
CAPTIONS = {
    "sample": later("Drawn by the seed from {n} test images."),
    "false_alarm": later("The boxes of the highest scores that hit nothing, one an image."),
    "miss": later(
        "Objects that no box of their class hits above its threshold: first those that none hits at all, the largest "
        "of them first."
    ),
    "near": later("The boxes whose scores lie nearest to the threshold of their class, on either side of it."),
}
SHOWS = later(
    "finds in test images. Dashed: what is there; solid: what was said, above the threshold of its class. The pointer, "
    "or the arrow keys in a picture, tell class, score and IoU."
)


def section(subject: Subject) -> Section | None:
    """The pictures that the first finished seed of the best variant has kept."""
    runs = subject.runs(subject.best) if subject.best else []
    if not runs or not (runs[0].folder / "pictures.parquet").exists():
        return None
    about, metrics = subject.results.data(runs[0]), subject.results.metrics(runs[0])
    classes = about["classes"]
    colours = palette(classes, about.get("colours")).tolist()
    named = {name: "#" + bytes(colour).hex() for name, colour in zip(classes, colours, strict=True)}
    kinds: dict[str, list[Framed]] = {}
    for row in subject.results.pictures(runs[0]).iter_rows(named=True):
        kinds.setdefault(row["kind"], []).append(framed(row, named, metrics))
    tested = grouped(about["counts"]["test"])
    parts = [
        Frames(say(heading), say(CAPTIONS[kind], n=tested), kinds[kind])
        for kind, heading in HEADINGS.items()
        if kind in kinds
    ]
    seen = {mark.name for frames in parts for picture in frames.pictures for mark in picture.marks}
    of_seed = say(", seed {seed}, ", seed=runs[0].seed)
    shown = (say("What "), Name(subject.shown[str(subject.best)]), of_seed, say(SHOWS))
    legend = Swatches({name: colour for name, colour in named.items() if name in seen})
    return Section("pictures", say("Pictures"), shown, [legend, *parts])


def framed(row: dict[str, Any], colours: Mapping[str, str], metrics: Mapping[str, Any]) -> Framed:
    """A picture with its marks: large ones first, so that none hides a smaller one."""
    classes = list(colours)
    focus = row["focus"]
    marks = [*true_marks(row, classes, colours), *said_marks(row, classes, colours, metrics)]
    lifted = next((mark.words for mark in marks if mark.is_lifted), "")
    if focus is None:
        lifted = digits(plural("{n} object", "{n} objects", len(row["true_boxes"])))
    return Framed(
        row["name"], row["png"], (row["width"], row["height"]), lifted, sorted(marks, key=_area, reverse=True)
    )


def true_marks(row: dict[str, Any], classes: list[str], colours: Mapping[str, str]) -> list[Mark]:
    """What is there."""
    marks = []
    for i, (edges, label, flag) in enumerate(zip(row["true_boxes"], row["true_classes"], row["flags"], strict=True)):
        name, score = classes[label], row["found"][i]
        found = say("found with {score:.2f}", score=score) if score else say("found by no box")
        words = say("there: {name}, {found}", name=as_name(name), found=say("counts nowhere") if flag else found)
        is_lifted = row["kind"] == "miss" and row["focus"] == i
        marks.append(Mark(tuple(edges), name, digits(words), colours[name], True, is_lifted))
    return marks


def said_marks(
    row: dict[str, Any], classes: list[str], colours: Mapping[str, str], metrics: Mapping[str, Any]
) -> list[Mark]:
    """What was said above the thresholds, and the box that the picture is shown for."""
    marks = []
    for i, (edges, label, score) in enumerate(zip(row["boxes"], row["classes"], row["scores"], strict=True)):
        name, threshold = classes[label], metrics.get(f"threshold_{classes[label]}", 0.5)
        is_lifted = row["kind"] in ("false_alarm", "near") and row["focus"] == i
        if score >= threshold or is_lifted:
            words = f"{as_name(name)} {score:.2f}{say(', ')}{_overlap(row['ious'][i], row['on'][i], label, classes)}"
            if row["kind"] == "near" and is_lifted:
                words += say(" (threshold {threshold:.2f})", threshold=threshold)
            marks.append(Mark(tuple(edges), name, digits(words), colours[name], False, is_lifted))
    return marks


def _overlap(iou: float, on: int, label: int, classes: list[str]) -> str:
    if on < 0:
        return say("on no object")
    other = say(" with {name}", name=as_name(classes[on])) if on != label else ""
    return f"IoU {iou:.2f}" + other


def _area(mark: Mark) -> float:
    left, top, right, bottom = mark.edges
    return (right - left) * (bottom - top)
