"""Where the images come from, how they are split, and what happens to them on the way to the network."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, PositiveInt, model_validator

from assay.recipe.section import Amount, NonNegative, Pattern, Positive, Section, pair

AUGMENTATIONS: dict[str, tuple[float, str]] = {
    "horizontal_flip": (0.5, "probability of mirroring left and right"),
    "vertical_flip": (0.5, "probability of mirroring top and bottom"),
    "rotation": (15.0, "largest angle in degrees, either way"),
    "translation": (0.1, "largest shift as a share of the side"),
    "zoom": (0.1, "largest change of scale, 0.1 is 0.9 to 1.1"),
    "crop": (4.0, "pixels of zero padding before a random crop of the old size"),
    "brightness": (0.2, "largest change as a share"),
    "contrast": (0.2, "largest change as a share"),
    "erase": (0.5, "probability of erasing a random rectangle"),
}
"""Name → (default amount, what the amount means)."""


class Augmentation(Section):
    """One random change of the training images: ``horizontal_flip`` or ``{rotation: 15}``."""

    name: str
    amount: NonNegative

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
        if self.amount > 1 and ("probability" in meaning or "share" in meaning):
            raise ValueError(f"{self.name} takes at most 1 ({meaning})")
        return self


class Normalization(Section):
    """A mean and a deviation for every channel, of pixels in 0…1."""

    mean: tuple[float, ...]
    std: tuple[Positive, ...]


Balance = Literal["none", "oversample", "undersample"]
Fit = Literal["stretch", "letterbox"]


def _shares(value: Any) -> Any:
    if value is None or isinstance(value, tuple):
        return value
    if not isinstance(value, dict) or not all(
        isinstance(share, int | float) and not isinstance(share, bool) and 0 < share <= 1 for share in value.values()
    ):
        raise ValueError("expected names of classes with a share above 0 and at most 1 each, as {cat: 0.1}")
    if any(isinstance(name, bool) for name in value):
        raise ValueError("expected names of classes; a class called no or yes stands in quotes, as {'no': 0.1}")
    return tuple(sorted((str(name), float(share)) for name, share in value.items())) or None


Shares = Annotated[tuple[tuple[str, float], ...], PlainSerializer(dict)]
"""(class, share), sorted; in a file a mapping."""


class Data(Section):
    """Where the images come from, how they are split, and what happens to them on the way to the network."""

    source: str
    size: PositiveInt | tuple[PositiveInt, PositiveInt] | None = None
    """Height and width in pixels (one number: square); None keeps the source's own."""
    fit: Fit = Field(default="stretch", exclude_if=lambda fit: fit == "stretch")
    """How a picture comes to that size: stretched, or the ratio of its sides kept, in the middle of a black canvas."""
    color: Literal["gray", "rgb"] | None = None
    """None keeps the source's own."""
    train: Amount = 1.0
    """How much of the training split is used, the same share of every class; validation is cut from it."""
    validation: Amount = 0.1
    validation_from: Literal["train", "test"] = "train"
    test: Amount | None = None
    """How much of the test split is used; of a source without one, how much is held out (0.2)."""
    split_seed: int = 0
    """Governs what is cut from or into the test split: the same for every seed of a study."""
    group: Pattern | None = Field(default=None, exclude_if=lambda group: group is None)
    """Searched in the file name; its first group, else all it matches, names the original. All copies of an original
    stay on one side of every cut. None, every picture for itself, is not written out: the key came later, and the
    recipes without it are still the same."""
    imbalance: Annotated[Shares | None, BeforeValidator(_shares)] = Field(
        default=None, exclude_if=lambda shares: shares is None
    )
    """Class → the share of its training images that is kept; the validation images are cut from what is kept."""
    balance: Balance = Field(default="none", exclude_if=lambda balance: balance == "none")
    """Every epoch has as many training images of each class: of the largest, or of the smallest."""
    augment: tuple[Augmentation, ...] = ()
    augment_views: PositiveInt | None = Field(default=None, exclude_if=lambda views: views is None)
    """Under a frozen backbone, how many augmented views of a training image there are: their features are kept."""
    normalize: Literal["unit", "symmetric", "standard", "model"] | Normalization = "standard"
    """Pixels to 0…1, to −1…1, to mean 0 and deviation 1 per channel over the training images, as the network off the
    shelf expects them (its default), or by numbers."""
    on_bad_image: Literal["fail", "skip"] = "fail"
