"""What happens to a network's answers once it is trained."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from assay.recipe.crf import Crf
from assay.recipe.section import Expected, Section
from assay.recipe.tasks import WORDS, Target

OF = (
    {"flip": "answers that have a mean"}
    | dict.fromkeys(("tile", "crf"), WORDS["masks"])
    | dict.fromkeys(("score", "nms", "most"), WORDS["boxes"])
)
"""Key → what it is of."""
KNOWN: dict[Target, tuple[str, ...]] = {"masks": ("flip", "tile", "crf"), "boxes": ("score", "nms", "most")}
"""Target → the keys that its networks know; of all others flip alone."""
CANDIDATES = 3_000
"""Boxes of an image that a network looks at, those of the highest scores."""


def _unless_none(value: Any) -> Any:
    return None if value == "none" else value


class Predict(Section):
    """What answers for a trained network: the final predictions, those of new pictures, what measures them.

    Every key is left out of the dump where it asks for nothing, so that a later key changes no earlier recipe.
    """

    flip: bool = Field(default=False, exclude_if=lambda flip: not flip)
    """The mean of the outputs for a picture and for its mirror image."""
    tile: Annotated[
        PositiveInt | tuple[PositiveInt, PositiveInt] | None,
        BeforeValidator(_unless_none),
        Expected("none, or height and width in pixels"),
    ] = Field(default=None, exclude_if=lambda tile: tile is None)
    """Height and width of the parts of a canvas that are answered one after the other (one number: square)."""
    overlap: Annotated[float, Field(ge=0, le=0.9)] = Field(default=0.25, exclude_if=lambda overlap: overlap == 0.25)
    """The share of a tile that its neighbour has too, at least."""
    crf: Annotated[
        Crf | Literal["tune"] | None,
        BeforeValidator(_unless_none),
        Expected("none, tune, or settings such as bilateral: 3"),
    ] = Field(default=None, exclude_if=lambda crf: crf is None)
    """A conditional random field that sharpens maps; ``tune`` chooses its settings, or none, on validation images."""

    score: Annotated[float, Field(ge=0, lt=1)] | None = Field(default=None, exclude_if=lambda score: score is None)
    """The least score of a box; left out, that of the network, 0.001 as a rule."""
    nms: Annotated[
        Annotated[float, Field(gt=0, lt=1)] | Literal["none"] | None, Expected("none, or an overlap between 0 and 1")
    ] = Field(default=None, exclude_if=lambda nms: nms is None)
    """Of two boxes of a class whose IoU is larger the one with the lower score goes; left out, as the network has it,
    0.6 as a rule."""
    most: Annotated[int, Field(ge=1, le=CANDIDATES)] | None = Field(default=None, exclude_if=lambda most: most is None)
    """Boxes an image, those with the highest scores; left out, 300 as a rule."""

    @model_validator(mode="after")
    def _tiles_overlap(self) -> "Predict":
        if self.tile is None and self.overlap != 0.25:
            raise ValueError("overlap is of tiles, and the key tile is missing")
        return self

    @property
    def asks(self) -> bool:
        """Whether anything but the network itself answers."""
        return self != Predict()

    def unknown_to(self, target: Target) -> tuple[str, str, tuple[str, ...]] | None:
        """(the first key asked for that images with such a target have no use for, what it is of, the keys that they
        know); None where there is none."""
        known = KNOWN.get(target, ("flip",))
        for key, of in OF.items():
            if getattr(self, key) not in (None, False) and key not in known:
                return key, of, known
        return None
