"""Small pictures with masks, for tests of segmentation."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from assay.data import ImageData, ImageSet
from assay.data.targets import VOID, Masks
from assay.recipe import CrossEntropy, SegmentationMeasure
from assay.tasks.segmentation import task
from assay.tasks.segmentation.predictions import Predictions

CLASSES = ["sky", "road", "sign"]
CPU = torch.device("cpu")


def random_masks(draw: np.random.Generator, *shape: int, void: float = 0.2, classes: int = 3) -> np.ndarray:
    masks = draw.integers(0, classes, shape, dtype=np.uint8)
    masks[draw.random(shape) < void] = VOID
    return masks


def masked_data(masks: np.ndarray, classes: list[str] = CLASSES, **changes: Any) -> ImageData:
    """Black pictures with the masks, all of them in each split."""
    n, height, width = masks.shape
    images = ImageSet(
        pixels=np.zeros((n, 1, height, width), np.uint8),
        targets=Masks(masks),
        names=[f"{i}.png" for i in range(n)],
        is_test=np.zeros(n, dtype=bool),
        classes=classes,
        skipped=[],
        **changes,
    )
    rows = np.arange(n)
    return ImageData(images, dict.fromkeys(("train", "validation", "test"), rows), np.zeros(1, "f4"), np.ones(1, "f4"))


def sharp(labels: np.ndarray, classes: int = 3) -> torch.Tensor:
    """Logits whose greatest is that of the label."""
    return torch.nn.functional.one_hot(torch.from_numpy(labels).long(), classes).movedim(-1, 1).float() * 5


def predicted(
    masks: np.ndarray, said: np.ndarray, classes: list[str] = CLASSES, border: int | None = None, **changes: Any
) -> Predictions:
    """What is gathered from logits that say ``said``, two pictures a batch."""
    answers = sharp(said, len(classes)).split(2)
    return gathered(answers, masked_data(masks, classes, **changes), border)


def gathered(answers: Iterable[torch.Tensor], data: ImageData, border: int | None = None) -> Predictions:
    """What is kept of the test images for the usual measures."""
    return task.gathered(answers, data, "test", CrossEntropy(), (SegmentationMeasure(border=border),))
