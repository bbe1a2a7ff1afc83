"""From a network's logits on the canvas to counts and label maps in the pictures' own pixels, a picture at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from assay.data.batches import ImageData
from assay.data.geometry import inner
from assay.data.palette import palette
from assay.data.targets import VOID
from assay.recipe import Loss
from assay.seeds import numpy_generator
from assay.tasks.segmentation.borders import Borders, borders_of
from assay.tasks.segmentation.confusion import confusion
from assay.tasks.segmentation.losses import of_pictures, pixel_losses, smoothing_of
from assay.tasks.segmentation.maps import decoded, entropy, png
from assay.tasks.segmentation.pictures import unsureness
from assay.tasks.segmentation.predictions import Predictions, Sampled
from assay.tasks.segmentation.weights import masks_of

SAMPLED = 100_000
"""Pixels of a split, at most, whose logits are kept; the same number of each image, and at least one."""

Map = Float32[Tensor, "classes height width"]


@dataclass(frozen=True, eq=False)
class _Picture:
    """What is said of one."""

    confusion: Int64[np.ndarray, "classes classes"]
    entropy: float
    said: bytes
    unsure: bytes
    logits: Float32[np.ndarray, "pixels classes"]
    labels: Int64[np.ndarray, " pixels"]


def gathered(answers: Iterable[Tensor], data: ImageData, split: str, loss: Loss) -> Predictions:
    """From the logits (batch, classes, height, width) of the split's batches, one batch at a time."""
    indices, masks, classes = data.indices[split], masks_of(data), len(data.classes)
    colours = palette(data.classes, data.images.colours)
    most = max(1, SAMPLED // max(len(indices), 1))
    losses: list[Tensor] = []
    found: list[_Picture] = []
    sizes: list[tuple[int, int]] = []
    for here, logits in _with_rows(answers, indices):
        on_canvas = masks.take(torch.from_numpy(here))
        losses.append(of_pictures(pixel_losses(logits, on_canvas, smoothing_of(loss)), on_canvas))
        for i, of_picture in zip(here.tolist(), logits, strict=True):
            truth = masks.own(i)
            found.append(_picture(in_own_pixels(of_picture, data, i), truth, colours, most, i))
            sizes.append(truth.shape)
    said = tuple(one.said for one in found)

    def borders() -> Borders:
        maps = zip(indices.tolist(), said, strict=True)
        each = [borders_of(masks.own(i), decoded(answer), classes) for i, answer in maps]
        return Borders(*map(np.concatenate, zip(*each, strict=True)))

    return Predictions(
        indices,
        tuple(data.classes),
        np.stack([one.confusion for one in found]),
        torch.cat(losses).numpy(),
        np.array([one.entropy for one in found], np.float32),
        said,
        np.array(sizes, np.int64),
        borders,
        tuple(one.unsure for one in found),
        Sampled(np.concatenate([one.logits for one in found]), np.concatenate([one.labels for one in found])),
    )


def in_own_pixels(logits: Map, data: ImageData, i: int) -> Float32[Tensor, "classes own_height own_width"]:
    """The part of the canvas where picture ``i`` lies, brought to the picture's own size by bilinear interpolation."""
    size = data.images.pixels.shape[2:] if data.images.sizes is None else data.images.sizes[i]
    own = np.array(size, np.int64)
    (taken,), (first,) = inner(own[None], data.shape[1:], data.images.fit)
    (top, left), (height, width) = first.tolist(), taken.tolist()
    part = logits[:, top : top + height, left : left + width]
    if (height, width) == tuple(own.tolist()):
        return part
    return functional.interpolate(part[None], size=own.tolist(), mode="bilinear", align_corners=False)[0]


def _picture(
    logits: Map, truth: UInt8[np.ndarray, "height width"], colours: UInt8[np.ndarray, "classes 3"], most: int, i: int
) -> _Picture:
    classes, said = len(colours), logits.max(dim=0).indices.to(torch.uint8).numpy()
    known = np.flatnonzero(truth.ravel() != VOID)
    drawn = numpy_generator(i, "pixels").choice(known, min(most, len(known)), replace=False)
    rows = logits.flatten(1)[:, torch.from_numpy(drawn)].T.contiguous().numpy()
    labels = truth.ravel()[drawn].astype(np.int64)
    unsure = entropy(logits)
    of_known = unsure.flatten()[torch.from_numpy(known)] if len(known) else unsure
    matrix, small = confusion(truth, said, classes), unsureness(unsure, classes)
    return _Picture(matrix, of_known.mean().item(), png(said, colours), small, rows, labels)


def _with_rows(
    answers: Iterable[Tensor], indices: Int64[np.ndarray, " n"]
) -> Iterator[tuple[Int64[np.ndarray, " batch"], Tensor]]:
    """Each batch's images and logits."""
    done = 0
    for logits in answers:
        yield indices[done : done + len(logits)], logits
        done += len(logits)
