"""From the canvas back to a picture's own pixels, of the images of a run as of new pictures."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from assay.data.geometry import Size, inner
from assay.recipe import Fit
from assay.tasks.segmentation.maps import LabelMap, entropy

BAND = 1 << 22
"""Numbers in the rows that are brought to the picture's size at once: the maps of all classes of a photograph are not
in memory together."""

Map = Float32[Tensor, "classes rows columns"]


def part(logits: Float32[Tensor, "classes canvas_height canvas_width"], size: Size, fit: Fit) -> Map:
    """The part of the canvas where a picture of ``size`` lies."""
    (taken,), (first,) = inner(np.array([size]), (logits.shape[1], logits.shape[2]), fit)
    (height, width), (top, left) = taken.tolist(), first.tolist()
    return logits[:, top : top + height, left : left + width]


def labels_and_entropies(
    logits: Map, size: Size, temperature: float = 1.0
) -> tuple[LabelMap, Float32[np.ndarray, "height width"]]:
    """The most probable class of each pixel, of equals the first, and the entropy in nats; the temperature divides the
    logits before the entropy."""
    found, entropies = [], []
    for rows in bands(logits, size):
        found.append(_most_probable(rows))
        entropies.append(entropy(rows / temperature))
    return torch.cat(found).numpy(), torch.cat(entropies).numpy()


def labels(logits: Map, size: Size) -> LabelMap:
    """The most probable class of each pixel, of equals the first."""
    return torch.cat([_most_probable(rows) for rows in bands(logits, size)]).numpy()


def logits_at(logits: Map, size: Size, pixels: Int64[np.ndarray, " some"]) -> Float32[np.ndarray, "some classes"]:
    """Of some pixels, counted row by row."""
    found, first = np.empty((len(pixels), len(logits)), np.float32), 0
    for rows in bands(logits, size) if len(pixels) else ():
        flat = rows.flatten(1).numpy()
        inside = (pixels >= first) & (pixels < first + flat.shape[1])
        found[inside] = flat[:, pixels[inside] - first].T
        first += flat.shape[1]
    return found


def bands(logits: Map, size: Size) -> Iterator[Float32[Tensor, "classes _ width"]]:
    """The map at another size by bilinear interpolation, some rows at a time from the top."""
    (classes, rows, columns), (height, width) = logits.shape, size
    if (rows, columns) == size:
        yield logits
        return
    if classes * height * width <= BAND:
        yield _resized(logits, size)
        return
    at = ((torch.arange(height, dtype=torch.float64) + 0.5) * rows / height - 0.5).clamp(0, rows - 1)
    above, share = at.long(), (at % 1).float()
    below = (above + 1).clamp(max=rows - 1)
    for band in torch.arange(height).split(max(1, BAND // (classes * width))):
        upper, lower = (logits[:, row[band]] for row in (above, below))
        yield _resized(upper + (lower - upper) * share[band, None], (len(band), width))


def _resized(logits: Map, size: Size) -> Float32[Tensor, "classes height width"]:
    return functional.interpolate(logits[None], size, mode="bilinear", align_corners=False)[0]


def _most_probable(logits: Float32[Tensor, "classes height width"]) -> UInt8[Tensor, "height width"]:
    return logits.max(dim=0).indices.to(torch.uint8)
