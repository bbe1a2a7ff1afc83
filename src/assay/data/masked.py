"""Whether there are pixels of a class where a split needs them."""

from assay.data.groups import Indices
from assay.data.images import ImageSet
from assay.data.targets import Masks
from assay.errors import AssayError


def check_masks(images: ImageSet, indices: dict[str, Indices]) -> None:
    """Raise AssayError where images have masks, and those of a split have nothing but void in them."""
    if not isinstance(images.targets, Masks):
        return
    is_known = images.targets.is_known
    for split, rows in indices.items():
        if len(rows) and not is_known[rows].any():
            raise AssayError(
                f"the masks of the {len(rows):,} {split} images of {images.source} hold nothing but void (the first is "
                f"that of {images.names[rows[0]]}): nothing can be learned or measured there"
            )
