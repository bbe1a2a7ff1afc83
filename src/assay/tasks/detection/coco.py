"""Boxes in COCO's formats (cocodataset.org/#format-data, #format-results).

Categories are numbered from 1, in the order of the classes; a box is x, y, width, height in pixels.
"""

from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from assay.tasks.box_matching import images_of, sides
from assay.tasks.detection.predictions import Predictions


def results(
    edges: Float32[np.ndarray, "boxes 4"],
    labels: Int64[np.ndarray, " boxes"],
    scores: Float32[np.ndarray, " boxes"],
    image_id: int | str,
) -> list[dict[str, Any]]:
    """What is said of one image: image_id, category_id, bbox, score."""
    rows = zip((labels + 1).tolist(), bboxes(edges), scores.tolist(), strict=True)
    return [{"image_id": image_id, "category_id": c, "bbox": bbox, "score": score} for c, bbox, score in rows]


def results_of(found: Predictions) -> list[dict[str, Any]]:
    """What is said of the images of a split, by their numbers in the source."""
    said, rows = found.said, []
    for row, number in enumerate(found.indices.tolist()):
        own = slice(said.starts[row], said.starts[row + 1])
        rows += results(said.edges[own], said.labels[own], said.scores[own], number)
    return rows


def truth_of(found: Predictions) -> dict[str, Any]:
    """What is true of them: images, categories, annotations. An object with a flag is a crowd; areas are of boxes."""
    there = found.truth
    areas, owners = sides(there.edges).prod(axis=1).tolist(), found.indices[images_of(there)].tolist()
    numbers = zip(owners, (there.labels + 1).tolist(), bboxes(there.edges), areas, there.flags.tolist(), strict=True)
    return {
        "images": [
            {"id": number, "height": height, "width": width}
            for number, (height, width) in zip(found.indices.tolist(), found.sizes.tolist(), strict=True)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(found.classes, start=1)],
        "annotations": [
            {"id": i, "image_id": image, "category_id": c, "bbox": bbox, "area": area, "iscrowd": int(flag != 0)}
            for i, (image, c, bbox, area, flag) in enumerate(numbers, start=1)
        ],
    }


def bboxes(edges: Float32[np.ndarray, "boxes 4"]) -> list[list[float]]:
    """x, y, width, height of each."""
    return np.hstack([edges[:, :2].astype(np.float64), sides(edges)]).tolist()  # type: ignore[no-any-return]
