"""Whether there are boxes where a split needs them."""

from assay.data.boxes import Boxes
from assay.data.groups import Indices
from assay.data.images import ImageSet
from assay.errors import AssayError, enumerated


def check_boxes(images: ImageSet, indices: dict[str, Indices]) -> None:
    """Raise AssayError where images have boxes, and those to train on have none to learn from."""
    if isinstance(images.targets, Boxes) and not _learned(images.targets, indices["train"]):
        raise AssayError(
            f"the {len(indices['train']):,} training images of {images.source} have no box to learn from; difficult "
            "ones and crowds are not learned"
        )


def unboxed(images: ImageSet, indices: dict[str, Indices]) -> list[str]:
    """A sentence for each split but the training one whose images have no box that is measured, and one on the classes
    that other splits alone have."""
    if not isinstance(images.targets, Boxes):
        return []
    seen = {split: _learned(images.targets, rows) for split, rows in indices.items()}
    new = sorted(set().union(*seen.values()) - seen["train"]) if seen["train"] else []
    told = []
    if new:
        named = enumerated([images.classes[k] for k in new], 6)
        told = [f"no training image of {images.source} has a box of {named}: nothing is learned of what others show"]
    return told + [
        f"the {len(rows):,} {split} images of {images.source} have no box: there is nothing to find there"
        for split, rows in indices.items()
        if split != "train" and len(rows) and not seen[split]
    ]


def _learned(boxes: Boxes, rows: Indices) -> set[int]:
    """The numbers of the classes that have a box which is learned and measured."""
    there = boxes.subset(rows)
    return set(there.labels[there.flags == 0].tolist())
