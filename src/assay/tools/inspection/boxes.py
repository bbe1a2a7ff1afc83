"""What there is to say of boxes: by class, split and size, classes absent from a split, and boxes that stand twice."""

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64, UInt8
from PIL import Image, ImageDraw

from assay.data.boxes import Boxes
from assay.language.script import as_name
from assay.language.speech import plural, say
from assay.report.figures import Figure
from assay.report.tables import Cell, Column, Table
from assay.results.formats import fixed, grouped
from assay.tasks.box_matching import Area, Detections, Objects, images_of, of_area, pairs
from assay.tools.inspection import charts
from assay.tools.inspection.in_words import images_text, named
from assay.tools.inspection.inspecting import Inspection, split_names
from assay.tools.inspection.masks import sizes

Edges = Float32[np.ndarray, "m 4"]
Rows = Int64[np.ndarray, " m"]
SIZES: tuple[Area, ...] = ("small", "medium", "large")
COUNTS = ("boxes", "images", *SIZES)
TWICE = 0.8
"""Two boxes of a class with more of their union in common are taken for one thing drawn twice."""
FEW = 30
"""Boxes of a size in the test images on which an average precision hardly rests."""
SHOWN, SIDE = 20, 224


def box_frame(found: Inspection, boxes: Boxes) -> pl.DataFrame:
    """Of each class and split: boxes, images with any, and boxes by size."""
    there, splits = _objects(boxes), np.array(split_names(found))
    image, of_size = images_of(there), {size: of_area(there.edges, size) for size in SIZES}
    rows = []
    for split in dict.fromkeys(splits.tolist()):
        for k, name in enumerate(found.images.classes):
            here = (splits[image] == split) & (boxes.labels == k)
            by_size = {size: int(own[here].sum()) for size, own in of_size.items()}
            rows.append(
                {"class": name, "split": split, "boxes": int(here.sum()), "images": len(set(image[here].tolist()))}
                | by_size
            )
    return pl.DataFrame(rows, schema={"class": pl.String, "split": pl.String} | dict.fromkeys(COUNTS, pl.Int64))


def box_figure(frame: pl.DataFrame) -> Figure:
    """Boxes of each class by split."""
    order = frame["class"].unique(maintain_order=True).to_list()
    low, high = (int(each) for each in frame.group_by("class").agg(pl.col("boxes").sum())["boxes"].sort()[[0, -1]])
    alt = say("Boxes of {n} classes, from {low:,} to {high:,} each.", n=len(order), low=low, high=high)
    return Figure("classes", say("Boxes of each class"), "", alt, charts.class_boxes(frame, order), frame)


def box_table(frame: pl.DataFrame) -> Table:
    """The same as numbers, by size."""
    columns = [Column(say("class"), "left"), Column(say("split"), "left")]
    columns += [Column(say("boxes")), Column(say("pictures with one")), *(Column(say(size)) for size in SIZES)]
    lines = [
        [Cell(row["class"], is_name=True), Cell(say(row["split"])), *(Cell(grouped(row[key])) for key in COUNTS)]
        for row in frame.iter_rows(named=True)
    ]
    caption = say(
        "Small: up to 32 × 32 pixels of their own picture; large: from 96 × 96; a box of just so many counts on both "
        "sides, as COCO has it."
    )
    return Table("classes", caption, columns, lines, frame)


def double_frame(found: Inspection, boxes: Boxes) -> pl.DataFrame:
    """Pairs of boxes of one class that overlap by more than ``TWICE``, in the pixels of their pictures."""
    there = _objects(boxes)
    said = Detections(there.edges, there.labels, np.ones(len(there.labels), np.float32), there.starts)
    near = pairs(there, said, len(found.images.classes), np.arange(len(there.labels)), TWICE)
    image = images_of(there)
    rows = [
        {
            "image": found.images.names[image[a]],
            "class": found.images.classes[boxes.labels[a]],
            "box": _text(there.edges[a]),
            "other": _text(there.edges[b]),
            "overlap": overlap,
        }
        for a, b, overlap in zip(*(part.tolist() for part in near), strict=True)
        if a < b and overlap > TWICE
    ]
    frame = pl.DataFrame(rows, schema={"image": str, "class": str, "box": str, "other": str, "overlap": float})
    return frame.sort("overlap", descending=True, maintain_order=True)


def double_table(frame: pl.DataFrame) -> Table:
    """The pairs that overlap most."""
    names = (say("image"), say("class"), say("box"), say("other"))
    columns = [*(Column(name, "left") for name in names), Column(say("overlap"))]
    lines = [
        [Cell(row["image"], is_name=True), Cell(row["class"], is_name=True), Cell(row["box"]), Cell(row["other"]),
         Cell(fixed(row["overlap"], 3))]
        for row in frame.head(SHOWN).iter_rows(named=True)
    ]  # fmt: skip
    more = say(" The first {shown} of {n:,}.", shown=SHOWN, n=len(frame)) if len(frame) > SHOWN else ""
    caption = say("Pairs of boxes of one class with more than {share:g} of their union in common.", share=TWICE)
    return Table("double-boxes", caption + more, columns, lines, frame)


