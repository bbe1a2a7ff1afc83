"""The size in which pictures with masks or boxes are inspected where they have many, and none is stated."""

from pathlib import Path

from assay.data.boxes import Boxes
from assay.data.cache import open_source
from assay.data.decode_all import size_of
from assay.data.mask_files import MaskFiles
from assay.recipe import Data

SIDE = 256


def on_one_canvas(data: Data, root: Path) -> Data:
    """``data`` as it is; with a canvas of 256 × 256 and ``fit: letterbox`` where pictures with masks or boxes have many
    sizes.

    Raises AssayError for a source that is missing or bad.
    """
    if data.size is not None or data.table is not None:
        return data
    contents = open_source(data, root).contents()
    if not isinstance(contents.targets, MaskFiles | Boxes):
        return data
    first = size_of(contents, 0)
    if all(size_of(contents, i) == first for i in range(1, len(contents.names))):
        return data
    return data.model_copy(update={"size": SIDE, "fit": "letterbox"})
