"""What is measured of a trained network."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, PositiveInt, model_validator

from assay.recipe.section import Section, Some, named


class ClassificationMeasure(Section):
    """Accuracy, precision, recall, F1, top-k, confusion matrix and losses."""

    name: Literal["classification"] = "classification"
    top_k: tuple[PositiveInt, ...] = (5,)
    """The k of accuracies that count an answer among the k likeliest."""


class MultilabelMeasure(Section):
    """Average precision, F1, precision and recall of each label and their means, exact match, losses."""

    name: Literal["multilabel"] = "multilabel"


class CurvesMeasure(Section):
    """ROC and precision-recall curves of each class or label against the rest, and the areas under them."""

    name: Literal["curves"] = "curves"


class RegressionMeasure(Section):
    """R², Spearman, MAE and RMSE, errors by decile of the truth, losses."""

    name: Literal["regression"] = "regression"


class SegmentationMeasure(Section):
    """IoU and Dice of each class and their means, the several "mIoU", answers near borders, losses."""

    name: Literal["segmentation"] = "segmentation"
    border: PositiveInt | None = Field(default=None, exclude_if=lambda border: border is None)
    """Pixels from a border within which answers are counted apart, and how wide the bands of boundary IoU are; without
    it 3, and bands of 2 % of a picture's diagonal."""


class DetectionMeasure(Section):
    """COCO's twelve numbers, AP of each class, kinds of error, scores at thresholds of the validation images."""

    name: Literal["detection"] = "detection"


class CostMeasure(Section):
    """Parameters, multiply-accumulates, bytes, and the time of training and inference."""

    name: Literal["cost"] = "cost"


class Tracking(Section):
    """Separation while the network learns."""

    every: PositiveInt = 1
    """Epochs; the untrained network is measured too."""
    images: Some = 2000
    """How much of each split, the same share of every class."""


class SeparationMeasure(Section):
    """How well each layer's activations keep the classes apart, or the values in order (arXiv:1906.05156)."""

    name: Literal["separation"] = "separation"
    layers: Literal["blocks", "leaves"] | tuple[str, ...] = "blocks"
    """The network's direct children, its innermost modules, or patterns such as ``conv*`` on dotted names."""
    splits: tuple[Literal["train", "validation", "test"], ...] = ("train", "test")
    """Whose images are measured."""
    images: Some = 1.0
    """How much of each split is measured, the same share of every class."""
    indices: tuple[
        Literal[
            "separation", "high_order", "soft_order", "anti", "center", "cross_separation", "cross_center", "smoothness"
        ],
        ...,
    ] = ("separation", "center")
    """Smoothness is of numbers, and their only one; the others are of classes."""
    orders: tuple[PositiveInt, ...] = (5,)
    """k of the high-order, soft-order and anti index."""
    track: Tracking | None = Field(default=None, exclude_if=lambda track: track is None)
    """Measure the same layers, splits and indices during training as well."""

    @model_validator(mode="after")
    def _something_to_measure_and_compare_with(self) -> "SeparationMeasure":
        for key in ("layers", "splits", "indices"):
            if not getattr(self, key):
                raise ValueError(f"{key}: expected at least one, found none")
        for name in self.indices:
            if name.startswith("cross") and "train" not in self.splits:
                raise ValueError(f"{name} compares with the training images, so 'train' is expected among splits")
        return self

    @property
    def of_values(self) -> "SeparationMeasure":
        """The same where images have numbers: by smoothness, unless indices are asked for."""
        return self if "indices" in self.model_fields_set else self.model_copy(update={"indices": ("smoothness",)})


class UncertaintyMeasure(Section):
    """How far the answers may be believed: as they are, with dropout injected, and of probabilities by temperature."""

    name: Literal["uncertainty"] = "uncertainty"
    passes: Annotated[int, Field(ge=2)] = 50
    """With dropout; fewer than two have no variance."""
    layers: Literal["head"] | tuple[str, ...] = "head"
    """Before the dense or convolutional layer that is called last, or after the layers that patterns ask for, such as
    ``dense*`` on dotted names."""
    bins: PositiveInt = 15
    """Of the calibration errors and the reliability diagram of probabilities."""


class DiagnosisMeasure(Section):
    """What the course of the training says of it: exploded, not learning, unfinished and the like."""

    name: Literal["diagnosis"] = "diagnosis"


Measure = Annotated[
    ClassificationMeasure
    | RegressionMeasure
    | MultilabelMeasure
    | SegmentationMeasure
    | DetectionMeasure
    | CurvesMeasure
    | CostMeasure
    | SeparationMeasure
    | UncertaintyMeasure
    | DiagnosisMeasure,
    named(),
    Discriminator("name"),
]
