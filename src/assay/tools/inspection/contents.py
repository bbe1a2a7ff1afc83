"""Inspection → tables, figures and frames: the numbers on the page and in the files beside it."""

import numpy as np
import polars as pl
from jaxtyping import Int64

from assay.language.speech import plural, say
from assay.report.figures import Figure
from assay.report.tables import Cell, Column, Table
from assay.results.formats import fixed
from assay.tools.inspection import charts
from assay.tools.inspection.inspecting import Inspection, split_names
from assay.tools.inspection.leaks import Leak
from assay.tools.inspection.truth import in_words, noun

Indices = Int64[np.ndarray, " _"]
_BINS = 64
_BLOCK = 2**24


def channels(found: Inspection) -> tuple[Table, Figure]:
    """Range, mean and distribution of the values of each channel."""
    counts = value_counts(found)
    names = ["red", "green", "blue"] if len(counts) == 3 else ["gray"]
    levels = np.arange(256)
    rows, bins, lines = [], [], []
    for name, count in zip(names, counts, strict=True):
        total = count.sum()
        there = np.flatnonzero(count)
        low, high = int(there[0]), int(there[-1])
        mean = float((count * levels).sum() / total)
        deviation = float(np.sqrt((count * (levels - mean) ** 2).sum() / total))
        black, white = float(count[0] / total), float(count[255] / total)
        numbers = {"lowest": low, "highest": high, "mean": mean, "deviation": deviation}
        rows.append({"channel": name, **numbers, "share_0": black, "share_255": white})
        lines.append(
            [Cell(say(name)), Cell(str(low)), Cell(str(high)), Cell(fixed(mean, 1)), Cell(fixed(deviation, 1))]
        )
        lines[-1] += [Cell(fixed(100 * black, 2)), Cell(fixed(100 * white, 2))]
        width = 256 // _BINS
        for k, number in enumerate(count.reshape(_BINS, width).sum(axis=1)):
            percent = float(100 * number / total)
            bins.append({"channel": name, "low": k * width, "high": (k + 1) * width, "percent": percent})
    headings = (say("lowest"), say("highest"), say("mean"), say("deviation"), say("at 0 (%)"), say("at 255 (%)"))
    columns = [Column(say("channel"), "left"), *map(Column, headings)]
    table = Table("channels", say("Values from 0 to 255, over all images."), columns, lines, pl.DataFrame(rows))
    frame = pl.DataFrame(bins)
    text = plural(
        "Distribution of the pixel values of {n} channel in bins of four.",
        "Distribution of the pixel values of {n} channels in bins of four.",
        len(names),
    )
    caption = say("In bins of four values.")
    return table, Figure("values", say("Values of the pixels"), caption, text, charts.values(frame), frame)


def value_counts(found: Inspection) -> Int64[np.ndarray, "channels 256"]:
    """How often each value occurs in each channel."""
    pixels = found.images.pixels
    counts = np.zeros((pixels.shape[1], 256), dtype=np.int64)
    step = max(1, _BLOCK // pixels[0].size)
    for start in range(0, len(pixels), step):
        block = pixels[start : start + step]
        for channel in range(len(counts)):
            counts[channel] += np.bincount(block[:, channel].ravel(), minlength=256)
    return counts


def closeness_figure(found: Inspection) -> Figure:
    """How close each image's nearest one is, beside the threshold."""
    edges = np.linspace(0, 1, 41)
    nearest, threshold = np.minimum(found.copies.closeness.min(axis=1), 1.0), found.copies.threshold
    counts = np.histogram(nearest, edges)[0]
    frame = pl.DataFrame({"low": edges[:-1], "high": edges[1:], "images": counts})
    frame = frame.with_columns(copy=pl.col("low") < threshold)
    return Figure(
        "closeness",
        say("How close the nearest image is"),
        say(
            "Near copies lie left of the dashed line, at {threshold:.2f}. A hump on the left that stands apart is a "
            "sign of copies; a slope without a gap means that the line could as well be drawn elsewhere.",
            threshold=threshold,
        ),
        say(
            "Distribution over {n:,} images of the distance to the nearest image; {copied:,} have a near copy.",
            n=len(nearest),
            copied=int(found.copies.copied.sum()),
        ),
        charts.closeness(frame, threshold),
        frame,
    )


def image_frame(found: Inspection) -> pl.DataFrame:
    """Every image: name, what is true of it, split, family of near copies, sample score of a label, original."""
    images, families = found.images, found.copies.families
    columns = {
        "image": images.names,
        noun(images): [in_words(images, i) for i in range(len(images))],
        "split": split_names(found),
        "family": families,
        "family_size": found.copies.family_sizes[families],
    }
    if found.scores is not None:
        columns["score"] = found.scores
    if found.grouping is not None:
        columns["original"] = found.grouping.numbers
    return pl.DataFrame(columns)


def copy_frame(found: Inspection) -> pl.DataFrame:
    """Every pair of near copies."""
    i, j = found.copies.pairs.T
    columns = _pair_columns(found, i, j)
    if found.grouping is not None:
        columns["same_original"] = found.grouping.numbers[i] == found.grouping.numbers[j]
    return pl.DataFrame(columns)


def original_frame(found: Inspection) -> pl.DataFrame:
    """Every original: how many copies, what is true of them, and the first of them."""
    if found.grouping is None:
        return pl.DataFrame()
    rows = pl.DataFrame(
        {
            "original": found.grouping.numbers,
            "image": found.images.names,
            "told": [in_words(found.images, i) for i in range(len(found.images))],
        }
    )
    what = "classes" if found.scores is not None else noun(found.images)
    columns = {
        "images": pl.len(),
        what: pl.col("told").unique().sort().str.join(", "),
        "first": pl.col("image").first(),
    }
    return rows.group_by("original", maintain_order=True).agg(**columns)


def leak_frame(found: Inspection, leak: Leak) -> pl.DataFrame:
    """Every test image with a copy in training, beside that copy."""
    return pl.DataFrame(_pair_columns(found, leak.test, leak.train))


def _pair_columns(found: Inspection, i: Indices, j: Indices) -> dict[str, object]:
    images, splits, what = found.images, split_names(found), noun(found.images)
    columns: dict[str, object] = {}
    for ending, side in (("", i), ("_of", j)):
        columns["copy" + ending if ending else "image"] = [images.names[k] for k in side]
        columns[what + ending] = [in_words(images, k) for k in side.tolist()]
        columns["split" + ending] = [splits[k] for k in side]
    return columns | {
        f"same_{what}": found.alike[i] == found.alike[j],
        "equal": found.copies.equal(i, j),
        "mirrored": found.copies.is_mirrored(i, j),
        "closeness": found.copies.closeness_of(i, j),
    }


def doubt_frame(found: Inspection) -> pl.DataFrame:
    """Every image whose nearest image is of another class, the most doubtful first; images must have labels."""
    images, rows, scores = found.images, found.doubtful, found.scores
    assert scores is not None
    nearest = found.copies.neighbors[rows, 0]
    splits = split_names(found)
    return pl.DataFrame(
        {
            "image": [images.names[i] for i in rows],
            "class": [images.classes[images.labels[i]] for i in rows],
            "split": [splits[i] for i in rows],
            "score": scores[rows],
            "nearest_image": [images.names[i] for i in nearest],
            "nearest_class": [images.classes[images.labels[i]] for i in nearest],
            "closeness": found.copies.closeness[rows, 0],
        }
    )