def sentences(found: Inspection, boxes: Boxes) -> list[str]:
    """The most important first."""
    frame = box_frame(found, boxes)
    return [
        *_absent(frame),
        *_twice(found, boxes),
        *_few(frame),
        *_without(found, boxes),
        *_flagged(boxes),
        *sizes(found),
    ]


def _absent(frame: pl.DataFrame) -> list[str]:
    """Of each split; what no picture shows at all is remarked of every source."""
    somewhere, texts = set(frame.filter(pl.col("boxes") > 0)["class"]), []
    if not somewhere:
        return [say("No image has a box.")]
    for (split,), part in frame.group_by("split", maintain_order=True):
        lost = part.filter(pl.col("boxes") == 0, pl.col("class").is_in(somewhere))["class"].to_list()
        if len(lost) == len(somewhere):
            texts.append(say("No {split} image has a box.", split=say(split)))  # type: ignore[arg-type]
        elif lost:
            texts.append(
                plural(
                    "{classes} has no box in the {split} images: nothing can be said of it there.",
                    "{classes} have no box in the {split} images: nothing can be said of them there.",
                    len(lost),
                    classes=named(lost),
                    split=say(split),  # type: ignore[arg-type]
                )
            )
    return texts


def _twice(found: Inspection, boxes: Boxes) -> list[str]:
    frame = double_frame(found, boxes)
    if not len(frame):
        return []
    row = frame.row(0, named=True)
    return [
        plural(
            "{n:,} pair of boxes of one class, in {images}, has more than {share:g} of their union in common: things "
            "drawn twice; most alike are two of '{name}' in {image}, {overlap}.",
            "{n:,} pairs of boxes of one class, in {images}, have more than {share:g} of their union in common: things "
            "drawn twice; most alike are two of '{name}' in {image}, {overlap}.",
            len(frame),
            images=images_text(frame["image"].n_unique()),
            share=TWICE,
            name=as_name(row["class"]),
            image=as_name(row["image"]),
            overlap=fixed(row["overlap"], 2),
        )
    ]


def _few(frame: pl.DataFrame) -> list[str]:
    test = frame.filter(pl.col("split") == "test")
    few = [f"{n:,} {say(of)}" for of in SIZES if 0 < (n := int(test[of].sum())) < FEW]
    if not few:
        return []
    text = say("Among the test images' boxes are {few} ones: average precision of so few says little.")
    return [text.format(few=say(" and ").join(few))]


def _without(found: Inspection, boxes: Boxes) -> list[str]:
    empty = np.flatnonzero(boxes.counts == 0)
    if not len(empty):
        return []
    return [
        plural(
            "{n:,} image has no box, the first is {first}: nothing is there, or nobody looked.",
            "{n:,} images have no box, the first is {first}: nothing is there, or nobody looked.",
            len(empty),
            first=as_name(found.images.names[empty[0]]),
        )
    ]


def _flagged(boxes: Boxes) -> list[str]:
    n = int(np.count_nonzero(boxes.flags))
    text = plural(
        "{n:,} of {all:,} boxes is difficult or a crowd: neither learned nor measured.",
        "{n:,} of {all:,} boxes are difficult or a crowd: neither learned nor measured.",
        n,
        all=len(boxes.flags),
    )
    return [text] * (n > 0)


def drawn(
    pixels: UInt8[np.ndarray, "channels h w"],
    edges: Edges,
    labels: Rows,
    colours: UInt8[np.ndarray, "classes 3"],
    bold: int = 0,
) -> UInt8[np.ndarray, "3 height width"]:
    """A picture of at most 224 pixels a side, enlarged to that by whole numbers, with its boxes in colour; so many of
    the last ones ``bold``."""
    picture = Image.fromarray(np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0).copy())
    largest = max(picture.size)
    scale = max(1, SIDE // largest) if largest <= SIDE else SIDE / largest
    width, height = (max(1, round(side * scale)) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX)
    pen = ImageDraw.Draw(picture)
    widths = [1] * (len(edges) - bold) + [3] * bold
    for (x1, y1, x2, y2), label, line in zip((edges * scale).tolist(), labels.tolist(), widths, strict=True):
        corners = (x1, y1, max(x1, x2 - 1), max(y1, y2 - 1))
        pen.rectangle(corners, outline=tuple(colours[label].tolist()), width=line)
    return np.asarray(picture).transpose(2, 0, 1)


def _objects(boxes: Boxes) -> Objects:
    """In the pixels of their own pictures; none has a flag."""
    return Objects(boxes.own_edges, boxes.labels, np.zeros_like(boxes.flags), boxes.starts)


def _text(box: Float32[np.ndarray, " 4"]) -> str:
    return ", ".join(f"{edge:.4g}" for edge in box.tolist())
