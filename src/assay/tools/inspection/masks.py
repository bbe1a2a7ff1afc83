"""What there is to say of masks: void, classes by their pixels and absent from a split, constant masks, specks."""

import numpy as np
import polars as pl
from jaxtyping import Int64
from scipy import ndimage

from assay.data.own_masks import VOID, Mask
from assay.data.sources.class_list import is_void
from assay.data.targets import Masks
from assay.language.script import as_name
from assay.language.speech import plural, say
from assay.report.figures import Figure
from assay.report.tables import Cell, Column, Table
from assay.results.formats import fixed, grouped
from assay.tools.inspection import charts
from assay.tools.inspection.in_words import named, share
from assay.tools.inspection.inspecting import Inspection, split_names

SPECK = 9
"""Pixels of a region at most, 3 × 3, that is hardly an object."""
_LOOKED_AT = 200
"""Masks, evenly spaced, in which regions are told apart."""


def pixel_frame(found: Inspection, masks: Masks) -> pl.DataFrame:
    """Of each class and split: pixels, their share of those that are not void, and images with any of them."""
    rows = []
    splits, classes = np.array(split_names(found)), found.images.classes
    for name in dict.fromkeys(splits.tolist()):
        counts = masks.counts[splits == name].astype(np.int64)
        pixels, images = counts.sum(axis=0), (counts > 0).sum(axis=0)
        known = max(int(pixels[:VOID].sum()), 1)
        rows += [
            {"class": c, "split": name, "pixels": int(pixels[k]), "percent": 100 * int(pixels[k]) / known,
             "images": int(images[k])}
            for k, c in enumerate(classes)
        ]  # fmt: skip
    return pl.DataFrame(rows)


def pixel_figure(frame: pl.DataFrame) -> Figure:
    """The classes' shares of the pixels by split."""
    order = frame["class"].unique(maintain_order=True).to_list()
    caption = say("Of the pixels of a split that are not void, in the pictures' own size.")
    alt = say("Shares of the pixels of {n} classes, by split.", n=len(order))
    return Figure("classes", say("Pixels of each class"), caption, alt, charts.class_pixels(frame, order), frame)


def pixel_table(frame: pl.DataFrame) -> Table:
    """The same as numbers, with how many pictures show a class."""
    splits = frame["split"].unique(maintain_order=True).to_list()
    wide = frame.pivot("split", index="class", values=["percent", "images"], maintain_order=True)
    columns, lines = [Column(say("class"), "left")], []
    for split in splits:
        of = "" if split == "all" else f"{say(split)}: "
        columns += [Column(of + say("pixels (%)")), Column(of + say("pictures with it"))]
    if len(splits) == 1:
        wide = wide.rename({key: f"{key}_{splits[0]}" for key in ("percent", "images") if key in wide.columns})
    for row in wide.iter_rows(named=True):
        lines.append([Cell(row["class"], is_name=True)])
        for split in splits:
            lines[-1] += [Cell(fixed(row[f"percent_{split}"], 2)), Cell(grouped(row[f"images_{split}"]))]
    caption = say("By the pixels of the masks as they are in their files.")
    return Table("classes", caption, columns, lines, wide)


def sentences(found: Inspection, masks: Masks) -> list[str]:
    """The most important first."""
    return [
        *_void(found, masks),
        *_absent(found, masks),
        *_constant(found, masks),
        *_specks(found, masks),
        *sizes(found),
    ]


def _void(found: Inspection, masks: Masks) -> list[str]:
    totals = masks.counts.sum(axis=0, dtype=np.int64)
    void, pixels = int(totals[VOID]), int(totals.sum())
    ignored = say(" (with data.ignore)") if found.data.ignore is not None else ""
    texts = [
        say(
            "{share} of the pixels are void{ignored}: they are neither learned nor measured.",
            share=share(void, pixels),
            ignored=ignored,
        )
    ] * (void > 0)
    for k, name in enumerate(found.images.classes):
        if is_void(name):
            texts.append(
                say(
                    "The class '{name}', {share} of the pixels, is learned and measured like any other; ignore: {name} "
                    "in the recipe's data makes it void.",
                    name=as_name(name),
                    share=share(int(totals[k]), pixels),
                )
            )
    return texts


def _absent(found: Inspection, masks: Masks) -> list[str]:
    """Of each split; what no mask has at all is remarked of every source."""
    splits, classes, texts = np.array(split_names(found)), found.images.classes, []
    has = masks.counts[:, : len(classes)] > 0
    for name in dict.fromkeys(splits.tolist()):
        lost = [classes[k] for k in np.flatnonzero(has.any(axis=0) & ~has[splits == name].any(axis=0))]
        if lost:
            texts.append(
                plural(
                    "{classes} is not in the {split} masks: nothing can be said of it there.",
                    "{classes} are not in the {split} masks: nothing can be said of them there.",
                    len(lost),
                    classes=named(lost),
                    split=say(name),
                )
            )
    return texts


def _constant(found: Inspection, masks: Masks) -> list[str]:
    known = (masks.counts[:, :VOID] > 0).sum(axis=1)
    rows = np.flatnonzero((known == 1) & (len(found.images.classes) > 1))
    if not len(rows):
        return []
    return [
        plural(
            "{n:,} mask has one class throughout, the first that of {first}.",
            "{n:,} masks have one class throughout, the first that of {first}.",
            len(rows),
            first=as_name(found.images.names[rows[0]]),
        )
    ]


def _specks(found: Inspection, masks: Masks) -> list[str]:
    rows = np.unique(np.linspace(0, len(masks) - 1, _LOOKED_AT).astype(int))
    classes = [(k, name) for k, name in enumerate(found.images.classes) if not is_void(name)]
    sizes = [np.concatenate([region_sizes(masks.own(int(i)), k) for i in rows]) for k, _ in classes]
    specks = [int((each <= SPECK).sum()) for each in sizes]
    if not (number := sum(specks)):
        return []
    most = classes[int(np.argmax(specks))][1]
    regions = sum(map(len, sizes))
    return [
        say(
            "Of {regions:,} regions in {masks}, {number:,} ({share}) have at most {speck} pixels, most of them of "
            "'{most}': slips of the pen, or small things that a resize takes away.",
            regions=regions,
            masks=plural("{n:,} mask", "{n:,} masks", len(rows)),
            number=number,
            share=share(number, regions),
            speck=SPECK,
            most=as_name(most),
        )
    ]


def region_sizes(mask: Mask, number: int) -> Int64[np.ndarray, " regions"]:
    """Pixels of each region of a class: what hangs together by sides or corners."""
    regions, n = ndimage.label(mask == number, structure=np.ones((3, 3)))
    return np.bincount(regions.ravel(), minlength=n + 1)[1:].astype(np.int64)


def sizes(found: Inspection) -> list[str]:
    """That the pictures have many sizes, where they do."""
    if found.images.sizes is None:
        return []
    different, counts = np.unique(found.images.sizes, axis=0, return_counts=True)
    if len(different) < 2:
        return []
    by_area = different[np.argsort(different.prod(axis=1), kind="stable")]
    low, high, usual = (f"{h}×{w}" for h, w in (by_area[0], by_area[-1], different[counts.argmax()]))
    return [
        say(
            "The pictures have {n:,} sizes, from {low} to {high} (height×width), most often {usual}: size in the "
            "recipe's data brings them to one, and fit: letterbox keeps their proportions.",
            n=len(different),
            low=low,
            high=high,
            usual=usual,
        )
    ]
