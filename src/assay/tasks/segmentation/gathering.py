"""From a network's logits on the canvas to counts and label maps in the pictures' own pixels, a picture at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from assay.data.batches import ImageData
from assay.data.palette import palette
from assay.data.targets import VOID
from assay.recipe import Loss, Measure, SegmentationMeasure, UncertaintyMeasure
from assay.seeds import numpy_generator
from assay.tasks.segmentation.borders import Borders, borders_of
from assay.tasks.segmentation.confusion import confusion
from assay.tasks.segmentation.losses import of_pictures, pixel_losses, smoothing_of
from assay.tasks.segmentation.maps import LabelMap, decoded, png
from assay.tasks.segmentation.own_pixels import Map, labels, labels_and_entropies, logits_at, part
from assay.tasks.segmentation.pictures import unsureness
from assay.tasks.segmentation.predictions import Kept, Predictions, Sampled
from assay.tasks.segmentation.weights import masks_of

SAMPLED = 100_000
"""Pixels of a split, at most, whose logits are kept; the same number of each image, and at least one."""


@dataclass(frozen=True, eq=False)
class _Picture:
    """What is kept of one."""

    entropy: float
    said: bytes
    unsure: bytes
    logits: Float32[np.ndarray, "pixels classes"]
    labels: Int64[np.ndarray, " pixels"]


def gathered(
    answers: Iterable[Tensor], data: ImageData, split: str, loss: Loss, measures: Sequence[Measure] = ()
) -> Predictions:
    """From the logits (batch, classes, height, width) of the split's batches, one batch at a time."""
    indices, masks, classes = data.indices[split], masks_of(data), len(data.classes)
    colours = palette(data.classes, data.images.colours)
    asked = any(isinstance(measure, UncertaintyMeasure) for measure in measures)
    most = max(1, SAMPLED // max(len(indices), 1)) if asked else 0
    losses, matrices, sizes = list[Tensor](), list[np.ndarray](), list[tuple[int, int]]()
    kept: list[_Picture] = []
    for here, logits in _with_rows(answers, indices):
        on_canvas = masks.take(torch.from_numpy(here))
        losses.append(of_pictures(pixel_losses(logits, on_canvas, smoothing_of(loss)), on_canvas))
        for i, of_picture in zip(here.tolist(), logits, strict=True):
            truth = masks.own(i)
            own = part(of_picture, truth.shape, data.images.fit)
            if measures:
                said, entropies = labels_and_entropies(own, truth.shape)
                kept.append(_picture(own, truth, said, entropies, colours, most, i))
            else:
                said = labels(own, truth.shape)
            matrices.append(confusion(truth, said, classes))
            sizes.append(truth.shape)
    return Predictions(
        indices,
        tuple(data.classes),
        np.stack(matrices),
        torch.cat(losses).numpy(),
        np.array(sizes, np.int64),
        _together(kept, data, indices, measures) if measures else None,
    )


def _together(
    pictures: list[_Picture], data: ImageData, indices: Int64[np.ndarray, " n"], measures: Sequence[Measure]
) -> Kept:
    said = tuple(one.said for one in pictures)
    border = next((each.border for each in measures if isinstance(each, SegmentationMeasure)), None)

    def borders() -> Borders:
        masks, maps = masks_of(data), zip(indices.tolist(), said, strict=True)
        each = [borders_of(masks.own(i), decoded(answer), len(data.classes), border) for i, answer in maps]
        return Borders(*map(np.concatenate, zip(*each, strict=True)))

    return Kept(
        np.array([one.entropy for one in pictures], np.float32),
        said,
        borders,
        border,
        tuple(one.unsure for one in pictures),
        Sampled(np.concatenate([one.logits for one in pictures]), np.concatenate([one.labels for one in pictures])),
    )


def _picture(
    logits: Map,
    truth: LabelMap,
    said: LabelMap,
    entropies: Float32[np.ndarray, "height width"],
    colours: UInt8[np.ndarray, "classes 3"],
    most: int,
    i: int,
) -> _Picture:
    known = np.flatnonzero(truth.ravel() != VOID)
    drawn = numpy_generator(i, "pixels").choice(known, min(most, len(known)), replace=False)
    of_known = entropies.ravel()[known] if len(known) else entropies
    return _Picture(
        float(of_known.mean(dtype=np.float64)),
        png(said, colours),
        unsureness(torch.from_numpy(entropies), len(colours)),
        logits_at(logits, truth.shape, drawn),
        truth.ravel()[drawn].astype(np.int64),
    )


def _with_rows(
    answers: Iterable[Tensor], indices: Int64[np.ndarray, " n"]
) -> Iterator[tuple[Int64[np.ndarray, " batch"], Tensor]]:
    """Each batch's images and logits."""
    done = 0
    for logits in answers:
        yield indices[done : done + len(logits)], logits
        done += len(logits)
