"""From a network's boxes on the canvas to boxes in the pictures' own pixels."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float32, Int64

from assay.data.batches import ImageData
from assay.data.boxes import Boxes
from assay.data.geometry import onto_source
from assay.errors import AssayError
from assay.models.detector import Found
from assay.recipe import Loss, Measure
from assay.tasks.box_matching import Detections, Objects, have_extent
from assay.tasks.detection.predictions import Predictions
from assay.tasks.detection.thresholds import THRESHOLD

Edges = Float32[np.ndarray, "m 4"]


def boxes_of(data: ImageData) -> Boxes:
    """The boxes of the images, on the canvas. AssayError where something else is true of them."""
    if not isinstance(data.images.targets, Boxes):
        there = f"the images of {data.images.source} have {data.images.targets.kind}"
        raise AssayError(f"detection needs any number of boxes an image, and {there}")
    return data.images.targets


def gathered(
    answers: Iterable[list[Found]], data: ImageData, split: str, loss: Loss, measures: Sequence[Measure] = ()
) -> Predictions:
    """From the boxes of the split's batches. A box beside its picture, in what fills the canvas up, is none."""
    indices = data.indices[split]
    found = [one for batch in answers for one in batch]
    counts, places = np.array([len(one.scores) for one in found], np.int64), np.arange(len(found))
    truth = boxes_of(data).subset(indices)
    edges = [one.edges.float().numpy() for one in found]
    own = in_own_pixels(np.concatenate(edges) if edges else np.zeros((0, 4), np.float32), counts, data, indices)
    inside = have_extent(own)
    said = Detections(
        own[inside],
        _joined([one.labels.numpy() for one in found], np.int64)[inside],
        _joined([one.scores.float().numpy() for one in found], np.float32)[inside],
        starts_of(np.bincount(np.repeat(places, counts)[inside], minlength=len(found))),
    )
    there = Objects(truth.own_edges, truth.labels, truth.flags.astype(np.int64), truth.starts)
    sizes, thresholds = own_sizes(data, indices), np.full(len(data.classes), THRESHOLD)
    unset = np.zeros(len(said.scores), dtype=bool), np.full(len(indices), np.nan)
    return Predictions(indices, tuple(data.classes), there, said, sizes, *unset).by(thresholds, np.nan)


def in_own_pixels(
    edges: Edges, counts: Int64[np.ndarray, " n"], data: ImageData, rows: Int64[np.ndarray, " n"]
) -> Edges:
    """Boxes on the canvas, so many of each of some pictures, in the pixels of these and cut at their sides."""
    placement = (each[rows] for each in data.images.placement)
    own = onto_source(edges, *(np.repeat(each, counts, axis=0) for each in placement))
    limits = np.repeat(np.tile(own_sizes(data, rows)[:, ::-1], 2), counts, axis=0)
    return np.asarray(np.clip(own, 0, limits), np.float32)


def own_sizes(data: ImageData, rows: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, "n 2"]:
    """Height and width of some pictures."""
    sizes = data.images.sizes
    return np.tile(data.images.canvas, (len(rows), 1)) if sizes is None else sizes[rows].astype(np.int64)


def starts_of(counts: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " _"]:
    """Where the boxes of each image begin, and where the last ones end."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _joined(parts: list[np.ndarray], kind: type[np.generic]) -> np.ndarray:
    return np.concatenate(parts).astype(kind) if parts else np.zeros(0, kind)
