"""What happens to training images and to what is true of them, and not to those that validate or test."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from assay.recipe.section import NonNegative, Section, pair

AUGMENTATIONS: dict[str, tuple[float, str]] = {
    "horizontal_flip": (0.5, "probability of mirroring left and right"),
    "vertical_flip": (0.5, "probability of mirroring top and bottom"),
    "rotation": (15.0, "largest angle in degrees, either way"),
    "translation": (0.1, "largest shift as a share of the side"),
    "zoom": (0.1, "largest change of scale, 0.1 is 0.9 to 1.1"),
    "crop": (4.0, "pixels of zero padding before a random crop of the old size"),
    "random_resized_crop": (0.08, "smallest share of the area that is cut out and stretched to the old size"),
    "brightness": (0.2, "largest change as a share"),
    "contrast": (0.2, "largest change as a share"),
    "saturation": (0.2, "largest change as a share"),
    "hue": (0.05, "largest turn as a share of the colour circle"),
    "color_jitter": (0.4, "largest change of brightness, contrast and saturation as a share; of hue a quarter of it"),
    "erase": (0.5, "probability of erasing a random rectangle"),
    "rand_augment": (9.0, "strength, 0 to 30, of two operations that each image draws of fourteen"),
    "mixup": (0.2, "each batch mixed with itself, by a share of the distribution Beta(a, a)"),
    "cutmix": (1.0, "a rectangle of each image from another of the batch, its area by Beta(a, a)"),
}
"""Name → (default amount, what the amount means)."""
MIXES = ("mixup", "cutmix")
"""Those that make one image of two."""


class Augmentation(Section):
    """One random change of the training images: ``horizontal_flip`` or ``{rotation: 15}``."""

    name: str
    """``assay list augmentations``."""
    amount: NonNegative
    """How much, in the unit that the list names."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        expected = "a name such as horizontal_flip, or a pair such as {rotation: 15}"
        value = pair(value, "augmentation", AUGMENTATIONS, expected)
        if value.get("amount") is None:
            value = {**value, "amount": AUGMENTATIONS[value["name"]][0]}
        return value

    @model_validator(mode="after")
    def _in_range(self) -> "Augmentation":
        meaning = AUGMENTATIONS[self.name][1]
        if self.amount > 1 and ("probability" in meaning or "as a share" in meaning or "share of" in meaning):
            raise ValueError(f"{self.name} takes at most 1 ({meaning})")
        if self.amount > 30 and self.name == "rand_augment":
            raise ValueError(f"{self.name} takes at most 30 ({meaning})")
        return self


class Crop(Section):
    """Windows of the training images: ``[160, 224]``, or ``{size: [160, 224], classes: balanced}``."""

    size: tuple[PositiveInt, PositiveInt]
    """Height and width in pixels (one number: square)."""
    classes: Literal["balanced"] | None = Field(default=None, exclude_if=lambda classes: classes is None)
    """``balanced``: each window shows a pixel of a class that is drawn uniformly."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        value = value if isinstance(value, Mapping | Crop) else {"size": value}
        if isinstance(value, Mapping) and isinstance(value.get("size"), int):
            value = {**value, "size": (value["size"], value["size"])}
        return value


class Mosaic(Section):
    """Four pictures in one: see ``assay.data.mosaic``."""

    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of an image to be one; the others are seen alone."""
    epochs: PositiveInt = 15
    """In which there are any, counted from the beginning of the training; after them every image is seen alone."""
