"""Where a picture lies on the canvas that all pictures of a source share, and how edges go there and back.

Edges are x1, y1, x2, y2 of pixels' edges: the first pixel of a row goes from 0 to 1.
"""

import numpy as np
from jaxtyping import Float, Float32, Float64, Int, Int64

from assay.recipe import Fit

Size = tuple[int, int]
"""Height and width in pixels."""


def inner(
    sizes: Int[np.ndarray, "n 2"], canvas: Size, fit: Fit
) -> tuple[Int64[np.ndarray, "n 2"], Int64[np.ndarray, "n 2"]]:
    """(height and width, row and column of the first pixel) of pictures on the canvas, in whole pixels.

    ``sizes`` are their own heights and widths. Of ``letterbox`` and ``pad`` the ratio of the sides is kept, and ``pad``
    enlarges none.
    """
    whole = np.array(canvas, dtype=np.int64)
    taken = np.broadcast_to(whole, sizes.shape)
    if fit != "stretch":
        most = np.inf if fit == "letterbox" else 1.0
        share = (whole / sizes).min(axis=1, keepdims=True).clip(max=most)
        taken = np.clip(np.rint(sizes * share).astype(np.int64), 1, whole)
    return taken, (whole - taken) // 2


def placed(
    sizes: Int[np.ndarray, "n 2"], canvas: Size, fit: Fit
) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, "n 2"]]:
    """(scale, offset) in x and y: an edge at x of a picture lies at scale · x + offset on the canvas.

    ``sizes`` are heights and widths of the pictures.
    """
    taken, first = inner(sizes, canvas, fit)
    return (taken / sizes)[:, ::-1], first[:, ::-1].astype(np.float64)


def onto_canvas(
    edges: Float[np.ndarray, "m 4"], scale: Float64[np.ndarray, "m 2"], offset: Float64[np.ndarray, "m 2"]
) -> Float32[np.ndarray, "m 4"]:
    """Boxes in the pixels of their pictures, on the canvas; each with the scale and offset of its picture."""
    return np.asarray(edges * np.tile(scale, 2) + np.tile(offset, 2), dtype=np.float32)


def onto_source(
    edges: Float[np.ndarray, "m 4"], scale: Float64[np.ndarray, "m 2"], offset: Float64[np.ndarray, "m 2"]
) -> Float32[np.ndarray, "m 4"]:
    """The inverse: boxes on the canvas, in the pixels of their pictures."""
    return np.asarray((edges - np.tile(offset, 2)) / np.tile(scale, 2), dtype=np.float32)
