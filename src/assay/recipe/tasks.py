"""What a network can be trained to say, and what the recipe of each such task may ask for. Strings only."""

from dataclasses import dataclass
from typing import Literal

from assay.errors import AssayError

TaskName = Literal["classification", "regression", "multilabel", "segmentation", "detection"]
Target = Literal["labels", "values", "tags", "masks", "boxes"]

WORDS: dict[Target, str] = {
    "labels": "one label an image",
    "values": "numbers an image",
    "tags": "any number of labels an image",
    "masks": "one class a pixel",
    "boxes": "any number of boxes an image",
}
"""What is true of an image, in words."""


@dataclass(frozen=True)
class Facts:
    """What is known of a task without importing it."""

    what: str
    """In a few words."""
    target: Target
    """What its sources must know of an image."""
    metric: str
    """What the watched value, the verdict and the page are about unless asked otherwise."""
    losses: tuple[str, ...]
    """Those it knows, its default first."""
    measures: tuple[str, ...]
    """Those it knows."""
    evaluate: tuple[str, ...]
    """The measures unless the recipe lists others."""
    has_loss: bool = True
    """Whether what is said of validation images has a loss, which can be watched like the metric."""

    @property
    def watched(self) -> tuple[str, ...]:
        """The validation values that there are."""
        return ("loss", self.metric) if self.has_loss else (self.metric,)


TASKS: dict[str, Facts] = {
    "classification": Facts(
        what="one of several classes an image",
        target="labels",
        metric="accuracy",
        losses=("cross_entropy", "focal", "mse", "binary_cross_entropy"),
        measures=("classification", "curves", "cost", "separation", "uncertainty", "diagnosis"),
        evaluate=("classification", "cost"),
    ),
    "regression": Facts(
        what="one or several numbers an image",
        target="values",
        metric="r2",
        losses=("mse", "mae", "huber"),
        measures=("regression", "cost", "separation", "uncertainty", "diagnosis"),
        evaluate=("regression", "cost"),
    ),
    "multilabel": Facts(
        what="any number of labels an image",
        target="tags",
        metric="average_precision_macro",
        losses=("binary_cross_entropy", "focal"),
        measures=("multilabel", "curves", "cost", "diagnosis"),
        evaluate=("multilabel", "cost"),
    ),
    "segmentation": Facts(
        what="one class a pixel",
        target="masks",
        metric="miou",
        losses=("cross_entropy", "dice", "focal", "lovasz", "sum"),
        measures=("segmentation", "cost", "uncertainty", "diagnosis"),
        evaluate=("segmentation", "cost"),
    ),
    "detection": Facts(
        what="any number of boxes an image",
        target="boxes",
        metric="map",
        losses=("own",),
        measures=("detection", "cost", "diagnosis"),
        evaluate=("detection", "cost"),
        has_loss=False,
    ),
}
"""Name → what is known of it."""


Answered = Literal["image", "pixel", "boxes"]
"""What a network gives its outputs for: an image, each of its pixels, or any number of boxes in it."""


def answered(task: str) -> Answered:
    """What a network of the task gives its outputs for."""
    found: dict[Target, Answered] = {"masks": "pixel", "boxes": "boxes"}
    return found.get(TASKS[task].target, "image")


def require(target: Target, task: str, what: str, source: str) -> None:
    """Raise AssayError where ``what`` is asked of a task whose images have another kind of target."""
    if TASKS[task].target != target:
        raise AssayError(f"{what} needs {WORDS[target]}, and the images of {source} have {WORDS[TASKS[task].target]}")
